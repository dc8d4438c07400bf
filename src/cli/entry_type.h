// What kind of entry it is, in words: as docs/json.md has it in `type`.
#pragma once

#include <string_view>

#include "wire/messages.h"

namespace wormhole::cli {

[[nodiscard]] std::string_view type_name(wire::EntryType type);

}  // namespace wormhole::cli
