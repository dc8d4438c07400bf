#include "cli/get_progress.h"

#include <gtest/gtest.h>

#include <random>

#include "base/escape.h"

namespace wormhole::cli {
namespace {

using Seconds = ProgressLine::Seconds;

ProgressSnapshot half() {
  return {.bytes_done = 500'000'000,
          .bytes_moved = 500'000'000,
          .bytes_known = 1'000'000'000,
          .all_known = true,
          .files_done = 1'234,
          .files_known = 5'678,
          .current = "photos/2024/may.jpg"};
}

TEST(ProgressLine, SaysHowFarHowFastAndHowLong) {
  ProgressLine line;
  EXPECT_EQ(line.render(half(), Seconds(5), 200),
            " 50% [==========          ] 500 MB of 1.00 GB  1,234 of 5,678 files  100 MB/s  "
            "5.0 s left  photos/2024/may.jpg");
}

TEST(ProgressLine, OnEightyColumnsTheEndOfThePathIsWhatIsShown) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.files_known = 1;
  now.current = "a very long directory name that nobody needs/and another/file.txt";
  const std::string text = line.render(now, Seconds(5), 80);
  EXPECT_EQ(text.size(), 79U) << "the last column stays free";
  EXPECT_TRUE(text.ends_with("  ...ile.txt")) << text;
}

TEST(ProgressLine, UntilAllIsAnnouncedTheTotalIsOpen) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.all_known = false;
  const std::string text = line.render(now, Seconds(5), 200);
  EXPECT_EQ(text.find('%'), std::string::npos);
  EXPECT_EQ(text.find("left"), std::string::npos);
  EXPECT_NE(text.find("500 MB of 1.00 GB+"), std::string::npos) << text;
}

TEST(ProgressLine, NothingYetAndNothingAtAll) {
  ProgressLine line;
  EXPECT_EQ(line.render({}, Seconds(0), 80), "0 B of 0 B+  0 B/s");
  ProgressSnapshot nothing;
  nothing.all_known = true;
  const std::string text = line.render(nothing, Seconds(0), 80);
  EXPECT_TRUE(text.starts_with("  0% [                    ] 0 B of 0 B")) << text;
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);
}

TEST(ProgressLine, AllOfItIsAHundredAndHasNothingLeft) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.bytes_done = now.bytes_known;
  const std::string text = line.render(now, Seconds(5), 200);
  EXPECT_TRUE(text.starts_with("100% [====================]")) << text;
  EXPECT_EQ(text.find("left"), std::string::npos);
}

// The counters are read one by one while they move.
TEST(ProgressLine, MoreDoneThanKnownIsNoMoreThanAll) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.bytes_done = now.bytes_known + 300'000'000;
  const std::string text = line.render(now, Seconds(5), 200);
  EXPECT_TRUE(text.starts_with("100% [====================]")) << text;
}

TEST(ProgressLine, TheRateFollowsWhatHappensNow) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.bytes_known = 1'000'000'000'000;
  now.bytes_done = now.bytes_moved = 1'000'000'000;
  EXPECT_NE(line.render(now, Seconds(1), 200).find("1.00 GB/s"), std::string::npos);
  std::string text;
  for (int second = 2; second < 40; ++second) text = line.render(now, Seconds(second), 200);
  EXPECT_EQ(text.find("MB/s"), std::string::npos) << "stalled: " << text;
  now.bytes_moved += 500'000'000;
  now.bytes_done = now.bytes_moved;
  text = line.render(now, Seconds(40), 200);
  EXPECT_NE(text.find("MB/s"), std::string::npos) << text;
}

TEST(ProgressLine, WhatIsThereIsNoRate) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.bytes_moved = 0;
  EXPECT_NE(line.render(now, Seconds(5), 200).find("  0 B/s"), std::string::npos);
}

TEST(ProgressLine, WhatCountsComesBeforeTheBar) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.files_there = 1'000;
  now.bytes_reused = 200'000'000;
  now.failed = 7;
  const std::string narrow = line.render(now, Seconds(5), 100);
  EXPECT_TRUE(
      narrow.starts_with(" 50% 500 MB of 1.00 GB  1,234 of 5,678 files, 1,000 there, "
                         "200 MB reused, 7 failed  100 MB/s"))
      << narrow;
  EXPECT_TRUE(line.render(now, Seconds(6), 200).starts_with(" 50% [==========          ] 500 MB"));
}

TEST(ProgressLine, NamesAreEscaped) {
  ProgressLine line;
  ProgressSnapshot now = half();
  now.current = "a\x1b[31m\r\nb\xff";
  const std::string text = line.render(now, Seconds(5), 200);
  for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_TRUE(text.ends_with(escape(now.current))) << text;
}

TEST(ProgressLine, IsNeverLongerThanTheTerminal) {
  constexpr std::uint64_t kSeed = 20'240'013;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  ProgressLine line;
  Seconds at{0};
  for (int round = 0; round < 20'000; ++round) {
    ProgressSnapshot now;
    now.bytes_known = generator() >> (generator() % 64);
    now.bytes_done = now.bytes_known / (1 + generator() % 3);
    now.all_known = generator() % 2 == 0;
    now.files_known = generator() >> (generator() % 64);
    now.files_done = now.files_known / 2;
    for (auto n = generator() % 120; n > 0; --n) {
      now.current += generator() % 5 == 0 ? "\xc3\xa9" : "x";
    }
    at += Seconds(0.2 * static_cast<double>(generator() % 3));
    const unsigned columns = round % 4 == 0   ? 80
                             : round % 4 == 1 ? 200
                                              : static_cast<unsigned>(generator() % 100);
    const std::string text = line.render(now, at, columns);
    EXPECT_LE(text.size(), columns == 0 ? 0 : columns - 1) << columns;
    EXPECT_TRUE(is_utf8(text)) << "cut between characters";
  }
}

}  // namespace
}  // namespace wormhole::cli
