#include "transfer/stream_paces.h"

#include <gtest/gtest.h>

namespace wormhole::transfer {
namespace {

constexpr double kMegabyte = 1e6;

TEST(StreamPaces, NoStreamIsTooLateWhileThereIsMuchToSend) {
  StreamPaces paces;
  paces.report(1, {12 * kMegabyte, 1'000'000});
  paces.report(2, {0.1 * kMegabyte, 100'000});
  EXPECT_FALSE(paces.comes_too_late(2, 100'000'000));
}

TEST(StreamPaces, TheSlowStreamLeavesTheEndToTheOthers) {
  StreamPaces paces;
  paces.report(1, {12 * kMegabyte, 1'000'000});
  paces.report(2, {0.1 * kMegabyte, 100'000});  // a second's worth
  EXPECT_TRUE(paces.comes_too_late(2, 2'000'000));
  EXPECT_FALSE(paces.comes_too_late(1, 2'000'000));
}

TEST(StreamPaces, ItMayTakeMoreOnceItsBacklogHasLeft) {
  StreamPaces paces;
  paces.report(1, {12 * kMegabyte, 1'000'000});
  paces.report(2, {0.1 * kMegabyte, 0});
  EXPECT_FALSE(paces.comes_too_late(2, 0));
}

TEST(StreamPaces, EqualsShareTheEnd) {
  StreamPaces paces;
  for (unsigned stream = 0; stream < 6; ++stream) paces.report(stream, {2 * kMegabyte, 200'000});
  for (unsigned stream = 0; stream < 6; ++stream) {
    EXPECT_FALSE(paces.comes_too_late(stream, 1)) << stream;
  }
}

TEST(StreamPaces, WhoIsAloneIsNeverTooLate) {
  StreamPaces paces;
  paces.report(3, {kMegabyte, 1'000'000});
  EXPECT_FALSE(paces.comes_too_late(3, 0));
  paces.report(1, {100 * kMegabyte, 0});
  EXPECT_TRUE(paces.comes_too_late(3, 1'000'000));
  paces.forget(1);
  EXPECT_FALSE(paces.comes_too_late(3, 1'000'000));
}

TEST(StreamPaces, NothingIsSaidOfAStreamWhosePaceIsNotKnown) {
  StreamPaces paces;
  paces.report(1, {100 * kMegabyte, 0});
  paces.report(2, {0, 500'000});
  EXPECT_FALSE(paces.comes_too_late(2, 0));
}

}  // namespace
}  // namespace wormhole::transfer
