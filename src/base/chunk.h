// What names a piece of a file by its content: its length and the BLAKE3 hash of its bytes. Where
// pieces end: store/chunker.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace wormhole {

inline constexpr std::uint32_t kChunkMinBytes = 1 * kMiB;  // but for a file's last one
inline constexpr std::uint32_t kChunkMaxBytes = 8 * kMiB;
// Finer ones, of chunks that are new in part.
inline constexpr std::uint32_t kFineChunkMinBytes = 4 * kKiB;  // but for a range's last one
inline constexpr std::uint32_t kFineChunkMaxBytes = 64 * kKiB;
// So much of one file at most. At 20 KiB a fine chunk, 2 MB of names, and 3 MB to find them by.
inline constexpr std::uint64_t kRefinedMaxBytes = 1 * kGiB;

struct Chunk {
  std::uint32_t length = 0;
  std::array<std::byte, 32> hash{};

  friend bool operator==(const Chunk&, const Chunk&) = default;
};

}  // namespace wormhole
