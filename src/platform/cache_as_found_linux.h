// What of a long file stood in the page cache before it was read here, so that reading leaves it
// so: what did not is given up again behind the reader, a window at a time. Internal to platform.
//
// At the end of use all is given up that was read ahead in vain, or belongs to windows that no
// reader passed through to their end; what the disk is still bringing then stays (at most what the
// system reads ahead at once: closing a file waits for no disk). Not by RWF_DONTCACHE, which gives
// up a page with the first read that touches it: of a large one the rest is then read from the disk
// again (docs/measurements.md).
//
// Several threads, each of which reads on from a place of its own. Where the system does not say
// what is there (before Linux 6.5; of a file that this process might not write to; on overlayfs it
// says nothing is), nothing was.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace wormhole::platform {

class CacheAsFound {
 public:
  // `fd`: of the file, for as long as this is used.
  CacheAsFound(int fd, std::uint64_t size_bytes);
  ~CacheAsFound();
  CacheAsFound(const CacheAsFound&) = delete;
  CacheAsFound& operator=(const CacheAsFound&) = delete;

  // Before anything is read from `offset` on.
  void before_read(std::uint64_t offset);
  // After [offset, end) was read: the last whole window before `end` is given up.
  void after_read(std::uint64_t offset, std::uint64_t end);

 private:
  void look_at(std::size_t region);
  // Of the unit with this number: it was looked at, and most of it was not there.
  [[nodiscard]] bool is_to_go(std::uint64_t unit) const;
  void give_up(std::uint64_t offset, std::uint64_t length) const;

  const int fd_;
  const std::uint64_t unit_bytes_;
  std::mutex mutex_;  // looking
  // So many units each: which of them were there, once it was looked.
  std::vector<std::atomic<std::uint16_t>> regions_;
};

}  // namespace wormhole::platform
