// Sizes and rates on the command line, as rsync and curl take them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wormhole::cli {

// "100", "1.5M", "2GB", "64KiB", in either case: K, M, G, T and those with "iB" are powers of 1024,
// those with "B" powers of 1000. A number alone counts `unit_bytes`. kUsage, naming `option`, for
// all else.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view option, std::string_view text,
                                               std::uint64_t unit_bytes);

}  // namespace wormhole::cli
