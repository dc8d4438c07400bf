// For tests: what of a file stands in the system's cache.
#pragma once

#include <cstddef>
#include <optional>

#include "platform/file_system.h"

namespace wormhole::platform {

// Bytes in whole pages.
[[nodiscard]] std::size_t cached_bytes(const File& file);
// Of that, what nobody has begun to write to disk; nullopt where the kernel does not say
// (Linux 6.5).
[[nodiscard]] std::optional<std::size_t> dirty_bytes(const File& file);
// Writes the file to disk and leaves nothing of it there.
void drop_cached(const File& file);
// This kernel and the file's system can write past the cache (Linux 6.14). Empties the file.
[[nodiscard]] bool can_write_uncached(const File& file);

}  // namespace wormhole::platform
