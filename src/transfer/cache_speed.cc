#include "transfer/cache_speed.h"

#include <chrono>

namespace wormhole::transfer {

void CacheSpeed::on_written(std::size_t bytes, TimePoint since) {
  const std::chrono::duration<double> took = clock_.now() - since;
  const bool is_slow = static_cast<double>(bytes) < kSlowWriteBytesPerSecond * took.count();
  std::scoped_lock lock(mutex_);
  bytes_ += bytes;
  if (is_slow) slow_bytes_ += bytes;
  if (bytes_ < kCacheSpeedWindowBytes) return;
  if (static_cast<double>(slow_bytes_) >= kSlowShare * static_cast<double>(bytes_)) is_slow_ = true;
  bytes_ = slow_bytes_ = 0;
}

}  // namespace wormhole::transfer
