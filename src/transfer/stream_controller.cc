#include "transfer/stream_controller.h"

#include <algorithm>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

using namespace std::chrono_literals;

// A dial is four round trips; with a lost SYN a second more. Who has not come by then does not.
constexpr int kDialRoundTrips = 4;
constexpr int kComingRoundTrips = 8;
constexpr Duration kComingSlack = 1500ms;
// Until a fresh stream has found its rate, and what it displaced has found its own.
constexpr int kSettlingRoundTrips = 4;
constexpr Duration kSettlingMin = 100ms;
// Long enough that the pace of single losses does not count as a trend.
constexpr int kWindowRoundTrips = 8;
constexpr Duration kWindowMin = 300ms;
constexpr Duration kTickMax = 100ms;

// What is left should outlast a trial of more streams so many times: a fresh one takes a while to
// pay, and the last frames of one that is retired hold up the end.
constexpr int kTrialsLeft = 4;

// The path still opens up by itself while a window brings so much more than the one before.
constexpr double kStillRising = 1.15;
// Streams are kept for this much more. Two windows on an idle path differ by 1 %.
constexpr double kWorthIt = 1.05;
// And still more are tried at once after this much: below, the path is about full.
constexpr double kWorthMore = 1.25;
// So much less than what was measured, so many windows on end, and it holds no longer. (The first
// round trips of a stream, before its first loss, promise more than comes after. Shorter dips are
// none of ours: BBR empties the path every ten seconds to measure it.)
constexpr double kFallen = 0.85;
constexpr int kWindowsFallen = 4;
// So much more than the path's own round trip, and there is a queue: who measures the path before
// it sends keeps one where that is full (BBR: up to as much again as is on the way). Less is what
// cores and radios make of it.
constexpr double kQueued = 0.25;
constexpr Duration kQueuedMin = 5ms;
// So many trials are put off for it, 70 s in all, before one is made all the same.
constexpr int kLooksPutOff = 3;
// Less than this is a pause between files, no rate.
constexpr double kIdleBytesPerSecond = 64 * 1024;

// A growth that brings nothing is taken back after one window; behind one that brought much, only
// after so long: there, streams add up because of losses, and those just begun seem to be enough
// until each has met its first.
constexpr Duration kPatience = 10s;

// At first each step is long: a path that needs sixty streams should have them within seconds.
constexpr unsigned kFirstFactor = 4;
constexpr unsigned kLaterFactor = 2;
constexpr unsigned kManyStreams = 16;  // from here on, doubling is a long step
// A stream never sends less than two segments in a round trip (RFC 5681): too many on a slow path
// would lose what they send and wait for timers.
constexpr double kLeastSegments = 2;
constexpr double kSegmentBytesOnTheWay = 1448;  // Ethernet's
constexpr Duration kHoldFirst = 10s;
constexpr Duration kHoldMax = 160s;

Duration settling_lasts(Duration round_trip) {
  return std::max<Duration>(kSettlingRoundTrips * round_trip, kSettlingMin);
}

Duration window_lasts(Duration round_trip) {
  return std::max<Duration>(kWindowRoundTrips * round_trip, kWindowMin);
}

}  // namespace

StreamController::StreamController(Duration round_trip, unsigned streams_max, Congestion congestion)
    : round_trip_(round_trip),
      granted_(streams_max),
      congestion_(congestion),
      max_(streams_max),
      wanted_(std::min(congestion == Congestion::kLossBased ? kLossBasedToBegin : kStreamsToBegin,
                       streams_max)),
      factor_(kFirstFactor),
      hold_for_(kHoldFirst) {}

Duration StreamController::interval() const {
  return std::min<Duration>(2 * round_trip_, kTickMax);
}

void StreamController::enter(Phase phase, TimePoint now, Duration lasts) {
  phase_ = phase;
  phase_ends_ = now + lasts;
}

void StreamController::await_streams(TimePoint now) {
  enter(Phase::kComing, now, kComingRoundTrips * round_trip_ + kComingSlack);
}

void StreamController::on_pause() {
  // A growth under way is judged by nothing now: what it brought stays until the next.
  before_growth_ = 0;
  patient_until_ = TimePoint{};
  last_rate_ = 0;
  window_began_ = TimePoint{};
  windows_fallen_ = 0;
  if (phase_ != Phase::kHolding) {
    phase_ = Phase::kComing;
    phase_ends_ = TimePoint{};
  }
}

unsigned StreamController::on_sample(TimePoint now, const Sample& sample) {
  const Duration window = window_lasts(round_trip_);
  const auto begin_window = [&] {
    window_began_ = now;
    window_bytes_ = sample.arrived_bytes;
  };
  const auto measure = [&] {
    begin_window();
    enter(Phase::kMeasuring, now, window);
  };
  const auto rate = [&] {
    const std::chrono::duration<double> lasted = now - window_began_;
    return static_cast<double>(sample.arrived_bytes - window_bytes_) / lasted.count();
  };
  if (phase_ == Phase::kComing && phase_ends_ == TimePoint{}) {
    await_streams(now);
  }
  switch (phase_) {
    case Phase::kComing:
      if (sample.up < wanted_ && now < phase_ends_) break;
      if (sample.up < wanted_) wanted_ = max_ = std::max(sample.up, 1U);  // no more are to be had
      enter(Phase::kSettling, now, settling_lasts(round_trip_));
      break;
    case Phase::kSettling:
      if (now >= phase_ends_) measure();
      break;
    case Phase::kMeasuring: {
      if (now < phase_ends_) break;
      const double measured = rate();
      measure();
      if (measured >= kIdleBytesPerSecond) on_rate(measured, sample, now);
      break;
    }
    case Phase::kHolding:
      if (window_began_ == TimePoint{}) {
        begin_window();
      } else if (now - window_began_ >= window) {
        const double measured = rate();
        const bool fell = measured >= kIdleBytesPerSecond && measured < kFallen * baseline_;
        windows_fallen_ = fell ? windows_fallen_ + 1 : 0;
        begin_window();
        if (windows_fallen_ == kWindowsFallen) on_fall(measured, now);
      }
      if (windows_fallen_ < kWindowsFallen && now < phase_ends_) break;
      last_rate_ = 0;
      max_ = granted_;  // those that did not come may come now
      if (phase_ == Phase::kHolding) measure();
      break;
  }
  return wanted_;
}

unsigned StreamController::fed_by(double bytes_per_second) const {
  const double round_trips = 1 / std::chrono::duration<double>(round_trip_).count();
  return static_cast<unsigned>(
      std::min(bytes_per_second / (round_trips * kLeastSegments * kSegmentBytesOnTheWay),
               static_cast<double>(kStreamsMax)));
}

bool StreamController::is_worth_a_trial(double bytes_per_second, std::uint64_t left_bytes) const {
  if (left_bytes == kUnknown) return true;
  const Duration trial =
      kDialRoundTrips * round_trip_ + settling_lasts(round_trip_) + window_lasts(round_trip_);
  const std::chrono::duration<double> enough = kTrialsLeft * trial;
  return static_cast<double>(left_bytes) > enough.count() * bytes_per_second;
}

bool StreamController::seems_full(Duration round_trip) const {
  const Duration queued = round_trip - round_trip_;
  return congestion_ == Congestion::kModelBased && queued > kQueuedMin &&
         queued > kQueued * round_trip_;
}

void StreamController::on_rate(double bytes_per_second, const Sample& sample, TimePoint now) {
  const unsigned useful = std::max(fed_by(bytes_per_second), kStreamsToBegin);
  if (before_growth_ == 0) {
    const bool rising = last_rate_ == 0 || bytes_per_second >= kStillRising * last_rate_;
    baseline_ = std::max(last_rate_, bytes_per_second);
    last_rate_ = bytes_per_second;
    if (!rising && useful < wanted_) {
      wanted_ = useful;
      factor_ = kLaterFactor;
      hold(now);
      return;
    }
    if (rising || !is_worth_a_trial(bytes_per_second, sample.left_bytes)) return;
    if (seems_full(sample.round_trip) && looks_put_off_ < kLooksPutOff) {
      ++looks_put_off_;
      hold(now);
      return;
    }
    looks_put_off_ = 0;
    grow(now);
    return;
  }
  const double gain = bytes_per_second / baseline_;
  if (gain >= kWorthIt) {
    // A small gain may be chance: it must show twice.
    if (gain < kWorthMore && !is_second_look_) {
      is_second_look_ = true;
      return;
    }
    baseline_ = bytes_per_second;
    hold_for_ = kHoldFirst;
    if (gain >= kWorthMore && is_worth_a_trial(bytes_per_second, sample.left_bytes) &&
        !seems_full(sample.round_trip)) {
      grow(now);
      patient_until_ = now + kPatience;
    } else {
      hold(now);
    }
    return;
  }
  is_second_look_ = false;
  if (now < patient_until_) return;
  const unsigned kept = congestion_ == Congestion::kLossBased ? useful : 0;
  retired_ = wanted_;
  // Not clamp(): of those that stood before, some may be lost.
  wanted_ = std::min(std::max(kept, before_growth_), wanted_);
  factor_ = kLaterFactor;
  hold(now);
}

// Those that seemed to bring nothing were needed after all? They must bring more than there is now.
void StreamController::on_fall(double bytes_per_second, TimePoint now) {
  const unsigned restored = std::min(retired_, granted_);
  retired_ = 0;
  if (restored <= wanted_) return;
  baseline_ = bytes_per_second;
  try_out(restored, now);
}

void StreamController::grow(TimePoint now) {
  const unsigned factor = wanted_ >= kManyStreams ? kLaterFactor : factor_;
  const unsigned next = std::min(factor * wanted_, max_);
  if (next <= wanted_) {
    hold(now);
    return;
  }
  retired_ = 0;
  try_out(next, now);
}

void StreamController::try_out(unsigned streams, TimePoint now) {
  before_growth_ = wanted_;
  is_second_look_ = false;
  wanted_ = streams;
  await_streams(now);
}

void StreamController::hold(TimePoint now) {
  before_growth_ = 0;
  windows_fallen_ = 0;
  patient_until_ = TimePoint{};
  enter(Phase::kHolding, now, hold_for_);
  hold_for_ = std::min(2 * hold_for_, kHoldMax);
}

}  // namespace wormhole::transfer
