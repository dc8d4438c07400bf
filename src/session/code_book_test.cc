#include "session/code_book.h"

#include <gtest/gtest.h>

#include <random>

#include "base/clock_testing.h"

namespace wormhole::session {
namespace {

using std::chrono::seconds;

class SeededRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = std::byte(generator_());
  }

 private:
  std::mt19937_64 generator_{5};
};

using wormhole::testing::FakeClock;

class CodeBookTest : public ::testing::Test {
 protected:
  // Spends what is left of the present code; true when the last guess retired it.
  static bool spend(CodeBook& book) {
    const std::uint64_t generation = book.generation();
    bool retired = false;
    for (unsigned n = book.guesses_left(); n > 0; --n) {
      EXPECT_FALSE(retired);
      EXPECT_TRUE(book.reserve_guess(generation, "192.0.2.1"));
      retired = book.guess_was_wrong(generation, "192.0.2.1");
    }
    return retired;
  }

  SeededRandom random_;
  FakeClock clock_;
  CodeBook made_{std::nullopt, random_, clock_};
  CodeBook chosen_{JoinCode::parse("my words").value(), random_, clock_};
};

TEST_F(CodeBookTest, StartsWithACode) {
  ASSERT_NE(made_.code(), nullptr);
  EXPECT_TRUE(JoinCode::has_generated_shape(made_.code()->text()));
  ASSERT_NE(chosen_.code(), nullptr);
  EXPECT_EQ(chosen_.code()->text(), "my-words");
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode);
}

TEST_F(CodeBookTest, OfAHundredParallelGuessesTenAreChecked) {
  const std::uint64_t generation = made_.generation();
  unsigned granted = 0;
  for (int i = 0; i < 100; ++i) granted += made_.reserve_guess(generation, std::to_string(i));
  EXPECT_EQ(granted, 10U);
  EXPECT_EQ(made_.guesses_left(), 0U);
  unsigned retired = 0;
  for (int i = 0; i < 10; ++i) retired += made_.guess_was_wrong(generation, std::to_string(i));
  EXPECT_EQ(retired, 1U);
  EXPECT_EQ(made_.generation(), generation + 1);
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(made_.reserve_guess(generation, "late"));
}

TEST_F(CodeBookTest, OnlySuccessReturnsTheSlot) {
  const std::uint64_t generation = made_.generation();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(made_.reserve_guess(generation, "192.0.2.1"));
    made_.guess_was_right(generation, "192.0.2.1");
  }
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode);
  ASSERT_TRUE(made_.reserve_guess(generation, "192.0.2.1"));
  EXPECT_FALSE(made_.guess_was_wrong(generation, "192.0.2.1"));
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode - 1);
}

TEST_F(CodeBookTest, AllSlotsTakenIsNotYetRetired) {
  const std::uint64_t generation = made_.generation();
  for (unsigned i = 0; i < kGuessesPerCode; ++i) {
    ASSERT_TRUE(made_.reserve_guess(generation, "a"));
  }
  for (unsigned i = 0; i + 1 < kGuessesPerCode; ++i) {
    EXPECT_FALSE(made_.guess_was_wrong(generation, "a"));
  }
  // The last of them knew the code: it stays, with one guess.
  made_.guess_was_right(generation, "a");
  EXPECT_EQ(made_.generation(), generation);
  EXPECT_EQ(made_.guesses_left(), 1U);
}

TEST_F(CodeBookTest, ThreeCodesAreMadeThenJoiningStops) {
  std::string last = made_.code()->text();
  for (unsigned made = 1; made < kAutomaticCodesMax; ++made) {
    EXPECT_TRUE(spend(made_));
    ASSERT_NE(made_.code(), nullptr);
    EXPECT_NE(made_.code()->text(), last);
    last = made_.code()->text();
  }
  EXPECT_TRUE(spend(made_));
  EXPECT_EQ(made_.code(), nullptr);
  EXPECT_EQ(made_.guesses_left(), 0U);
  EXPECT_FALSE(made_.may_try("203.0.113.9"));
  EXPECT_FALSE(made_.reserve_guess(made_.generation(), "203.0.113.9"));
}

TEST_F(CodeBookTest, AskedForOneIsMadeAgainAndStopsAgain) {
  EXPECT_TRUE(spend(made_) && spend(made_) && spend(made_));
  const std::uint64_t stopped = made_.generation();
  EXPECT_TRUE(made_.renew());
  ASSERT_NE(made_.code(), nullptr);
  EXPECT_EQ(made_.generation(), stopped + 1);
  EXPECT_TRUE(made_.may_try("203.0.113.9"));
  EXPECT_TRUE(spend(made_));
  EXPECT_EQ(made_.code(), nullptr);
}

TEST_F(CodeBookTest, AChosenCodeIsNeverReplaced) {
  EXPECT_FALSE(chosen_.renew());
  EXPECT_EQ(chosen_.code()->text(), "my-words");
  EXPECT_TRUE(spend(chosen_));
  EXPECT_EQ(chosen_.code(), nullptr);
  EXPECT_TRUE(chosen_.renew());
  ASSERT_NE(chosen_.code(), nullptr);
  EXPECT_TRUE(JoinCode::has_generated_shape(chosen_.code()->text()));
}

TEST_F(CodeBookTest, AStaleHandshakeChangesNothing) {
  const std::uint64_t stale = made_.generation();
  ASSERT_TRUE(made_.reserve_guess(stale, "a"));
  ASSERT_TRUE(made_.renew());
  EXPECT_FALSE(made_.reserve_guess(stale, "b"));
  EXPECT_FALSE(made_.reserve_guess(stale + 2, "b"));
  made_.guess_was_right(stale, "a");
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode);
  for (unsigned i = 0; i < 2 * kGuessesPerCode; ++i) {
    EXPECT_FALSE(made_.guess_was_wrong(stale, "a"));
  }
  EXPECT_EQ(made_.guesses_left(), kGuessesPerCode);
}

TEST_F(CodeBookTest, AnAddressWaitsAfterThreeFailuresAndLongerEachTime) {
  const auto guess_wrong = [&] {
    EXPECT_TRUE(made_.reserve_guess(made_.generation(), "192.0.2.1"));
    static_cast<void>(made_.guess_was_wrong(made_.generation(), "192.0.2.1"));
  };
  for (unsigned i = 0; i < kFreeFailuresPerAddress; ++i) {
    EXPECT_TRUE(made_.may_try("192.0.2.1"));
    guess_wrong();
  }
  EXPECT_TRUE(made_.may_try("192.0.2.2"));
  Duration expected = kAddressWait;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(made_.may_try("192.0.2.1"));
    clock_.advance(expected - Duration(1));
    EXPECT_FALSE(made_.may_try("192.0.2.1"));
    clock_.advance(Duration(1));
    EXPECT_TRUE(made_.may_try("192.0.2.1"));
    guess_wrong();
    expected = std::min<Duration>(expected * 2, kAddressWaitMax);
  }
  EXPECT_EQ(expected, kAddressWaitMax);
}

TEST_F(CodeBookTest, SuccessClearsTheAddress) {
  for (unsigned i = 0; i < kFreeFailuresPerAddress; ++i) {
    ASSERT_TRUE(made_.reserve_guess(made_.generation(), "192.0.2.1"));
    EXPECT_FALSE(made_.guess_was_wrong(made_.generation(), "192.0.2.1"));
  }
  clock_.advance(kAddressWait);
  ASSERT_TRUE(made_.reserve_guess(made_.generation(), "192.0.2.1"));
  EXPECT_FALSE(made_.may_try("192.0.2.1"));  // counts as a failure until it is decided
  made_.guess_was_right(made_.generation(), "192.0.2.1");
  EXPECT_TRUE(made_.may_try("192.0.2.1"));
}

TEST_F(CodeBookTest, RemembersABoundedNumberOfAddressesTheWorstLongest) {
  const auto guess_wrong = [&](const std::string& ip) {
    ASSERT_TRUE(made_.reserve_guess(made_.generation(), ip));
    static_cast<void>(made_.guess_was_wrong(made_.generation(), ip));
    if (made_.code() == nullptr) {
      ASSERT_TRUE(made_.renew());
    }
  };
  for (int i = 0; i < 5; ++i) guess_wrong("worst");
  for (unsigned i = 0; i < 2 * kAddressesRemembered; ++i) guess_wrong(std::to_string(i));
  EXPECT_EQ(made_.addresses_remembered(), kAddressesRemembered);
  EXPECT_FALSE(made_.may_try("worst"));
}

}  // namespace
}  // namespace wormhole::session
