#include "transfer/cache_speed.h"

#include <chrono>

namespace wormhole::transfer {

void CacheSpeed::on_written(std::size_t bytes, Duration took) {
  std::scoped_lock lock(mutex_);
  bytes_ += bytes;
  took_ += took;
  if (bytes_ < kCacheSpeedWindowBytes) return;
  const std::chrono::duration<double> seconds = took_;
  if (static_cast<double>(bytes_) < kCacheSlowBytesPerSecond * seconds.count()) is_slow_ = true;
  bytes_ = 0;
  took_ = Duration{0};
}

bool CacheSpeed::is_slow() const {
  std::scoped_lock lock(mutex_);
  return is_slow_;
}

}  // namespace wormhole::transfer
