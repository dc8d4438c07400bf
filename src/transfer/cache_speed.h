// Whether the system's cache takes what is written at the speed of memory. Any thread.
//
// Of memory that is free and at hand it takes 5 to 8 GB/s from one thread. Memory that a virtual
// machine's host has to give back first costs thirty times as much (0.25 GB/s,
// docs/measurements.md): then it is faster to write past the cache, which uses the same few
// megabytes again and again. That holds for each write: a disk that is waited for, a core that was
// lost or a file that others write just then makes some of them slow, not nearly all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "base/units.h"

namespace wormhole::transfer {

// Shorter files are written through it all the same: past it, each of their writes would be a trip
// to the disk of its own.
inline constexpr std::uint64_t kPastCacheMinBytes = 2 * kMiB;
// A write is slow below this: between the two speeds above, with room for four streams that wait
// for each other.
inline constexpr double kSlowWriteBytesPerSecond = 0.5e9;
// The cache is slow when of so much the larger part by far was.
inline constexpr std::size_t kCacheSpeedWindowBytes = 16 * kMiB;
inline constexpr double kSlowShare = 0.75;

class CacheSpeed {
 public:
  explicit CacheSpeed(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] TimePoint now() const { return clock_.now(); }
  // So many bytes were written through the cache since then.
  void on_written(std::size_t bytes, TimePoint since);
  // It was slow once, and is not asked again.
  [[nodiscard]] bool is_slow() const { return is_slow_; }

 private:
  const Clock& clock_;
  std::atomic<bool> is_slow_ = false;
  std::mutex mutex_;  // guards what follows
  std::size_t bytes_ = 0;
  std::size_t slow_bytes_ = 0;  // of them
};

}  // namespace wormhole::transfer
