#include "cli/put_items.h"

#include <gtest/gtest.h>

namespace wormhole::cli {
namespace {

TEST(PutItemsTest, TheLastOneIsTheTarget) {
  const auto items = put_items_of({"a", "b/c", "host:7/in/here"});
  ASSERT_TRUE(items.has_value());
  EXPECT_EQ(items->paths, (std::vector<std::string>{"a", "b/c"}));
  EXPECT_EQ(items->host.host, "host");
  EXPECT_EQ(items->host.path, "in/here");
}

TEST(PutItemsTest, OneGoesToTheTargetsPathSeveralIntoIt) {
  EXPECT_EQ(put_items_of({"a", "host"})->path_for("a"), "") << "its own name";
  EXPECT_EQ(put_items_of({"a", "host/d"})->path_for("a"), "d");
  EXPECT_EQ(put_items_of({"a", "host/d/"})->path_for("a"), "d/");
  EXPECT_EQ(put_items_of({"a", "b", "host"})->path_for("a"), "");
  EXPECT_EQ(put_items_of({"a", "b", "host/d"})->path_for("a"), "d/a");
  EXPECT_EQ(put_items_of({"a", "b", "host/d/"})->path_for("b"), "d/b");
}

TEST(PutItemsTest, StandardInputNeedsAName) {
  EXPECT_TRUE(put_items_of({"-", "host/d/name"})->is_standard_input());
  EXPECT_FALSE(put_items_of({"./-", "host"})->is_standard_input());
  for (const auto& operands : {std::vector<std::string>{"-", "host"},
                               {"-", "host/"},
                               {"-", "host/d/"},
                               {"-", "a", "host/d"}}) {
    EXPECT_FALSE(put_items_of(operands).has_value());
  }
}

TEST(PutItemsTest, WhatCannotBeMeantIsTold) {
  for (const auto& operands : {std::vector<std::string>{}, {"host"}, {"a", ""}, {"a", "/tmp"}}) {
    const auto items = put_items_of(operands);
    ASSERT_FALSE(items.has_value());
    EXPECT_EQ(items.error().code, Code::kUsage);
  }
}

}  // namespace
}  // namespace wormhole::cli
