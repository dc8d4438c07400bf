#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wormhole::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

std::vector<std::string> prepared(const std::vector<std::string>& arguments) {
  return prepare_arguments(arguments,
                           [](const std::string& option) { return option == "--exclude"; })
      .value();
}

std::vector<std::string> given_back(const std::vector<std::string>& arguments) {
  std::vector<std::string> values;
  for (const std::string& argument : prepared(arguments)) values.push_back(unmarked(argument));
  return values;
}

TEST(Arguments, WhatIsNotMisreadStaysAsItIs) {
  const std::vector<std::string> plain = {
      "host/d",    "-y",    "--exclude=*.o", "[a]b", "",          "-",   "a=",
      "--exclude", "[a-z]", "--exclude",     "--",   "--exclude", "--x="};
  EXPECT_EQ(prepared(plain), plain);
}

TEST(Arguments, OperandsThatAreMisreadAreMarkedAndComeBack) {
  const std::vector<std::string> operands = {"[2001:db8::1]", "[]", "++", "\x1f", "\x1f[a,b]"};
  for (const std::string& argument : prepared(operands)) EXPECT_THAT(argument, StartsWith("\x1f"));
  EXPECT_EQ(given_back(operands), operands);
}

TEST(Arguments, BehindTwoHyphensEverythingIsAnOperand) {
  const auto all = prepared({"host", "--", "-odd", "--", "--exclude="});
  EXPECT_THAT(all, ElementsAre("host", StartsWith("\x1f"), StartsWith("\x1f"), StartsWith("\x1f")));
  EXPECT_THAT(given_back({"host", "--", "-odd", "--", "--exclude="}),
              ElementsAre("host", "-odd", "--", "--exclude="));
}

TEST(Arguments, AnEmptyValueIsNotTakenFromTheNextArgument) {
  for (const char* option : {"--exclude=", "--whatever=", "--="}) {
    const auto refused =
        prepare_arguments({"host", option, "--dry-run"}, [](const std::string&) { return true; });
    ASSERT_FALSE(refused.has_value()) << option;
    EXPECT_EQ(refused.error().code, Code::kUsage);
  }
}

}  // namespace
}  // namespace wormhole::cli
