// Where a chunk ends: the two rules, and the gear hash they look at (Xia et al., FastCDC, USENIX
// ATC 2016). Part of the protocol and of the index: docs/formats/chunks.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/chunk.h"

namespace wormhole::store {

// What the gear hash sees: older bytes have been shifted out.
inline constexpr std::size_t kWindowBytes = 64;

// One of the two below.
struct CutRule {
  std::uint64_t min_bytes;
  std::uint64_t max_bytes;
  std::uint64_t mask;         // a chunk ends where these, the top bits of the gear hash, are zero
  std::size_t stretch_bytes;  // so much is scanned at once: no part of the rule
};
// The top 20 bits: one position in a MiB, and each depends on 45 bytes at least.
inline constexpr CutRule kChunkRule = {kChunkMinBytes, kChunkMaxBytes, 0xFFFF'F000'0000'0000,
                                       54'144};
// The top 14 bits: 20 KiB on average.
inline constexpr CutRule kFineChunkRule = {kFineChunkMinBytes, kFineChunkMaxBytes,
                                           0xFFFC'0000'0000'0000, 8'064};

constexpr bool is_usable(const CutRule& rule) {
  const bool is_of_top_bits = rule.mask != 0 && (~rule.mask & (~rule.mask + 1)) == 0;
  return is_of_top_bits && rule.min_bytes > kWindowBytes && rule.min_bytes < rule.max_bytes;
}
static_assert(is_usable(kChunkRule) && is_usable(kFineChunkRule));

// 256 numbers of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), from 0 on.
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0;
  for (std::uint64_t& number : gear) {
    state += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    number = z ^ (z >> 31);
  }
  return gear;
}
inline constexpr std::array<std::uint64_t, 256> kGear = make_gear();

inline std::uint64_t roll(std::uint64_t gear, std::byte next) {
  return (gear << 1) + kGear[std::to_integer<std::size_t>(next)];
}

}  // namespace wormhole::store
