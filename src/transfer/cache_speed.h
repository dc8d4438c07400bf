// Whether the system's cache takes what is written at the speed of memory. Any thread.
//
// Of memory that is free and at hand it takes 5 to 8 GB/s from one thread. Memory that a virtual
// machine's host has to give back first costs thirty times as much (0.25 GB/s,
// docs/measurements.md): then it is faster to write past the cache, which uses the same few
// megabytes again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "base/units.h"

namespace wormhole::transfer {

// Judged by so much at a time: what a thread that lost its core took longer is lost in it.
inline constexpr std::size_t kCacheSpeedWindowBytes = 8 * kMiB;
// Shorter files are written through it all the same: past it, each of their writes would be a trip
// to the disk of its own.
inline constexpr std::uint64_t kPastCacheMinBytes = 2 * kMiB;
inline constexpr double kCacheSlowBytesPerSecond = 0.7e9;

class CacheSpeed {
 public:
  // So many bytes were written through the cache by one thread, in that time.
  void on_written(std::size_t bytes, Duration took);
  // It was slow once, and is not asked again.
  [[nodiscard]] bool is_slow() const;

 private:
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  Duration took_{0};
  bool is_slow_ = false;
};

}  // namespace wormhole::transfer
