// The rules of the word list, each checked over the whole of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "session/join_code.h"

namespace wormhole::session {
namespace {

constexpr std::string_view kDictionary = "/usr/share/dict/american-english";

// What a listener is left with on a bad line: spellings of one sound made one, voiced and
// unvoiced consonants not told apart, vowels gone except that a first one was there, doubled
// sounds single. Coarser than Soundex, and not cut off after four signs.
std::string sound(std::string word) {
  struct Spelling {
    std::string_view from, to;
    enum { kAtStart, kAtEnd, kAnywhere } where;
  };
  constexpr Spelling kSpellings[] = {
      {"kn", "n", Spelling::kAtStart},    {"wr", "r", Spelling::kAtStart},
      {"gn", "n", Spelling::kAtStart},    {"ps", "s", Spelling::kAtStart},
      {"wh", "w", Spelling::kAtStart},    {"mb", "m", Spelling::kAtEnd},
      {"ght", "t", Spelling::kAnywhere},  {"gh", "", Spelling::kAnywhere},
      {"ph", "f", Spelling::kAnywhere},   {"tch", "ch", Spelling::kAnywhere},
      {"ck", "k", Spelling::kAnywhere},   {"sch", "sk", Spelling::kAnywhere},
      {"ch", "X", Spelling::kAnywhere},   {"sh", "X", Spelling::kAnywhere},
      {"dge", "je", Spelling::kAnywhere}, {"tion", "Xn", Spelling::kAnywhere},
      {"ce", "se", Spelling::kAnywhere},  {"ci", "si", Spelling::kAnywhere},
      {"cy", "sy", Spelling::kAnywhere},  {"c", "k", Spelling::kAnywhere},
      {"q", "k", Spelling::kAnywhere},    {"x", "ks", Spelling::kAnywhere},
      {"gi", "ji", Spelling::kAnywhere},  {"ge", "je", Spelling::kAnywhere}};
  for (const Spelling& spelling : kSpellings) {
    const std::size_t size = spelling.from.size();
    if (spelling.where == Spelling::kAtStart) {
      if (word.starts_with(spelling.from)) word.replace(0, size, spelling.to);
    } else if (spelling.where == Spelling::kAtEnd) {
      if (word.ends_with(spelling.from)) word.replace(word.size() - size, size, spelling.to);
    } else {
      for (std::size_t at = 0; (at = word.find(spelling.from, at)) != std::string::npos;) {
        word.replace(at, size, spelling.to);
        at += spelling.to.size();
      }
    }
  }
  constexpr std::string_view kFrom = "bpdtgkvfzsmnlrjX";
  constexpr std::string_view kTo = "PPTTKKFFSSMNLRJX";
  std::string key;
  char previous = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const std::size_t at = kFrom.find(c);
    char heard = at == std::string_view::npos ? char{0} : kTo[at];
    if (i == 0 && c == 'h') heard = 'H';
    if (i == 0 && c == 'w') heard = 'W';
    if (i == 0 && heard == 0) key = "A";  // a vowel
    if (heard != 0 && heard != previous) key += heard;
    previous = heard;
  }
  return key;
}

// True when one letter changed, added or left out turns one into the other.
bool one_error_apart(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > 1) return false;
  const auto [in_a, in_b] = std::ranges::mismatch(a, b);
  const std::string_view rest_b(in_b, b.end());
  if (rest_b.empty()) return true;
  const std::string_view rest_a(in_a, a.end());
  return a.size() == b.size() ? rest_a.substr(1) == rest_b.substr(1) : rest_a == rest_b.substr(1);
}

TEST(WordList, HoldsShortWordsOfSmallLetters) {
  for (const std::string_view word : word_list()) {
    EXPECT_GE(word.size(), 4U) << word;
    EXPECT_LE(word.size(), 7U) << word;
    EXPECT_TRUE(std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; })) << word;
  }
}

TEST(WordList, IsSortedWithoutRepetition) {
  EXPECT_TRUE(std::ranges::is_sorted(word_list()));
  EXPECT_EQ(std::ranges::adjacent_find(word_list()), word_list().end());
}

TEST(WordList, FirstFourLettersTellWordsApart) {
  std::set<std::string_view> starts;
  for (const std::string_view word : word_list()) {
    EXPECT_TRUE(starts.insert(word.substr(0, 4)).second) << word;
  }
}

TEST(WordList, NoTwoSoundAlike) {
  std::map<std::string, std::string_view> heard;
  for (const std::string_view word : word_list()) {
    const auto [other, fresh] = heard.emplace(sound(std::string(word)), word);
    EXPECT_TRUE(fresh) << word << " sounds like " << other->second << ": " << other->first;
  }
}

TEST(WordList, TheEarOfThisTestHearsWhatItShould) {
  EXPECT_EQ(sound("knight"), sound("night"));
  EXPECT_EQ(sound("write"), sound("right"));
  EXPECT_EQ(sound("phase"), sound("face"));
  EXPECT_EQ(sound("cellar"), sound("seller"));
  EXPECT_EQ(sound("pepper"), sound("paper"));
  EXPECT_EQ(sound("bat"), sound("pad"));
  EXPECT_NE(sound("marble"), sound("anchor"));
  EXPECT_NE(sound("owl"), sound("lo"));
}

TEST(WordList, NoTypingErrorTurnsOneIntoAnother) {
  ASSERT_TRUE(one_error_apart("tulip", "tulips") && one_error_apart("tulip", "julip") &&
              one_error_apart("tulip", "tuip") && !one_error_apart("tulip", "tupil"));
  const auto& words = word_list();
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t j = i + 1; j < words.size(); ++j) {
      EXPECT_FALSE(one_error_apart(words[i], words[j])) << words[i] << ' ' << words[j];
    }
  }
}

TEST(WordList, EveryWordIsInTheDictionary) {
  std::ifstream file{std::string(kDictionary)};
  if (!file) GTEST_SKIP() << kDictionary << " is not there (package wamerican)";
  std::set<std::string> dictionary;
  for (std::string line; std::getline(file, line);) dictionary.insert(line);
  for (const std::string_view word : word_list()) {
    EXPECT_TRUE(dictionary.contains(std::string(word))) << word;
  }
}

}  // namespace
}  // namespace wormhole::session
