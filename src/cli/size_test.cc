#include "cli/size.h"

#include <gtest/gtest.h>

namespace wormhole::cli {
namespace {

TEST(ParseSize, AsRsyncAndCurlTakeThem) {
  const std::pair<std::string_view, std::uint64_t> cases[] = {
      {"0", 0},
      {"1", 1},
      {"100", 100},
      {"1B", 1},
      {"1k", 1024},
      {"1K", 1024},
      {"1KiB", 1024},
      {"1kib", 1024},
      {"1KB", 1000},
      {"1.5M", 1572864},
      {"2GB", 2000000000},
      {"2G", 2147483648},
      {"1T", 1ULL << 40},
      {"0.5k", 512},
      {"8000000T", 8000000ULL << 40},
  };
  for (const auto& [text, bytes] : cases) {
    const auto size = parse_size("--max-size", text, 1);
    ASSERT_TRUE(size.has_value()) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
  EXPECT_EQ(parse_size("--bwlimit", "5", 1024).value(), 5120U);
  EXPECT_EQ(parse_size("--bwlimit", "5B", 1024).value(), 5U);
  EXPECT_EQ(parse_size("--bwlimit", "5K", 1024).value(), 5120U);
}

TEST(ParseSize, WhatIsNoSizeIsToldWithTheOption) {
  for (const auto* text : {"", "K", "-1", "1X", "1KX", "1 K", "1e3", "nan", "inf", "0x10", "1,5M",
                           "9000000T", "1KBB", "1iB", "99999999999999999999999999999"}) {
    const auto size = parse_size("--max-size", text, 1);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().code, Code::kUsage);
    EXPECT_NE(to_sentence(size.error()).find("--max-size"), std::string::npos);
  }
}

}  // namespace
}  // namespace wormhole::cli
