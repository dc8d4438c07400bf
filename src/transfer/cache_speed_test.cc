#include "transfer/cache_speed.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

using std::chrono::microseconds;

// As `blocks` of 256 KiB are written, each in that time.
void write(CacheSpeed& cache, int blocks, Duration each) {
  for (int i = 0; i < blocks; ++i) cache.on_written(kBlockBytes, each);
}

constexpr microseconds kFast{60};    // 4.4 GB/s
constexpr microseconds kSlow{1000};  // 0.26 GB/s
constexpr int kWindowBlocks = kCacheSpeedWindowBytes / kBlockBytes;

TEST(CacheSpeedTest, IsFastUntilAWindowWasSlow) {
  CacheSpeed cache;
  EXPECT_FALSE(cache.is_slow());
  write(cache, 10 * kWindowBlocks, kFast);
  EXPECT_FALSE(cache.is_slow());
  write(cache, kWindowBlocks - 1, kSlow);
  EXPECT_FALSE(cache.is_slow()) << "not enough to judge by";
  write(cache, 1, kSlow);
  EXPECT_TRUE(cache.is_slow());
}

TEST(CacheSpeedTest, StaysSlow) {
  CacheSpeed cache;
  write(cache, kWindowBlocks, kSlow);
  write(cache, 10 * kWindowBlocks, kFast);
  EXPECT_TRUE(cache.is_slow());
}

TEST(CacheSpeedTest, AThreadThatLostItsCoreOnceIsNoSlowCache) {
  CacheSpeed cache;
  for (int window = 0; window < 10; ++window) {
    write(cache, kWindowBlocks - 1, kFast);
    write(cache, 1, std::chrono::milliseconds(8));
  }
  EXPECT_FALSE(cache.is_slow());
}

TEST(CacheSpeedTest, WritesOfAnySizeAreCounted) {
  CacheSpeed cache;
  cache.on_written(kCacheSpeedWindowBytes + 1, std::chrono::milliseconds(1));
  EXPECT_FALSE(cache.is_slow());
  cache.on_written(0, std::chrono::seconds(1));
  EXPECT_FALSE(cache.is_slow());
  cache.on_written(kCacheSpeedWindowBytes, std::chrono::milliseconds(1));
  EXPECT_TRUE(cache.is_slow());
}

}  // namespace
}  // namespace wormhole::transfer
