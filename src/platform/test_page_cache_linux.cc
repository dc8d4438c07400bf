#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "platform/test_page_cache.h"

namespace wormhole::platform {
namespace {

// RWF_DONTCACHE, which Debian 12's headers do not name yet.
constexpr int kDontCache = 0x80;
// cachestat(2), likewise.
constexpr long kCachestat = 451;
struct CachestatRange {
  std::uint64_t offset, length;
};
struct Cachestat {
  std::uint64_t cached, dirty, in_write_back, evicted, recently_evicted;
};

}  // namespace

std::size_t cached_bytes(const File& file) {
  const std::size_t size = file.status()->size_bytes;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  WH_CHECK(mapped != MAP_FAILED);
  WH_CHECK(::mincore(mapped, size, pages.data()) == 0);
  ::munmap(mapped, size);
  const auto there = [](unsigned char one) { return (one & 1) != 0; };
  return page * static_cast<std::size_t>(std::ranges::count_if(pages, there));
}

std::optional<std::size_t> dirty_bytes(const File& file) {
  CachestatRange whole{.offset = 0, .length = 0};
  Cachestat pages{};
  if (::syscall(kCachestat, file.descriptor(), &whole, &pages, 0) != 0) return std::nullopt;
  return pages.dirty * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void drop_cached(const File& file) {
  WH_CHECK(file.sync().has_value());
  WH_CHECK(::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED) == 0);
}

bool can_write_uncached(const File& file) {
  char byte = 'u';
  const iovec part{.iov_base = &byte, .iov_len = 1};
  const bool can = ::pwritev2(file.descriptor(), &part, 1, 0, kDontCache) == 1;
  WH_CHECK(file.truncate(0).has_value());
  return can;
}

}  // namespace wormhole::platform
