// For tests: what of a file stands in the system's cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "platform/file_system.h"

namespace wormhole::platform {

// Bytes in whole pages, of its beginning or of all of it.
[[nodiscard]] std::size_t cached_bytes(const File& file, std::size_t first_bytes = SIZE_MAX);
// The same of all of it, as the system tells it to programs; nullopt where it does not (Linux 6.5).
[[nodiscard]] std::optional<std::size_t> told_cached_bytes(const File& file);
// Of that, what nobody has begun to write to disk.
[[nodiscard]] std::optional<std::size_t> dirty_bytes(const File& file);
// Writes the file to disk and leaves nothing of it there.
void drop_cached(const File& file);
// That this thread's reads have made the system read; nullopt where it does not count that.
[[nodiscard]] std::optional<std::size_t> bytes_read_from_disks();
// This kernel and the file's system can write past the cache (Linux 6.14). Empties the file.
[[nodiscard]] bool can_write_uncached(const File& file);

}  // namespace wormhole::platform
