// Internal to platform: a way to publish that common file systems do not take, declared here so
// that it can be tested on those.
#pragma once

#include "base/result.h"

namespace wormhole::platform {

// For file systems without RENAME_NOREPLACE: a second name, which is never given over another,
// then the first one goes. A kill between the two leaves both: the partial then has two links.
// Where no file has a second name either, it is renamed once nothing was seen to stand there.
// Preconditions: checked names below `directory`.
[[nodiscard]] Result<void> publish_by_link(int directory, const char* partial, const char* name);

}  // namespace wormhole::platform
