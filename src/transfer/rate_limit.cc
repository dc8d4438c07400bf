#include "transfer/rate_limit.h"

#include <algorithm>
#include <chrono>

namespace wormhole::transfer {

TimePoint RateLimit::take(std::uint64_t bytes, TimePoint now) {
  if (!is_set()) return now;
  using Seconds = std::chrono::duration<double>;
  const Seconds cost(static_cast<double>(bytes) / static_cast<double>(rate_));
  std::scoped_lock lock(mutex_);
  paid_ = std::max(paid_, now) + std::chrono::duration_cast<Duration>(cost);
  return paid_;
}

}  // namespace wormhole::transfer
