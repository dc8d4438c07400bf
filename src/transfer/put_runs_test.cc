#include "transfer/put_runs.h"

#include <gtest/gtest.h>

namespace wormhole::transfer {
namespace {

TEST(PutRuns, WhatWasShownIsOfOneRunAndRememberedForAWhile) {
  PutRuns runs;
  runs.begin_shown(7)->add("place", "gone");
  EXPECT_TRUE(runs.shown(7)->contains("place", "gone"));
  EXPECT_FALSE(runs.shown(7)->contains("place", "here"));
  EXPECT_FALSE(runs.shown(7)->contains("another", "gone"));
  // Another item of the same command.
  runs.begin_shown(7)->add("another", "gone");
  EXPECT_TRUE(runs.shown(7)->contains("place", "gone"));
  // To ask for what nobody planned takes no other's place.
  for (std::uint64_t run = 100; run < 200; ++run) {
    EXPECT_FALSE(runs.shown(run)->contains("place", "gone"));
  }
  for (std::size_t run = 1; run < kShownRunsMax; ++run) runs.begin_shown(10 + run)->add("p", "x");
  EXPECT_TRUE(runs.shown(7)->contains("place", "gone"));
  runs.begin_shown(20)->add("p", "x");
  EXPECT_FALSE(runs.shown(7)->contains("place", "gone"));
}

// Any number of them go on at once.
TEST(PutRuns, RunZeroIsAlwaysAnotherOne) {
  PutRuns runs;
  const auto one = runs.begin_shown(0);
  one->add("place", "gone");
  EXPECT_NE(runs.begin_shown(0), one);
  EXPECT_FALSE(runs.shown(0)->contains("place", "gone"));
}

TEST(ShownDeletions, AreBounded) {
  ShownDeletions shown;
  for (std::size_t i = 0; i <= kShownDeletionsMax; ++i) shown.add("", std::to_string(i));
  EXPECT_TRUE(shown.contains("", "0"));
  EXPECT_FALSE(shown.contains("", std::to_string(kShownDeletionsMax)));
}

}  // namespace
}  // namespace wormhole::transfer
