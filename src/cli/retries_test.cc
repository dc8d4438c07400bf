#include "cli/retries.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace wormhole::cli {
namespace {

using namespace std::chrono_literals;

class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  TimePoint now_ = TimePoint(1h);
};

const Error kUnreachable{.code = Code::kConnect, .operation = "connect", .os_errno = EHOSTUNREACH};
const Error kLost{.code = Code::kLost, .operation = "receive from"};

TEST(Retries, WaitLongerEachTimeAndGiveUpAfterAMinute) {
  ManualClock clock;
  Retries retries(clock);
  std::vector<Duration> waits;
  while (const auto wait = retries.after(kUnreachable, false)) {
    waits.push_back(*wait);
    clock.advance(*wait + 100ms);
  }
  const std::vector<Duration> expected = {1s, 2s, 4s, 8s, 8s, 8s, 8s, 8s, 8s, 8s};
  EXPECT_EQ(waits, expected);
}

TEST(Retries, WhatArrivesStartsThemAnew) {
  ManualClock clock;
  Retries retries(clock);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(retries.after(kLost, true), 1s);
    clock.advance(30s);
    EXPECT_EQ(retries.after(kLost, false), 2s);
    clock.advance(2s);
  }
}

TEST(Retries, AHostThatHangsUpEachTimeIsLeftAlone) {
  ManualClock clock;
  Retries retries(clock);
  EXPECT_TRUE(retries.after(kLost, true).has_value());
  EXPECT_TRUE(retries.after(kUnreachable, false).has_value());
  EXPECT_TRUE(retries.after(kLost, false).has_value());
  EXPECT_TRUE(retries.after(kLost, false).has_value());
  EXPECT_TRUE(retries.after(kLost, false).has_value());
  EXPECT_FALSE(retries.after(kLost, false).has_value());
}

TEST(Retries, OnlyWhatMayPassIsTriedAgain) {
  const ManualClock clock;
  const auto is_tried = [&](Code code, int os_errno = 0) {
    return Retries(clock)
        .after({.code = code, .operation = "x", .os_errno = os_errno}, true)
        .has_value();
  };
  EXPECT_TRUE(is_tried(Code::kLost));
  EXPECT_TRUE(is_tried(Code::kTimeout));
  EXPECT_TRUE(is_tried(Code::kConnect, EHOSTUNREACH));
  EXPECT_FALSE(is_tried(Code::kConnect, ECONNREFUSED)) << "the host has ended";
  for (const Code code : {Code::kWrongCode, Code::kRefused, Code::kVersion, Code::kProtocol,
                          Code::kNoSpace, Code::kLocalIo, Code::kInterrupted, Code::kCrypto}) {
    EXPECT_FALSE(is_tried(code)) << code_name(code);
  }
}

}  // namespace
}  // namespace wormhole::cli
