#include "session/join_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/corpus_testing.h"
#include "session/join_code_fuzz.h"

namespace wormhole::session {
namespace {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : generator_(seed) {}
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = std::byte(generator_());
  }

 private:
  std::mt19937_64 generator_;
};

// Yields 16-bit values in order.
class ListedRandom final : public Random {
 public:
  explicit ListedRandom(std::vector<std::uint16_t> values) : values_(std::move(values)) {}
  void fill(MutableBytes out) override {
    ASSERT_EQ(out.size(), 2U);
    ASSERT_LT(next_, values_.size());
    store_le(out.data(), values_[next_++]);
  }
  [[nodiscard]] bool used_up() const { return next_ == values_.size(); }

 private:
  std::vector<std::uint16_t> values_;
  std::size_t next_ = 0;
};

TEST(JoinCode, IsMadeOfAChannelAndThreeWords) {
  ListedRandom random({42, 0, 1, 1023});
  const JoinCode code = JoinCode::make(random);
  EXPECT_EQ(code.channel(), "0042");
  const auto& words = word_list();
  EXPECT_EQ(code.secret(),
            std::string(words[0]) + '-' + std::string(words[1]) + '-' + std::string(words[1023]));
  EXPECT_EQ(code.text(), "0042-" + std::string(code.secret()));
  EXPECT_TRUE(random.used_up());
}

TEST(JoinCode, DrawsAgainWhatWouldFavourSomeChannels) {
  // 14 bits: 10000 to 16383 are drawn again; the two bits above them are ignored.
  ListedRandom random({10000, 16383, 0xffff, 0xc000 + 9999, 0xfc00 + 5, 5, 5});
  const JoinCode code = JoinCode::make(random);
  EXPECT_EQ(code.channel(), "9999");
  EXPECT_TRUE(code.secret().starts_with(word_list()[5]));
  EXPECT_TRUE(random.used_up());
}

TEST(JoinCode, EveryWordAndFirstDigitComesUp) {
  SeededRandom random(11);
  std::map<std::string, unsigned> words;
  std::map<char, unsigned> digits;
  constexpr unsigned kCodes = 20'000;
  for (unsigned i = 0; i < kCodes; ++i) {
    const JoinCode code = JoinCode::make(random);
    ASSERT_TRUE(JoinCode::has_generated_shape(code.text()));
    ++digits[code.channel()[0]];
    std::string_view secret = code.secret();
    for (std::size_t word = 0; word < kCodeWords; ++word) {
      const std::size_t end = std::min(secret.find('-'), secret.size());
      ++words[std::string(secret.substr(0, end))];
      secret.remove_prefix(std::min(end + 1, secret.size()));
    }
  }
  EXPECT_EQ(words.size(), kWordListSize);
  EXPECT_EQ(digits.size(), 10U);
  // 58.6 expected each, deviation 7.7: nine deviations either way with this seed.
  for (const auto& [word, count] : words) EXPECT_TRUE(count > 10 && count < 130) << word;
  for (const auto& [digit, count] : digits) EXPECT_NEAR(count, kCodes / 10.0, 400) << digit;
}

TEST(JoinCode, ReadsWhatPeopleType) {
  for (const std::string_view typed :
       {"4821-marble-anchor-tulip", "4821 marble anchor tulip", "  4821-Marble-ANCHOR-tulip\n",
        "4821 - marble -- anchor   tulip", "-4821-marble-anchor-tulip-"}) {
    const auto code = JoinCode::parse(typed);
    ASSERT_TRUE(code.has_value()) << typed;
    EXPECT_EQ(code->channel(), "4821") << typed;
    EXPECT_EQ(code->secret(), "marble-anchor-tulip") << typed;
    EXPECT_EQ(code->text(), "4821-marble-anchor-tulip") << typed;
  }
}

TEST(JoinCode, TakesAnyWordsTheUserChose) {
  const struct {
    std::string_view typed, secret;
  } cases[] = {{"x", "x"},
               {"Correct Horse", "correct-horse"},
               {"48211-marble-anchor-tulip", "48211-marble-anchor-tulip"},
               {"4821-marble-anchor", "4821-marble-anchor"},
               {"4821-marble-anchor-tulip-rose", "4821-marble-anchor-tulip-rose"},
               {"4821-marble-anch0r-tulip", "4821-marble-anch0r-tulip"},
               {"Gr\xc3\xbc\xc3\x9f Gott", "gr\xc3\xbc\xc3\x9f-gott"}};
  for (const auto& [typed, secret] : cases) {
    const auto code = JoinCode::parse(typed);
    ASSERT_TRUE(code.has_value()) << typed;
    EXPECT_EQ(code->channel(), "") << typed;
    EXPECT_EQ(code->secret(), secret);
    EXPECT_EQ(code->text(), secret);
  }
}

TEST(JoinCode, RefusesWhatIsNoCode) {
  const std::string longest(kCodeMaxBytes, 'a');
  ASSERT_TRUE(JoinCode::parse(longest).has_value());
  for (const std::string& typed :
       {std::string(), std::string("  \n"), std::string("-"), std::string(" - - "), longest + 'a',
        std::string("a\tb"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\x1b[31m"),
        std::string("a\x7f")}) {
    const auto code = JoinCode::parse(typed);
    ASSERT_FALSE(code.has_value());
    EXPECT_EQ(code.error().code, Code::kUsage);
    EXPECT_EQ(code.error().object, "");  // an error never repeats the code
  }
}

TEST(JoinCode, KnowsTheShapeKeptForDiscovery) {
  EXPECT_TRUE(JoinCode::has_generated_shape("0000-a-b-c"));
  EXPECT_TRUE(JoinCode::has_generated_shape("4821-Marble-anchor-tulip"));
  for (const std::string_view other :
       {"", "4821", "4821-", "4821-a-b", "4821-a-b-", "4821--a-b", "4821-a-b-c-", "4821-a-b-c-d",
        "482-a-b-c", "48211-a-b-c", "x821-a-b-c", "4821-a-b-c1", "4821 a b c", "192.0.2.1",
        "4821-a-b-c/path", " 4821-a-b-c"}) {
    EXPECT_FALSE(JoinCode::has_generated_shape(other)) << other;
  }
}

TEST(JoinCode, CopiesAndAssignsByValue) {
  JoinCode code = JoinCode::parse("4821-marble-anchor-tulip").value();
  const JoinCode copy = code;
  code = JoinCode::parse("short").value();
  EXPECT_EQ(code.text(), "short");
  EXPECT_EQ(copy.text(), "4821-marble-anchor-tulip");
  code = *&code;
  EXPECT_EQ(code.text(), "short");
}

TEST(JoinCode, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'240'001;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  constexpr std::string_view kAlphabet = "  --aZz09\n\t\x01\xc3";
  for (int round = 0; round < 20'000; ++round) {
    std::string input;
    for (auto left = generator() % 40; left > 0; --left) {
      input += round % 2 == 0 ? kAlphabet[generator() % kAlphabet.size()]
                              : static_cast<char>(generator());
    }
    fuzz_join_code(as_bytes(input));
  }
}

TEST(JoinCode, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("session", "join_code_fuzz", fuzz_join_code), 0U);
}

}  // namespace
}  // namespace wormhole::session
