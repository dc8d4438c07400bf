#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "platform/cached_pages_linux.h"
#include "platform/test_page_cache.h"

namespace wormhole::platform {
namespace {

// RWF_DONTCACHE, which Debian 12's headers do not name yet.
constexpr int kDontCache = 0x80;

}  // namespace

std::size_t cached_bytes(const File& file, std::size_t first_bytes) {
  const std::size_t size = std::min<std::size_t>(first_bytes, file.status()->size_bytes);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  WH_CHECK(mapped != MAP_FAILED);
  WH_CHECK(::mincore(mapped, size, pages.data()) == 0);
  ::munmap(mapped, size);
  const auto there = [](unsigned char one) { return (one & 1) != 0; };
  return page * static_cast<std::size_t>(std::ranges::count_if(pages, there));
}

std::optional<std::size_t> told_cached_bytes(const File& file) {
  const auto pages = cached_pages(file.descriptor(), 0, 0);
  if (!pages.has_value()) return std::nullopt;
  return static_cast<std::size_t>(pages->cached_bytes);
}

std::optional<std::size_t> dirty_bytes(const File& file) {
  const auto pages = cached_pages(file.descriptor(), 0, 0);
  if (!pages.has_value()) return std::nullopt;
  return static_cast<std::size_t>(pages->dirty_bytes);
}

void drop_cached(const File& file) {
  WH_CHECK(file.sync().has_value());
  WH_CHECK(::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED) == 0);
}

std::optional<std::size_t> bytes_read_from_disks() {
  std::ifstream counters("/proc/thread-self/io");
  std::string name;
  for (std::size_t value = 0; counters >> name >> value;) {
    if (name == "read_bytes:") return value;
  }
  return std::nullopt;
}

bool can_write_uncached(const File& file) {
  char byte = 'u';
  const iovec part{.iov_base = &byte, .iov_len = 1};
  const bool can = ::pwritev2(file.descriptor(), &part, 1, 0, kDontCache) == 1;
  WH_CHECK(file.truncate(0).has_value());
  return can;
}

}  // namespace wormhole::platform
