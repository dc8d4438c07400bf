#include "cli/selection.h"

#include <gtest/gtest.h>

#include "platform/test_directory.h"

namespace wormhole::cli {
namespace {

using Kind = RuleArgument::Kind;
using platform::TestDirectory;
using wire::Rule;

TEST(SelectionTest, RulesStandAsTheyCame) {
  const TestDirectory there;
  there.write("rules", "# comment\n; another\n\n*.o\n+ keep.o\r\n- tmp/\n+\n- \n");
  const auto selection = selection_of({.rules = {{Kind::kInclude, "a"},
                                                 {Kind::kExcludeFrom, there / "rules"},
                                                 {Kind::kExclude, "b/"}},
                                       .max_size = "2K",
                                       .gitignore = true});
  ASSERT_TRUE(selection.has_value());
  EXPECT_EQ(selection->rules, (std::vector<Rule>{{false, "a"},
                                                 {true, "*.o"},
                                                 {false, "keep.o"},
                                                 {true, "tmp/"},
                                                 {true, "+"},
                                                 {true, "b/"}}));
  EXPECT_EQ(selection->size_max_bytes, 2048U);
  EXPECT_TRUE(selection->honours_ignore_files);
}

TEST(SelectionTest, WithoutOptionsEverythingIsMeant) {
  EXPECT_EQ(selection_of({}).value(), wire::Selection{});
}

Code code_of(const SelectionArguments& arguments) {
  const auto selection = selection_of(arguments);
  return selection.has_value() ? Code::kInterrupted : selection.error().code;
}

TEST(SelectionTest, WhatCannotBeUsedIsToldAtOnce) {
  const TestDirectory there;
  there.write("long", std::string(wire::kRulesMaxBytes + 1, 'x'));
  std::string many;
  for (std::size_t i = 0; i <= wire::kRulesMax; ++i) many += "x\n";
  there.write("many", many);
  EXPECT_EQ(code_of({.rules = {{Kind::kExclude, "a["}}}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {{Kind::kExclude, ""}}}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {}, .max_size = "much"}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {{Kind::kExcludeFrom, there / "long"}}}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {{Kind::kExcludeFrom, there / "many"}}}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {{Kind::kExcludeFrom, there / "missing"}}}), Code::kUsage);
  EXPECT_EQ(code_of({.rules = {{Kind::kExcludeFrom, there.path().string()}}}), Code::kUsage);
}

}  // namespace
}  // namespace wormhole::cli
