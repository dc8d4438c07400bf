#include "transfer/cache_speed.h"

#include <gtest/gtest.h>

#include "base/clock_testing.h"
#include "base/limits.h"

namespace wormhole::transfer {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kFast{60};    // a block of 256 KiB: 4.4 GB/s
constexpr microseconds kSlow{1000};  // 0.26 GB/s
constexpr int kWindowBlocks = kCacheSpeedWindowBytes / kBlockBytes;

class CacheSpeedTest : public ::testing::Test {
 protected:
  void write(std::size_t bytes, Duration took) {
    const TimePoint since = cache_.now();
    clock_.advance(took);
    cache_.on_written(bytes, since);
  }
  void write_blocks(int blocks, Duration each) {
    for (int i = 0; i < blocks; ++i) write(kBlockBytes, each);
  }

  wormhole::testing::FakeClock clock_;
  CacheSpeed cache_{clock_};
};

TEST_F(CacheSpeedTest, IsFastUntilAWindowWasSlow) {
  EXPECT_FALSE(cache_.is_slow());
  write_blocks(10 * kWindowBlocks, kFast);
  EXPECT_FALSE(cache_.is_slow());
  write_blocks(kWindowBlocks - 1, kSlow);
  EXPECT_FALSE(cache_.is_slow()) << "not enough to judge by";
  write_blocks(1, kSlow);
  EXPECT_TRUE(cache_.is_slow());
}

TEST_F(CacheSpeedTest, StaysSlow) {
  write_blocks(kWindowBlocks, kSlow);
  write_blocks(10 * kWindowBlocks, kFast);
  EXPECT_TRUE(cache_.is_slow());
}

// A disk that is waited for, a core that was lost: however long.
TEST_F(CacheSpeedTest, StandstillsAreNoSlowCache) {
  for (int window = 0; window < 10; ++window) {
    write_blocks(kWindowBlocks / 2, kFast);
    write_blocks(kWindowBlocks / 2, milliseconds(200));
  }
  EXPECT_FALSE(cache_.is_slow());
}

// Of four that write one file each waits for the three others.
TEST_F(CacheSpeedTest, WritersThatWaitForEachOtherAreNoSlowCache) {
  write_blocks(10 * kWindowBlocks, 4 * microseconds(115));  // 2.3 GB/s together
  EXPECT_FALSE(cache_.is_slow());
}

TEST_F(CacheSpeedTest, WritesOfAnySizeAreCounted) {
  write(kCacheSpeedWindowBytes + 1, milliseconds(1));
  EXPECT_FALSE(cache_.is_slow());
  write(0, std::chrono::seconds(1));
  write(1, std::chrono::seconds(1));
  EXPECT_FALSE(cache_.is_slow());
  write(kCacheSpeedWindowBytes, std::chrono::seconds(1));
  EXPECT_TRUE(cache_.is_slow());
}

}  // namespace
}  // namespace wormhole::transfer
