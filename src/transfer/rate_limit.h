// How fast data may come: so many bytes a second over all streams, however it arrives.
//
// Sans-I/O: whoever took something hears how long to wait before taking more. Thread-safe.
// A token bucket that holds nothing (RFC 2475, section 2.3.3.2): what was not used is lost, so that
// no pause is followed by more than what the kernel's buffers hold.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace wormhole::transfer {

class RateLimit {
 public:
  // UINT64_MAX: none.
  explicit RateLimit(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  [[nodiscard]] bool is_set() const { return rate_ != UINT64_MAX; }
  // When `bytes`, taken at `now`, are paid for.
  [[nodiscard]] TimePoint take(std::uint64_t bytes, TimePoint now);

 private:
  const std::uint64_t rate_;
  std::mutex mutex_;
  TimePoint paid_{};
};

}  // namespace wormhole::transfer
