// What of a file stands in the system's page cache. Internal to platform.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

namespace wormhole::platform {

struct CachedPages {
  std::uint64_t cached_bytes = 0;  // in whole pages
  std::uint64_t dirty_bytes = 0;   // of these, what nobody has begun to write to disk
};

// cachestat(2), which Debian 12's headers do not name yet. nullopt where the kernel does not say:
// before Linux 6.5, or of a file that this process might not write to.
[[nodiscard]] inline std::optional<CachedPages> cached_pages(int fd, std::uint64_t offset,
                                                             std::uint64_t length) {
  constexpr long kCachestat = 451;
  struct Range {
    std::uint64_t offset, length;
  } const range{offset, length};
  struct Pages {
    std::uint64_t cached, dirty, in_write_back, evicted, recently_evicted;
  } pages{};
  if (::syscall(kCachestat, fd, &range, &pages, 0) != 0) return std::nullopt;
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return CachedPages{.cached_bytes = pages.cached * page_bytes,
                     .dirty_bytes = pages.dirty * page_bytes};
}

}  // namespace wormhole::platform
