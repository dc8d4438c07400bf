#include "cli/errands.h"

#include <gtest/gtest.h>

namespace wormhole::cli {
namespace {

TEST(ErrandsTest, OneGoesHereOrToTheDestination) {
  const auto here = errands_of({"host/a/b"});
  ASSERT_TRUE(here.has_value());
  EXPECT_EQ(here->host.host, "host");
  ASSERT_EQ(here->all.size(), 1U);
  EXPECT_EQ(here->all[0].path, "a/b");
  EXPECT_FALSE(here->all[0].destination.path.has_value());

  const auto there = errands_of({"host/a/b", "dest"});
  ASSERT_TRUE(there.has_value());
  ASSERT_EQ(there->all.size(), 1U);
  EXPECT_EQ(there->all[0].destination.path, "dest") << "it receives the contents";
}

TEST(ErrandsTest, SeveralGoIntoTheDestinationByTheirNames) {
  const auto errands = errands_of({"h:7/a/b", "h:7/c/", "h:7/d", "dest"});
  ASSERT_TRUE(errands.has_value());
  EXPECT_EQ(errands->destination.path, "dest");
  ASSERT_EQ(errands->all.size(), 3U);
  for (const Errand& errand : errands->all) EXPECT_EQ(errand.destination.path, "dest");
  EXPECT_EQ(errands->all[0].destination.name, "b");
  EXPECT_EQ(errands->all[1].destination.name, "c");
  EXPECT_EQ(errands->all[1].path, "c/");
  EXPECT_EQ(errands->all[1].last_part(), "c");
  EXPECT_EQ(errands->all[2].destination.name, "d");
}

TEST(ErrandsTest, WhatCannotBeMeantIsTold) {
  const std::vector<std::vector<std::string>> wrong = {
      {"host", ""},                   // nowhere
      {"host/a", "host/b"},           // the destination was forgotten
      {"host:1/a", "host:1/b"},       // likewise
      {"host/a", "other/b", "dest"},  // two hosts
      {"host:1/a", "host:2/b", "d"},  // or ports
      {"host/a", "host", "dest"},     // everything has no name
      {"host/a", "host/../b", "d"},   //
      {"host/a/x", "host/b/x", "d"},  // one would take the other's place
  };
  for (const auto& operands : wrong) {
    const auto errands = errands_of(operands);
    ASSERT_FALSE(errands.has_value()) << operands.front();
    EXPECT_EQ(errands.error().code, Code::kUsage);
  }
  EXPECT_TRUE(errands_of({"host", "host"}).has_value()) << "a directory may be called so";
}

}  // namespace
}  // namespace wormhole::cli
