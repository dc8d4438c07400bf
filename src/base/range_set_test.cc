#include "base/range_set.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/limits.h"

namespace wormhole {
namespace {

using Added = RangeSet::Added;

TEST(RangeSet, MergesWithBothNeighbours) {
  RangeSet set(10);
  EXPECT_EQ(set.add(0, 10), Added::kOk);
  EXPECT_EQ(set.add(20, 10), Added::kOk);
  EXPECT_EQ(set.ranges(), 2u);
  EXPECT_FALSE(set.contains(0, 30));
  EXPECT_EQ(set.add(10, 10), Added::kOk);
  EXPECT_EQ(set.ranges(), 1u);
  EXPECT_TRUE(set.contains(0, 30));
  EXPECT_EQ(set.total_bytes(), 30u);
}

TEST(RangeSet, TellsWhatIsThereAndWhatIsMissing) {
  using Ranges = std::vector<RangeSet::Range>;
  RangeSet set(10);
  EXPECT_EQ(set.all(), Ranges{});
  EXPECT_EQ(set.missing(0, 10), (Ranges{{0, 10}}));
  EXPECT_EQ(set.missing(0, 0), Ranges{});
  ASSERT_EQ(set.add(5, 5), Added::kOk);
  ASSERT_EQ(set.add(20, 10), Added::kOk);
  EXPECT_EQ(set.all(), (Ranges{{5, 5}, {20, 10}}));
  EXPECT_EQ(set.missing(0, 40), (Ranges{{0, 5}, {10, 10}, {30, 10}}));
  EXPECT_EQ(set.missing(0, 30), (Ranges{{0, 5}, {10, 10}}));
  EXPECT_EQ(set.missing(0, 25), (Ranges{{0, 5}, {10, 10}}));
  EXPECT_EQ(set.missing(0, 15), (Ranges{{0, 5}, {10, 5}}));
  EXPECT_EQ(set.missing(5, 40), (Ranges{{10, 10}, {30, 10}}));
  EXPECT_EQ(set.missing(7, 40), (Ranges{{10, 10}, {30, 10}}));
  EXPECT_EQ(set.missing(12, 18), (Ranges{{12, 6}}));
  EXPECT_EQ(set.missing(22, 28), Ranges{});
  EXPECT_EQ(set.missing(50, 60), (Ranges{{50, 10}}));
}

TEST(RangeSet, KeepsItsLongestRanges) {
  RangeSet set(10);
  for (const std::uint64_t length : {3U, 9U, 1U, 7U}) {
    ASSERT_EQ(set.add(length * 100, length), Added::kOk);
  }
  set.keep_longest(5);
  EXPECT_EQ(set.ranges(), 4U);
  set.keep_longest(2);
  EXPECT_EQ(set.all(), (std::vector<RangeSet::Range>{{700, 7}, {900, 9}}));
  EXPECT_EQ(set.total_bytes(), 16U);
}

TEST(RangeSet, RefusesOverlapAndStaysAsItWas) {
  RangeSet set(10);
  ASSERT_EQ(set.add(100, 100), Added::kOk);
  for (const auto& [offset, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {100, 100}, {99, 2}, {199, 1}, {150, 10}, {0, 1000}, {100, 1}, {50, 51}}) {
    EXPECT_EQ(set.add(offset, length), Added::kOverlaps) << offset << " " << length;
  }
  EXPECT_EQ(set.total_bytes(), 100u);
  EXPECT_EQ(set.ranges(), 1u);
}

TEST(RangeSet, RefusesMoreRangesThanItsMaximumButStillMerges) {
  RangeSet set(2);
  ASSERT_EQ(set.add(0, 1), Added::kOk);
  ASSERT_EQ(set.add(10, 1), Added::kOk);
  EXPECT_EQ(set.add(20, 1), Added::kTooMany);
  EXPECT_EQ(set.total_bytes(), 2u);
  EXPECT_EQ(set.add(11, 1), Added::kOk);
  EXPECT_EQ(set.add(9, 1), Added::kOk);
  EXPECT_EQ(set.add(1, 8), Added::kOk);
  EXPECT_EQ(set.ranges(), 1u);
}

TEST(RangeSet, NothingIsAlwaysIn) {
  RangeSet set(1);
  EXPECT_EQ(set.add(5, 0), Added::kOk);
  EXPECT_EQ(set.ranges(), 0u);
  EXPECT_TRUE(set.contains(5, 0));
  EXPECT_FALSE(set.contains(5, 1));
  set.remove(5, 0);
  EXPECT_EQ(set.total_bytes(), 0u);
}

TEST(RangeSet, TakesTheLargestFile) {
  RangeSet set(1);
  EXPECT_EQ(set.add(0, kFileMaxBytes), Added::kOk);
  EXPECT_TRUE(set.contains(kFileMaxBytes - 1, 1));
  EXPECT_FALSE(set.contains(kFileMaxBytes, 1));
}

TEST(RangeSetDeathTest, BugsOfOursStop) {
  RangeSet set(1);
  ASSERT_EQ(set.add(0, 10), Added::kOk);
  EXPECT_DEATH(set.remove(5, 10), "contains");
  EXPECT_DEATH((void)set.add(UINT64_MAX, 1), "offset");
}

// The obvious implementation: one flag a byte.
class NaiveSet {
 public:
  explicit NaiveSet(std::size_t bytes) : in_(bytes) {}

  [[nodiscard]] bool any(std::size_t offset, std::size_t length) const {
    for (std::size_t at = offset; at < offset + length; ++at) {
      if (in_[at]) return true;
    }
    return false;
  }
  [[nodiscard]] bool all(std::size_t offset, std::size_t length) const {
    for (std::size_t at = offset; at < offset + length; ++at) {
      if (!in_[at]) return false;
    }
    return true;
  }
  void set(std::size_t offset, std::size_t length, bool in) {
    for (std::size_t at = offset; at < offset + length; ++at) in_[at] = in;
  }
  [[nodiscard]] std::size_t total() const {
    std::size_t count = 0;
    for (const bool in : in_) count += in;
    return count;
  }
  [[nodiscard]] std::size_t ranges() const {
    std::size_t count = 0;
    for (std::size_t at = 0; at < in_.size(); ++at) count += in_[at] && (at == 0 || !in_[at - 1]);
    return count;
  }

 private:
  std::vector<bool> in_;
};

TEST(RangeSet, EqualsANaiveBitmap) {
  constexpr std::uint32_t kSeed = 77;
  constexpr std::size_t kBytes = 64;
  constexpr std::size_t kRangesMax = 6;
  std::mt19937 random(kSeed);
  int refused = 0;
  for (int run = 0; run < 200; ++run) {
    RangeSet set(kRangesMax);
    NaiveSet naive(kBytes);
    for (int step = 0; step < 200; ++step) {
      SCOPED_TRACE(testing::Message() << "seed " << kSeed << " run " << run << " step " << step);
      const std::size_t offset = random() % kBytes;
      const std::size_t length = random() % std::min<std::size_t>(kBytes - offset + 1, 12);
      ASSERT_EQ(set.contains(offset, length), naive.all(offset, length));
      if (random() % 3 == 0) {
        // Only a removal that does not split past the maximum, as a caller would.
        if (!naive.all(offset, length) || set.ranges() >= kRangesMax) continue;
        set.remove(offset, length);
        naive.set(offset, length, false);
      } else if (naive.any(offset, length)) {
        ASSERT_EQ(set.add(offset, length), Added::kOverlaps);
      } else {
        NaiveSet after = naive;
        after.set(offset, length, true);
        const bool fits = after.ranges() <= std::max(kRangesMax, naive.ranges());
        ASSERT_EQ(set.add(offset, length), fits ? Added::kOk : Added::kTooMany);
        refused += !fits;
        if (fits) naive = after;
      }
      ASSERT_EQ(set.total_bytes(), naive.total());
      ASSERT_EQ(set.ranges(), naive.ranges());
    }
  }
  EXPECT_GT(refused, 0);  // the case was reached
}

}  // namespace
}  // namespace wormhole
