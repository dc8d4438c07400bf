#include "platform/cache_as_found_linux.h"

#include <fcntl.h>

#include <algorithm>
#include <bit>

#include "platform/cached_pages_linux.h"
#include "platform/windows_linux.h"

namespace wormhole::platform {
namespace {

// What is decided of as one: a window, and in a file of 4 TiB and more so much that memory does not
// grow with it (a file of 8 EiB costs nothing where all of it is a hole).
constexpr std::uint64_t kUnitsMax = 1 << 19;

constexpr unsigned kUnitsTogether = 8;
constexpr std::uint16_t kIsLookedAt = 1U << kUnitsTogether;

std::uint64_t unit_bytes(std::uint64_t size_bytes) {
  return std::max(kWindowBytes, std::bit_ceil(size_bytes / kUnitsMax));
}

}  // namespace

CacheAsFound::CacheAsFound(int fd, std::uint64_t size_bytes)
    : fd_(fd),
      unit_bytes_(unit_bytes(size_bytes)),
      regions_(static_cast<std::size_t>(size_bytes / (kUnitsTogether * unit_bytes_) + 1)) {}

// In runs, as few calls as there are.
CacheAsFound::~CacheAsFound() {
  const std::uint64_t units = kUnitsTogether * regions_.size();
  for (std::uint64_t begin = 0; begin < units;) {
    std::uint64_t end = begin;
    while (end < units && is_to_go(end)) ++end;
    if (end > begin) give_up(begin * unit_bytes_, (end - begin) * unit_bytes_);
    begin = end + 1;
  }
}

// The next one as well: the system reads ahead, and what it has brought was not there before.
void CacheAsFound::before_read(std::uint64_t offset) {
  const std::uint64_t region = offset / (kUnitsTogether * unit_bytes_);
  for (const std::uint64_t near : {region, region + 1}) {
    if (near >= regions_.size()) return;
    if (regions_[near].load(std::memory_order_acquire) == 0) look_at(near);
  }
}

void CacheAsFound::look_at(std::size_t region) {
  std::scoped_lock lock(mutex_);
  if (regions_[region].load(std::memory_order_relaxed) != 0) return;
  std::uint16_t found = kIsLookedAt;
  for (unsigned i = 0; i < kUnitsTogether; ++i) {
    const auto pages = cached_pages(fd_, (kUnitsTogether * region + i) * unit_bytes_, unit_bytes_);
    if (pages.has_value() && pages->cached_bytes > unit_bytes_ / 2) found |= 1U << i;
  }
  regions_[region].store(found, std::memory_order_release);
}

bool CacheAsFound::is_to_go(std::uint64_t unit) const {
  const std::uint64_t region = unit / kUnitsTogether;
  if (region >= regions_.size()) return false;  // the file has grown: never looked at
  const std::uint16_t found = regions_[region].load(std::memory_order_acquire);
  return found != 0 && (found >> unit % kUnitsTogether & 1U) == 0;
}

void CacheAsFound::give_up(std::uint64_t offset, std::uint64_t length) const {
  ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
}

void CacheAsFound::after_read(std::uint64_t offset, std::uint64_t end) {
  const auto window = window_behind(offset, end);
  if (window.has_value() && is_to_go(*window / unit_bytes_)) give_up(*window, kWindowBytes);
}

}  // namespace wormhole::platform
