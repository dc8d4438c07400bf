#include "transfer/stream_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace wormhole::transfer {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRoundTrip = 50ms;
// Four round trips, as TCP, key exchange and TLS take them.
constexpr Duration kDial = 4 * kRoundTrip;
constexpr double kMegabyte = 1e6;

// A path without a network: its rate in bytes per second by the number of streams that carry
// data; streams come up after a dial, and end at once.
class Path {
 public:
  explicit Path(std::function<double(unsigned)> rate, unsigned granted = 63,
                Congestion congestion = Congestion::kModelBased, Duration round_trip = kRoundTrip)
      : rate_(std::move(rate)), controller_(round_trip, granted, congestion) {}

  // Lets time pass; returns how many streams are wanted after it.
  unsigned run(Duration lasts) {
    const TimePoint end = now_ + lasts;
    while (now_ < end) {
      // The first connection carries data as well until others do.
      received_ += rate_(up_) * std::chrono::duration<double>(kTick).count();
      now_ += kTick;
      if (up_ > wanted_) up_ = wanted_;
      if (up_ < wanted_ && now_ >= asked_at_ + kDial) up_ = std::min(wanted_, room_);
      const unsigned wanted =
          controller_.on_sample(now_, {.arrived_bytes = static_cast<std::uint64_t>(received_),
                                       .left_bytes = left(),
                                       .up = up_,
                                       .round_trip = round_trip_});
      if (wanted > wanted_) {
        asked_at_ = now_;
        ++growths_;
      }
      wanted_ = wanted;
      most_ = std::max(most_, wanted);
    }
    return wanted_;
  }
  void pause(Duration lasts) {
    controller_.on_pause();
    now_ += lasts;
  }
  void set_rate(std::function<double(unsigned)> rate) { rate_ = std::move(rate); }
  void forget_most() { most_ = 0; }
  void set_room(unsigned room) { room_ = room; }
  // What data takes, there and back; not known before.
  void set_round_trip(Duration round_trip) { round_trip_ = round_trip; }
  // So much is to come in all.
  void set_size(double bytes) { size_ = bytes; }

  [[nodiscard]] unsigned up() const { return up_; }
  [[nodiscard]] unsigned most() const { return most_; }
  [[nodiscard]] int growths() const { return growths_; }

 private:
  [[nodiscard]] std::uint64_t left() const {
    if (size_ == 0) return StreamController::kUnknown;
    return static_cast<std::uint64_t>(std::max(0.0, size_ - received_));
  }

  static constexpr Duration kTick = 100ms;
  std::function<double(unsigned)> rate_;
  StreamController controller_;
  TimePoint now_ = TimePoint(1h);
  TimePoint asked_at_{};
  double received_ = 0;
  double size_ = 0;  // 0: not known
  unsigned up_ = 0;
  unsigned wanted_ = 0;
  unsigned room_ = 63;
  Duration round_trip_{};
  unsigned most_ = 0;
  int growths_ = 0;
};

// A link that any number of streams fills.
std::function<double(unsigned)> full_at(double bytes_per_second) {
  return [=](unsigned) { return bytes_per_second; };
}
// Loss keeps each stream at `each`; the link holds `all`.
std::function<double(unsigned)> shared(double each, double all) {
  return [=](unsigned streams) { return std::min(all, each * std::max(streams, 1U)); };
}

TEST(StreamController, ALinkThatIsFullKeepsTheFewItBeganWith) {
  Path path(full_at(11.9 * kMegabyte));
  EXPECT_EQ(path.run(8s), kStreamsToBegin);
  EXPECT_GT(path.most(), kStreamsToBegin) << "more were tried";
}

// Eighteen streams more would only share what there is, and whoever has to go leaves a hole.
TEST(StreamController, WhereAQueueShowsThatTheLinkIsFullNothingIsTried) {
  Path path(full_at(11.9 * kMegabyte));
  path.set_round_trip(2 * kRoundTrip);
  EXPECT_EQ(path.run(60s), kStreamsToBegin);
  EXPECT_EQ(path.most(), kStreamsToBegin);
}

TEST(StreamController, WithoutTheQueueThereIsATrialAtTheNextLook) {
  Path path(full_at(11.9 * kMegabyte));
  path.set_round_trip(2 * kRoundTrip);
  path.run(5s);
  EXPECT_EQ(path.most(), kStreamsToBegin);
  path.set_round_trip(kRoundTrip + kRoundTrip / 5);
  path.set_rate(shared(0.8 * kMegabyte, 11.9 * kMegabyte));
  path.run(15s);
  EXPECT_GT(path.up(), kStreamsToBegin);
}

// Where a shaper has a queue for each stream they add up all the same.
TEST(StreamController, AQueuePutsATrialOffForAMinuteOrTwo) {
  Path path(shared(0.8 * kMegabyte, 11.9 * kMegabyte));
  path.set_round_trip(2 * kRoundTrip);
  path.run(120s);
  EXPECT_GE(path.up(), 16U);
}

// And where they bring nothing, trials become no more frequent by it.
TEST(StreamController, AQueueThatComesAndGoesMakesTrialsNoMoreFrequent) {
  Path path(full_at(10 * kMegabyte));
  for (int i = 0; i < 500; ++i) {
    path.set_round_trip(i % 2 == 0 ? kRoundTrip : 2 * kRoundTrip);
    path.run(1s + 100ms);
  }
  EXPECT_LE(path.growths(), 6);
}

TEST(StreamController, AFewMillisecondsAreNoQueue) {
  Path path(full_at(11.9 * kMegabyte), 63, Congestion::kModelBased, 5ms);
  path.set_round_trip(9ms);
  path.run(8s);
  EXPECT_GT(path.most(), kStreamsToBegin);
}

TEST(StreamController, StreamsAreAddedUntilAQueueShowsThatTheLinkIsFull) {
  Path path(shared(0.5 * kMegabyte, 11.9 * kMegabyte));
  path.set_round_trip(kRoundTrip);
  for (int tenths = 0; path.up() < 24 && tenths < 600; ++tenths) path.run(100ms);
  ASSERT_EQ(path.up(), 24U);
  path.set_round_trip(2 * kRoundTrip);
  path.run(20s);
  EXPECT_EQ(path.most(), 24U);
}

// To a loss-based sender a queue is nothing to slow down for: it has one before each loss.
TEST(StreamController, ALossBasedSendersQueueDecidesNothing) {
  Path path(shared(0.1 * kMegabyte, 11.9 * kMegabyte), 63, Congestion::kLossBased);
  path.set_round_trip(2 * kRoundTrip);
  path.run(10s);
  EXPECT_GT(path.up(), kLossBasedToBegin);
}

TEST(StreamController, LossyStreamsAddUpUntilTheLinkIsFull) {
  Path path(shared(0.8 * kMegabyte, 11.9 * kMegabyte));
  // 0.8 MB/s each: fifteen fill it, twenty-four are kept. Twice as many are tried as well, and not
  // taken back at once: where streams helped so much, their losses may be still to come.
  EXPECT_EQ(path.run(6s), 48U);
  EXPECT_EQ(path.run(12s), 24U);
}

// Before its first loss a fresh stream is faster than it will be: twenty-four seem to be enough.
TEST(StreamController, WhatWasGivenBackTooEarlyComesBack) {
  unsigned streams_then = 0;
  double time = 0;
  double grown_at = 0;
  Path path([&](unsigned streams) {
    time += 0.1;
    if (streams > streams_then) grown_at = time;
    streams_then = streams;
    const double each = time - grown_at < 3 ? 0.6 : 0.3;
    return std::min(11.9, each * std::max(streams, 1U)) * kMegabyte;
  });
  path.run(15s);
  EXPECT_GE(path.up(), 39U);
}

TEST(StreamController, AShortDipIsNoReasonForMore) {
  int tick = 0;
  // Every ten seconds one second of a tenth of the rate.
  Path path([&](unsigned) { return (++tick % 100 < 10 ? 1 : 10) * kMegabyte; });
  path.run(5s);
  const int growths = path.growths();
  path.run(7s);
  EXPECT_EQ(path.growths(), growths);
}

TEST(StreamController, TheMostAPathMayHaveIsReachedInSeconds) {
  Path path(shared(0.1 * kMegabyte, 1000 * kMegabyte));
  EXPECT_EQ(path.run(8s), 63U);
  EXPECT_EQ(path.run(600s), 63U);
}

TEST(StreamController, ALossBasedSenderBeginsWithMany) {
  Path path(shared(0.33 * kMegabyte, 11.9 * kMegabyte), 63, Congestion::kLossBased);
  EXPECT_EQ(path.run(500ms), kLossBasedToBegin);
  EXPECT_GE(path.run(3s), 37U) << "which fill it";
  Path few(shared(kMegabyte, 100 * kMegabyte), 9, Congestion::kLossBased);
  EXPECT_EQ(few.run(60s), 9U);
}

// Until each has met its first loss they seem to be enough, whatever is tried besides. What comes
// after that is worse than a few streams that are idle.
TEST(StreamController, WhatALossBasedSenderHasTriedItKeeps) {
  double time = 0;
  Path path(
      [&](unsigned streams) {
        time += 0.1;
        return std::min(11.9, (time < 4 ? 0.6 : 0.3) * std::max(streams, 1U)) * kMegabyte;
      },
      63, Congestion::kLossBased);
  EXPECT_EQ(path.run(4s), 48U);
  EXPECT_EQ(path.run(8s), 48U);
  path.run(60s);
  EXPECT_EQ(path.up(), 63U);
}

// Two segments a round trip each are 58 KB/s: half of what two dozen streams would send.
TEST(StreamController, TooManyForASlowPathAreTakenBack) {
  Path slow(full_at(0.7 * kMegabyte), 63, Congestion::kLossBased);
  EXPECT_EQ(slow.run(5s), 12U);
  slow.run(600s);
  EXPECT_LE(slow.up(), 24U);
  Path slower(full_at(0.1 * kMegabyte), 63, Congestion::kLossBased);
  EXPECT_EQ(slower.run(5s), kStreamsToBegin);
  // Thirty-four are fed: of forty-eight that were tried, only those are kept.
  Path fed(full_at(2 * kMegabyte), 63, Congestion::kLossBased);
  EXPECT_EQ(fed.run(10s), 34U);
}

TEST(StreamController, WaitsWhileTheRateStillRisesByItself) {
  // Slow start, doubling every half a second whatever the number of streams.
  double rate = kMegabyte;
  Path path([&](unsigned) { return rate; });
  for (int doublings = 0; doublings < 10; ++doublings) {
    path.run(500ms);
    rate *= 2;
  }
  EXPECT_EQ(path.most(), kStreamsToBegin);
}

TEST(StreamController, WhatDidNotHelpIsTriedAgainEverMoreRarely) {
  Path path(full_at(10 * kMegabyte));
  path.run(60s);
  const int in_the_first_minute = path.growths();
  EXPECT_GE(in_the_first_minute, 3);
  path.run(600s);
  EXPECT_LE(path.growths(), in_the_first_minute + 5);
  EXPECT_EQ(path.up(), kStreamsToBegin);
}

TEST(StreamController, NoticesThatThePathHasBecomeLossy) {
  Path path(full_at(10 * kMegabyte));
  path.run(30s);
  path.set_rate(shared(kMegabyte, 10 * kMegabyte));
  path.run(120s);
  EXPECT_GE(path.up(), 8U);
}

// A path that has become slower is as full as before: more only lose what they send, and wait for
// timers.
TEST(StreamController, WhatComesBackForNothingGoesAgain) {
  Path path(full_at(12.5 * kMegabyte));
  path.run(5s);
  path.set_rate(full_at(3.75 * kMegabyte));
  path.forget_most();
  EXPECT_EQ(path.run(8s), kStreamsToBegin);
  EXPECT_GT(path.most(), kStreamsToBegin) << "those that were given back were tried again";
  EXPECT_LE(path.most(), 24U);
}

TEST(StreamController, IsContentWithWhatTheHostLetsIn) {
  Path path(shared(kMegabyte, 100 * kMegabyte));
  path.set_room(7);
  EXPECT_EQ(path.run(10s), 7U);
  EXPECT_EQ(path.run(300s), 7U);
}

// Some of those that stood before the trial, too.
TEST(StreamController, IsContentWithWhatIsLeftAfterATrial) {
  Path path(full_at(11.9 * kMegabyte));
  for (int i = 0; i < 100 && path.most() <= kStreamsToBegin; ++i) path.run(100ms);
  ASSERT_GT(path.most(), kStreamsToBegin) << "more are being tried";
  path.set_room(kStreamsToBegin - 1);
  EXPECT_EQ(path.run(8s), kStreamsToBegin - 1);
}

TEST(StreamController, NeverWantsMoreThanWasGranted) {
  for (const unsigned granted : {1U, 3U, 9U}) {
    Path path(shared(kMegabyte, 100 * kMegabyte), granted);
    EXPECT_EQ(path.run(60s), granted);
    EXPECT_EQ(path.most(), granted);
  }
}

TEST(StreamController, ASlowDiskIsNoReasonForMore) {
  // The taker's disk takes 3 MB/s, in bursts of ten seconds.
  int tick = 0;
  Path path([&](unsigned) { return ++tick / 100 % 2 == 0 ? 6 * kMegabyte : 0; });
  path.run(600s);
  EXPECT_LE(path.up(), 16U);
}

// A trial costs a little, and what it found out nobody would use.
TEST(StreamController, TriesNothingWhenTheEndIsNear) {
  Path short_file(full_at(12 * kMegabyte));
  short_file.set_size(48 * kMegabyte);
  short_file.run(4s);
  EXPECT_EQ(short_file.most(), kStreamsToBegin);

  Path long_file(full_at(12 * kMegabyte));
  long_file.set_size(480 * kMegabyte);
  long_file.run(4s);
  EXPECT_GT(long_file.most(), kStreamsToBegin);

  Path slow(shared(0.3 * kMegabyte, 12 * kMegabyte));
  slow.set_size(48 * kMegabyte);
  slow.run(4s);
  EXPECT_GT(slow.most(), kStreamsToBegin) << "at this rate the end is far";
}

TEST(StreamController, NothingArrivingIsNoRate) {
  Path path(full_at(0));
  EXPECT_EQ(path.run(300s), kStreamsToBegin);
  EXPECT_EQ(path.most(), kStreamsToBegin);
}

TEST(StreamController, APauseIsNotTakenForASlowPath) {
  Path path(full_at(10 * kMegabyte));
  path.run(3s);
  for (int i = 0; i < 20; ++i) {
    path.pause(30s);
    path.run(500ms);
  }
  EXPECT_LE(path.up(), 16U);
}

}  // namespace
}  // namespace wormhole::transfer
