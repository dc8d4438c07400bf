#include "transfer/glob.h"

#include <gtest/gtest.h>

#include <random>

#include "transfer/glob_fuzz.h"
#include "transfer/selector.h"

namespace wormhole::transfer {
namespace {

bool fits(std::string_view pattern, std::string_view path, Dialect dialect = Dialect::kFilter) {
  const auto regex = regex_of(pattern, dialect);
  EXPECT_TRUE(regex.has_value()) << pattern;
  const auto list = PatternList::compile({{*regex, true}});
  EXPECT_TRUE(list.has_value()) << pattern;
  return list->excludes(path).has_value();
}

struct Case {
  std::string_view pattern;
  std::vector<std::string_view> fitting;
  std::vector<std::string_view> others;
};

void check(const std::vector<Case>& cases, Dialect dialect) {
  for (const Case& one : cases) {
    for (const auto path : one.fitting) {
      EXPECT_TRUE(fits(one.pattern, path, dialect)) << one.pattern << " and " << path;
    }
    for (const auto path : one.others) {
      EXPECT_FALSE(fits(one.pattern, path, dialect)) << one.pattern << " and " << path;
    }
  }
}

// Each line as rsync has it (compared with 3.5.0), where no directory above is excluded.
TEST(Glob, FilterRules) {
  check(
      {
          {"a", {"a", "x/a", "a/", "x/y/a/"}, {"aa", "a/b", "xa", "A"}},
          {"/a", {"a", "a/"}, {"x/a", "x/a/"}},
          {"a/", {"a/", "x/a/"}, {"a", "x/a"}},
          {"/a/b", {"a/b"}, {"x/a/b", "a/c"}},
          {"a/b", {"a/b", "x/a/b", "a/b/"}, {"b", "xa/b", "a/x/b"}},
          {"a/*", {"a/b", "x/a/b/"}, {"a/", "a"}},
          {"/a/**", {"a/b/c"}, {"a/"}},
          {"a[!x]", {"ab", "ab/"}, {"a", "a/"}},
          {"a?", {"ab"}, {"a/"}},
          {"*", {"a", "a/", "x/a", ".a"}, {}},
          {"*.o", {"a.o", ".o", "x/a.o", "a.o/"}, {"a.oo", "ao"}},
          {"/*.o", {"a.o"}, {"x/a.o"}},
          {"a*b", {"ab", "axb"}, {"a/b", "abc"}},
          {"a**b", {"ab", "a/b", "a/x/yb"}, {"a/b/c"}},
          {"/a/**", {"a/b", "a/b/c", "a/b/"}, {"a", "b/a"}},
          {"**/a", {"a", "x/a", "x/y/a/"}, {"xa"}},
          {"a/**/b", {"a/x/b", "a/x/y/b"}, {"a/b"}},
          {"a/***", {"a/", "a/b", "a/b/c", "x/a/", "x/a/b/"}, {"a", "ab"}},
          {"/***", {"a", "a/", "a/b"}, {}},
          {"***/a/", {"a/", "x/y/a/"}, {"a"}},
          {"a?c", {"abc", "a.c"}, {"ac", "a/c", "abbc"}},
          {"[a-c]x", {"ax", "cx"}, {"dx", "x", "-x"}},
          {"[!a-c]x", {"dx", "-x"}, {"ax", "/x", "x"}},
          {"[^a]", {"b"}, {"a", ""}},
          {"[]x]", {"]", "x"}, {"["}},
          {"[!]x]", {"a"}, {"]", "x"}},
          {"[a-]", {"a", "-"}, {"b"}},
          {"[\\]a]", {"]", "a"}, {"\\"}},
          {"[[:digit:][:upper:]]", {"5", "Q"}, {"q", ":", "["}},
          {"[+-9]x", {"+x", "5x"}, {"/x"}},
          {"\\*", {"*"}, {"a", "\\*"}},
          {"a\\", {"a\\"}, {"a"}},
          {"(a|b).{2}$^+", {"(a|b).{2}$^+"}, {"a", "axx"}},
          {"\xff\xfe", {"\xff\xfe", "x/\xff\xfe"}, {"\xff"}},
          {"?", {"\xff", "a"}, {"\xc3\xa4"}},
          {"a\nb", {"a\nb"}, {"ab"}},
          {"*b", {"a\nb"}, {}},
      },
      Dialect::kFilter);
}

// Each line as Git has it (compared with 2.39.5), likewise.
TEST(Glob, IgnoreFileLines) {
  check(
      {
          {"a", {"a", "x/a", "a/"}, {"a/b", "aa"}},
          {"/a", {"a"}, {"x/a"}},
          {"a/", {"a/", "x/a/"}, {"a"}},
          {"a/b", {"a/b"}, {"x/a/b"}},
          {"a/b/", {"a/b/"}, {"a/b", "x/a/b/"}},
          {"**/a", {"a", "x/a", "x/y/a"}, {"xa"}},
          {"**/a/b", {"a/b", "x/a/b"}, {"x/b"}},
          {"a/**", {"a/b", "a/b/c", "a/b/"}, {"a", "a/"}},
          {"a/**/b", {"a/b", "a/x/b", "a/x/y/b"}, {"ab", "x/a/b"}},
          {"a**b", {"ab", "axb"}, {"a/b"}},
          {"*.o", {"x/a.o", "a.o"}, {"a.ox"}},
          {"x/*", {"x/a", "x/a/"}, {"x/a/b", "y/x/a"}},
          {"***/a", {"a", "x/y/a"}, {"xa"}},
      },
      Dialect::kIgnoreFile);
}

TEST(Glob, ABracketThatIsNotClosedIsTold) {
  for (const auto* pattern : {"[", "a[b", "[!", "[a-", "[]", "[[:digit:]", "[\\"}) {
    const auto regex = regex_of(pattern, Dialect::kFilter);
    ASSERT_FALSE(regex.has_value()) << pattern;
    EXPECT_EQ(regex.error().code, Code::kUsage);
    EXPECT_EQ(regex.error().object, pattern);
  }
}

TEST(Glob, TheFirstThatFitsDecides) {
  const auto regex = [](std::string_view pattern) {
    return regex_of(pattern, Dialect::kFilter).value();
  };
  const auto list = PatternList::compile(
      {{regex("a.o"), false}, {regex("*.o"), true}, {regex("x"), true}, {regex("*"), false}});
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->excludes("a.o"), false);
  EXPECT_EQ(list->excludes("b.o"), true);
  EXPECT_EQ(list->excludes("x"), true);
  EXPECT_EQ(list->excludes("y"), false);
  EXPECT_EQ(PatternList().excludes("y"), std::nullopt);
}

// What takes a matcher that tries every star with every other longer than anyone waits.
TEST(Glob, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(fits(pattern + "b", std::string(250, 'a')));
  EXPECT_TRUE(fits(pattern, std::string(250, 'a')));
}

TEST(Glob, AsManyAsAMessageHoldsCanBeCompiled) {
  const auto name = [](std::size_t i) {
    std::string text = std::to_string(i);
    text.resize(wire::kRulesMaxBytes / wire::kRulesMax, 'x');
    return text;
  };
  std::vector<PatternList::Pattern> patterns;
  for (std::size_t i = 0; i < wire::kRulesMax; ++i) {
    std::string pattern = name(i);
    pattern.back() = '*';
    patterns.push_back({regex_of(pattern, Dialect::kFilter).value(), i / 20 % 2 == 0});
  }
  const auto list = PatternList::compile(patterns);
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->excludes(name(20)), false);
  EXPECT_EQ(list->excludes(name(1000)), true);
  EXPECT_EQ(list->excludes("nothing of it"), std::nullopt);
}

// Each change of mind is an automaton of its own: a peer may not have a thousand of them.
TEST(Glob, RulesThatChangeTooOftenAreRefused) {
  std::vector<PatternList::Pattern> patterns;
  for (std::size_t i = 0; i <= kPatternGroupsMax; ++i) {
    EXPECT_TRUE(PatternList::compile(patterns).has_value()) << i;
    patterns.push_back({"a", i % 2 == 0});
  }
  const auto list = PatternList::compile(patterns);
  ASSERT_FALSE(list.has_value());
  EXPECT_EQ(list.error().code, Code::kLimit);
}

TEST(IgnoreFilesTest, TheLastLineDecides) {
  const auto list = IgnoreFiles::parse(
      "# of the build\n\n*.o\r\n!keep.o\ntrailing   \nspace\\ "
      "\n\\#hash\n\\!mark\nkeep.o/\n[\n/\n!");
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->excludes("a.o"), true);
  EXPECT_EQ(list->excludes("keep.o"), false);
  EXPECT_EQ(list->excludes("keep.o/"), true);
  EXPECT_EQ(list->excludes("trailing"), true);
  EXPECT_EQ(list->excludes("space "), true);
  EXPECT_EQ(list->excludes("space"), std::nullopt);
  EXPECT_EQ(list->excludes("#hash"), true);
  EXPECT_EQ(list->excludes("!mark"), true);
  EXPECT_EQ(list->excludes("# of the build"), std::nullopt);
  EXPECT_EQ(list->excludes("["), std::nullopt);
}

TEST(Glob, AnyBytes) {
  std::mt19937_64 random(20'261'128);
  constexpr std::string_view kLikely = "*?[]!^-/\\.ab:";
  for (int round = 0; round < 3000; ++round) {
    std::string input(1 + random() % 40, '\0');
    for (char& c : input) {
      c = random() % 4 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    }
    fuzz_glob(std::as_bytes(std::span(input)));
  }
}

}  // namespace
}  // namespace wormhole::transfer
