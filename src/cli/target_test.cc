#include "cli/target.h"

#include <gtest/gtest.h>

#include <random>

#include "base/corpus_testing.h"
#include "cli/target_fuzz.h"

namespace wormhole::cli {
namespace {

TEST(Target, HostPortAndPath) {
  const struct {
    const char* text;
    const char* host;
    int port;
    const char* path;
    const char* last;
  } cases[] = {{"host", "host", 7117, "", ""},
               {"host/", "host", 7117, "", ""},
               {"host:80", "host", 80, "", ""},
               {"host:1/a", "host", 1, "a", "a"},
               {"host:65535/a/b/", "host", 65535, "a/b/", "b"},
               {"host/a//b//", "host", 7117, "a//b//", "b"},
               {"host//a", "host", 7117, "/a", "a"},
               {"host/a:b", "host", 7117, "a:b", "a:b"},
               {"host/[x]", "host", 7117, "[x]", "[x]"},
               {"10.0.0.1:7/x y", "10.0.0.1", 7, "x y", "x y"},
               {"[::1]", "::1", 7117, "", ""},
               {"[2001:db8::1]:7/a", "2001:db8::1", 7, "a", "a"},
               {"[fe80::1%eth0]/\xff\xfe", "fe80::1%eth0", 7117, "\xff\xfe", "\xff\xfe"},
               {"4821-marble-anchor-tulip.lan", "4821-marble-anchor-tulip.lan", 7117, "", ""},
               {"host/..a/...", "host", 7117, "..a/...", "..."}};
  for (const auto& [text, host, port, path, last] : cases) {
    const auto target = parse_target(text);
    ASSERT_TRUE(target.has_value()) << text;
    EXPECT_EQ(target->host, host) << text;
    EXPECT_EQ(target->port, port) << text;
    EXPECT_EQ(target->path, path) << text;
    EXPECT_EQ(target->last_part(), last) << text;
  }
}

TEST(Target, WhatIsNoneSaysWhatToWrite) {
  for (const char* text : {"",
                           "/",
                           "/a",
                           ":80",
                           "[]",
                           "[]:80",
                           "[::1",
                           "::1",
                           "2001:db8::1/a",
                           "host:",
                           "host:0",
                           "host:65536",
                           "host:99999999999999999999",
                           "host:+1",
                           "host:1a",
                           "host: 1",
                           "host:-1",
                           "[::1]x",
                           "[::1]80",
                           "a:b:c",
                           "host/..",
                           "host/a/../b"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target.has_value()) << text;
    EXPECT_EQ(target.error().code, Code::kUsage) << text;
    EXPECT_FALSE(target.error().advice.empty()) << text;
  }
}

TEST(Target, AJoinCodeAloneNeedsAHost) {
  for (const char* text : {"4821-marble-anchor-tulip", "4821-marble-anchor-tulip:7",
                           "4821-marble-anchor-tulip/a", "4821-marble-anchor-tulip:7/a"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target.has_value());
    EXPECT_EQ(target.error().code, Code::kUsage);
    EXPECT_TRUE(target.error().object.empty()) << "the code itself is not repeated";
    EXPECT_EQ(to_sentence(target.error()).find("marble"), std::string::npos);
  }
}

TEST(Listen, AddressAndPort) {
  const struct {
    const char* text;
    const char* host;
    int port;
    bool given;
  } cases[] = {{"7000", "", 7000, true},
               {":7000", "", 7000, true},
               {"0", "", 0, true},
               {":0", "", 0, true},
               {"10.0.0.1", "10.0.0.1", 7117, false},
               {"10.0.0.1:5", "10.0.0.1", 5, true},
               {"[::1]:5", "::1", 5, true},
               {"[::1]", "::1", 7117, false},
               {"lan", "lan", 7117, false}};
  for (const auto& [text, host, port, given] : cases) {
    const auto listen = parse_listen(text);
    ASSERT_TRUE(listen.has_value()) << text;
    EXPECT_EQ(listen->host, host) << text;
    EXPECT_EQ(listen->port, port) << text;
    EXPECT_EQ(listen->port_given, given) << text;
  }
  for (const char* text : {"", "::1", "host:", "host:65536", ":x", "[::1", "a:b:c"}) {
    const auto listen = parse_listen(text);
    ASSERT_FALSE(listen.has_value()) << text;
    EXPECT_EQ(listen.error().code, Code::kUsage) << text;
  }
}

TEST(Target, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'240'012;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  constexpr std::string_view kAlphabet = "[]:/a1-.% \xff";
  for (int round = 0; round < 50'000; ++round) {
    std::string text(generator() % 14, ' ');
    for (char& c : text) c = kAlphabet[generator() % kAlphabet.size()];
    fuzz_target(as_bytes(text));
  }
}

TEST(Target, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("cli", "target_fuzz", fuzz_target), 0U);
}

}  // namespace
}  // namespace wormhole::cli
