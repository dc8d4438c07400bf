#include "transfer/rate_limit.h"

#include <gtest/gtest.h>

#include <chrono>

namespace wormhole::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint() + seconds(1000);

TEST(RateLimit, EachIsPaidForAfterThoseBefore) {
  RateLimit limit(1000);
  EXPECT_EQ(limit.take(500, kStart), kStart + milliseconds(500));
  EXPECT_EQ(limit.take(500, kStart), kStart + seconds(1)) << "another stream's";
  EXPECT_EQ(limit.take(1000, kStart + milliseconds(900)), kStart + seconds(2));
}

TEST(RateLimit, APauseSavesNothing) {
  RateLimit limit(1000);
  static_cast<void>(limit.take(1000, kStart));
  EXPECT_EQ(limit.take(1000, kStart + seconds(60)), kStart + seconds(61));
}

TEST(RateLimit, NoneCostsNothing) {
  RateLimit limit(UINT64_MAX);
  EXPECT_FALSE(limit.is_set());
  EXPECT_EQ(limit.take(UINT64_MAX, kStart), kStart);
}

}  // namespace
}  // namespace wormhole::transfer
