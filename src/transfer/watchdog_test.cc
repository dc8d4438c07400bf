#include "transfer/watchdog.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/clock_testing.h"

namespace wormhole::transfer {
namespace {

using namespace std::chrono_literals;
using wormhole::testing::FakeClock;

// The dog's own thread looks too, about once a second; with a fake clock that changes nothing
// but who calls the action, hence the atomics.
struct Watched {
  FakeClock clock;
  Watchdog dog{clock, 60s};
  std::atomic<int> silences = 0;
  Watchdog::Watch watch{dog, [this] { ++silences; }};
};

TEST(Watchdog, EndsWhoWaitsAsLongAsTheLimit) {
  Watched watched;
  watched.watch.waiting();
  watched.clock.advance(60s - 1ns);
  watched.dog.look();
  EXPECT_EQ(watched.silences, 0);
  watched.clock.advance(1ns);
  watched.dog.look();
  EXPECT_EQ(watched.silences, 1);
}

TEST(Watchdog, CallsOnceForOneWait) {
  Watched watched;
  watched.watch.waiting();
  watched.clock.advance(61s);
  watched.dog.look();
  watched.clock.advance(1h);
  watched.dog.look();
  EXPECT_EQ(watched.silences, 1);
  watched.watch.waiting();
  watched.clock.advance(60s);
  watched.dog.look();
  EXPECT_EQ(watched.silences, 2);
}

TEST(Watchdog, LeavesAloneWhoIsBusyOrHasNotBegun) {
  Watched watched;
  watched.clock.advance(1h);
  watched.dog.look();
  watched.watch.waiting();
  watched.watch.busy();
  watched.clock.advance(1h);
  watched.dog.look();
  EXPECT_EQ(watched.silences, 0);
}

TEST(Watchdog, EachFrameBeginsTheWaitAnew) {
  Watched watched;
  for (int frame = 0; frame < 10; ++frame) {
    watched.watch.waiting();
    watched.clock.advance(59s);
    watched.dog.look();
    watched.watch.busy();
  }
  EXPECT_EQ(watched.silences, 0);
}

TEST(Watchdog, TellsWatchesApartAndForgetsThoseThatAreGone) {
  FakeClock clock;
  Watchdog dog(clock, 60s);
  std::atomic<int> first = 0;
  std::atomic<int> second = 0;
  std::optional<Watchdog::Watch> gone(std::in_place, dog, [&] { ++first; });
  Watchdog::Watch stays(dog, [&] { ++second; });
  gone->waiting();
  clock.advance(30s);
  stays.waiting();
  clock.advance(30s);
  dog.look();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  gone->waiting();
  gone.reset();
  clock.advance(60s);
  dog.look();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

// The dog's own thread, without look(): what the readers rely on.
TEST(Watchdog, LooksByItself) {
  FakeClock clock;
  Watchdog dog(clock, 60s);
  std::atomic<bool> silent = false;
  Watchdog::Watch watch(dog, [&] {
    silent = true;
    silent.notify_all();
  });
  watch.waiting();
  clock.advance(60s);
  silent.wait(false);
  EXPECT_TRUE(silent);
}

}  // namespace
}  // namespace wormhole::transfer
