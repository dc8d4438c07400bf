#include "transfer/refinement.h"

#include <gtest/gtest.h>

namespace wormhole::transfer {
namespace {

using Ranges = std::vector<RangeSet::Range>;

// Chunks of 1 MiB, by their numbers.
RangeSet::Range chunk(std::uint64_t number) { return {number * kMiB, kMiB}; }
RangeSet::Range chunks(std::uint64_t number, std::uint64_t count) {
  return {number * kMiB, count * kMiB};
}

TEST(RunEnds, AShortRunIsAllEnds) {
  RunEnds ends;
  Ranges inside;
  for (const std::uint64_t number : {1U, 5U, 6U, 10U, 11U, 12U, 13U})
    ends.add(chunk(number), inside);
  EXPECT_EQ(ends.chunks(), 7U);
  EXPECT_EQ(ends.take_all(), (Ranges{chunk(1), chunks(5, 2), chunks(10, 4)}));
  EXPECT_TRUE(inside.empty());
}

TEST(RunEnds, OfALongRunTheInsideIsKnownAtOnce) {
  RunEnds ends;
  Ranges inside;
  for (std::uint64_t number = 3; number < 8; ++number) ends.add(chunk(number), inside);
  EXPECT_EQ(inside, (Ranges{chunk(5)}));
  ends.add(chunk(8), inside);
  ends.add(chunk(20), inside);
  EXPECT_EQ(inside, (Ranges{chunks(5, 2)}));
  EXPECT_EQ(ends.chunks(), 5U);
  EXPECT_EQ(ends.bytes(), 5 * kMiB);
  EXPECT_EQ(ends.take_all(), (Ranges{chunks(3, 2), chunks(7, 2), chunk(20)}));
}

TEST(RunEnds, WhatIsLookedAtIsBounded) {
  RunEnds ends;
  Ranges inside;
  for (std::uint64_t number = 0; number < 2 * kRefinedChunksMax; ++number) {
    ends.add(chunk(2 * number), inside);
  }
  EXPECT_EQ(ends.bytes(), kRefinedMaxBytes);
  EXPECT_EQ(ends.take_all().size(), kRefinedChunksMax);
  EXPECT_EQ(inside.size(), kRefinedChunksMax);
}

}  // namespace
}  // namespace wormhole::transfer
