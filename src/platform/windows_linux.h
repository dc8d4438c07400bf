// The windows of a file in which the page cache is told what is behind. Internal to platform.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"

namespace wormhole::platform {

// What is behind is written back, or given up, so much at a time: few calls, long runs.
inline constexpr std::uint64_t kWindowBytes = 8 * kMiB;

// The whole window before the one in which `end` lies, if the range began in that one.
[[nodiscard]] constexpr std::optional<std::uint64_t> window_behind(std::uint64_t offset,
                                                                   std::uint64_t end) {
  if (end / kWindowBytes == offset / kWindowBytes) return std::nullopt;
  return (end / kWindowBytes - 1) * kWindowBytes;
}

}  // namespace wormhole::platform
