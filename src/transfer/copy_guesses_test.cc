#include "transfer/copy_guesses.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

platform::FileStatus of(std::uint64_t size, std::int64_t seconds = 5,
                        std::uint32_t nanoseconds = 6) {
  return {.type = platform::FileType::kRegular,
          .size_bytes = size,
          .accessed = {},
          .modified = {seconds, nanoseconds},
          .changed = {}};
}
constexpr std::uint64_t kSize = kReusableMinBytes;

TEST(CopyGuesses, AFileOfTheSameSizeMayBeACopyOfTheFirst) {
  CopyGuesses guesses;
  EXPECT_EQ(guesses.guess(1, of(kSize), "a"), 0U);
  EXPECT_EQ(guesses.guess(2, of(kSize + 1), "a"), 0U);
  EXPECT_EQ(guesses.guess(3, of(kSize, 7), "b"), 1U);
  EXPECT_EQ(guesses.guess(4, of(kSize, 8), "c"), 1U) << "of the first, not of another copy";
  EXPECT_EQ(guesses.guess(5, of(kSize + 1, 9), "d"), 2U);
}

TEST(CopyGuesses, ShortFilesComeAsTheyAre) {
  CopyGuesses guesses;
  EXPECT_EQ(guesses.guess(1, of(kSize - 1), "a"), 0U);
  EXPECT_EQ(guesses.guess(2, of(kSize - 1), "a"), 0U);
}

// The pictures of a film: one size, and all different.
TEST(CopyGuesses, StopsWhereItDoesNotPay) {
  CopyGuesses guesses;
  std::size_t made = 0;
  for (std::uint64_t id = 1; id < 1000; ++id) {
    if (guesses.guess(id, of(kSize, static_cast<std::int64_t>(id)), std::to_string(id)) == 0) {
      continue;
    }
    ++made;
    if (made % 2 == 0) guesses.on_answer(id, false);
  }
  EXPECT_EQ(made, kWeakGuessesMax);
}

TEST(CopyGuesses, GoesOnWhereItDoes) {
  CopyGuesses guesses;
  EXPECT_EQ(guesses.guess(1, of(kSize), "a"), 0U);
  for (std::uint64_t id = 2; id < 1000; ++id) {
    EXPECT_EQ(guesses.guess(id, of(kSize, static_cast<std::int64_t>(id)), "b"), 1U);
    guesses.on_answer(id, id % 2 == 0);
  }
}

TEST(CopyGuesses, ManyThatShareNameOrTimeMayWaitForAnAnswer) {
  for (const bool shares_name : {true, false}) {
    CopyGuesses guesses;
    std::size_t made = 0;
    for (std::uint64_t id = 1; id < 1000; ++id) {
      const auto seconds = shares_name ? static_cast<std::int64_t>(id) : 5;
      const std::string name = shares_name ? "a" : std::to_string(id);
      if (guesses.guess(id, of(kSize, seconds), name) != 0) ++made;
    }
    EXPECT_EQ(made, kStrongGuessesMax);
    // All of them wrong: no more of any kind.
    for (std::uint64_t id = 2; id <= kStrongGuessesMax + 1; ++id) guesses.on_answer(id, false);
    EXPECT_EQ(guesses.guess(2000, of(kSize), "a"), 0U);
  }
}

// A directory and its copy, long before any answer.
TEST(CopyGuesses, EachSizeIsJudgedByItself) {
  CopyGuesses guesses;
  for (std::uint64_t id = 1; id <= 1000; ++id) {
    EXPECT_EQ(guesses.guess(id, of(kSize + id), std::to_string(id)), 0U);
  }
  for (std::uint64_t id = 1; id <= 1000; ++id) {
    EXPECT_EQ(guesses.guess(1000 + id, of(kSize + id), std::to_string(id)), id);
  }
  // What is wrong of one size says nothing of the others.
  for (std::uint64_t id = 3000; id < 3100; ++id) {
    if (guesses.guess(id, of(kSize + 1), "1") != 0) guesses.on_answer(id, false);
  }
  EXPECT_EQ(guesses.guess(4000, of(kSize + 1), "1"), 0U);
  EXPECT_EQ(guesses.guess(4001, of(kSize + 2), "2"), 2U);
}

TEST(CopyGuesses, ATimeOfWholeSecondsSaysLittle) {
  CopyGuesses guesses;
  std::size_t made = 0;
  for (std::uint64_t id = 1; id < 100; ++id) {
    if (guesses.guess(id, of(kSize, 5, 0), std::to_string(id)) != 0) ++made;
  }
  EXPECT_EQ(made, kWeakGuessesMax);
}

TEST(CopyGuesses, WhatTheTakerHasNoNeedOfIsNeitherRightNorWrong) {
  CopyGuesses guesses;
  std::size_t made = 0;
  for (std::uint64_t id = 1; id < 1000; ++id) {
    const auto seconds = static_cast<std::int64_t>(id);
    if (guesses.guess(id, of(kSize, seconds), std::to_string(id)) != 0) ++made;
    if (id % 2 == 0) guesses.forget(id);
    if (id % 8 == 7) guesses.forget_below(id, [](std::uint64_t) { return false; });
  }
  EXPECT_GT(made, 900U);
}

TEST(CopyGuesses, RemembersNoMoreThanSoManySizes) {
  CopyGuesses guesses;
  for (std::uint64_t id = 1; id <= 2 * kCopySizesMax; ++id) {
    EXPECT_EQ(guesses.guess(id, of(kSize + id), "a"), 0U);
  }
  EXPECT_EQ(guesses.guess(90'000, of(kSize + 1), "b"), 1U);
  EXPECT_EQ(guesses.guess(90'001, of(kSize + 2 * kCopySizesMax), "b"), 0U);
}

}  // namespace
}  // namespace wormhole::transfer
