// What of a long file stood in the page cache before it was read here, so that reading leaves it
// so: what did not is given up again behind the reader, a window at a time. Internal to platform.
//
// Not by RWF_DONTCACHE, which gives up a page with the first read that touches it: of a large one
// the rest is then read from the disk again (docs/measurements.md).
//
// Several threads, each of which reads on from a place of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace wormhole::platform {

class CacheAsFound {
 public:
  // `fd`: of the file, for as long as this is used.
  CacheAsFound(int fd, std::uint64_t size_bytes);

  // Before anything is read from `offset` on.
  void before_read(std::uint64_t offset);
  // After [offset, end) was read.
  void after_read(std::uint64_t offset, std::uint64_t end);

 private:
  void look_at(std::size_t region);
  // Most of the unit in which this lies.
  [[nodiscard]] bool was_there(std::uint64_t offset) const;

  const int fd_;
  const std::uint64_t unit_bytes_;
  std::mutex mutex_;  // looking
  // So many units each: which of them were there, once it was looked.
  std::vector<std::atomic<std::uint16_t>> regions_;
};

}  // namespace wormhole::platform
