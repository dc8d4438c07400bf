// How many further streams a path is worth: sans-I/O, time and bytes in, a number out.
//
// One TCP stream is slower than its path where the congestion control takes each lost packet for
// congestion, or where the receive window is smaller than the path holds; several share that
// fate and add up. So: begin with a few, measure what arrives, try more, and keep them only
// if more arrives. What did not help is given back, and tried again later, ever more rarely, as
// paths change. Where the sender slows down with each lost packet, it is kept as far as the path
// feeds it: before its first loss a stream is faster than it will be, so none seems to help. Where
// it slows down only for a full path, and a queue seems to show that it is full, trials wait for
// minutes: not for ever, as a shaper has a queue for each stream, and paths become longer.
//
// Not thread-safe: one owner.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace wormhole::transfer {

// Further streams on a path that is not local, to begin with: as many as browsers take to one host.
// A fresh stream may send ten segments in its first round trip (RFC 6928), so six fill a path six
// times as soon as one, and later they cost nothing (docs/measurements.md).
inline constexpr unsigned kStreamsToBegin = 6;
// Where the sender slows down with each lost packet: by the time it is measured how many are
// needed, a file of 50 MB is half over. Were they too many, the first measurement says so.
inline constexpr unsigned kLossBasedToBegin = 24;

// Of the sender's kernel: what makes it send less. kModelBased (BBR): a path that is full.
// kLossBased (CUBIC, Reno): a lost packet.
enum class Congestion : std::uint8_t { kModelBased, kLossBased };

class StreamController {
 public:
  // `streams_max`: what the host granted.
  StreamController(Duration round_trip, unsigned streams_max,
                   Congestion congestion = Congestion::kModelBased);

  static constexpr std::uint64_t kUnknown = UINT64_MAX;

  struct Sample {
    std::uint64_t arrived_bytes = 0;      // on the wire, in all
    std::uint64_t left_bytes = kUnknown;  // still to come
    unsigned up = 0;                      // further streams that carry it
    Duration round_trip{};                // of late, with the path's queues; 0: unknown
  };
  // Returns how many further streams there should be. Called about every interval() while something
  // is under way.
  [[nodiscard]] unsigned on_sample(TimePoint now, const Sample& sample);
  // Nothing was under way for a while: rates begin anew.
  void on_pause();
  [[nodiscard]] Duration interval() const;

 private:
  enum class Phase : std::uint8_t { kComing, kSettling, kMeasuring, kHolding };

  void enter(Phase phase, TimePoint now, Duration lasts);
  void await_streams(TimePoint now);
  void on_rate(double bytes_per_second, const Sample& sample, TimePoint now);
  // At that rate, as many as still have something to send in each round trip.
  [[nodiscard]] unsigned fed_by(double bytes_per_second) const;
  [[nodiscard]] bool is_worth_a_trial(double bytes_per_second, std::uint64_t left_bytes) const;
  [[nodiscard]] bool seems_full(Duration round_trip) const;
  void grow(TimePoint now);
  // So many, which must bring more than baseline_.
  void try_out(unsigned streams, TimePoint now);
  void hold(TimePoint now);
  void on_fall(double bytes_per_second, TimePoint now);

  const Duration round_trip_;
  const unsigned granted_;
  const Congestion congestion_;
  unsigned max_;  // what is to be had just now
  unsigned wanted_;
  unsigned before_growth_ = 0;  // 0: nothing is being tried
  unsigned retired_ = 0;        // how many there were before some were given back
  unsigned factor_;             // of the next growth
  Duration hold_for_;
  double last_rate_ = 0;  // of the window before this one, at the same number of streams
  double baseline_ = 0;   // what growth must beat
  bool is_second_look_ = false;
  int looks_put_off_ = 0;      // for a queue, one after the other
  TimePoint patient_until_{};  // a growth that brings nothing is not taken back before
  int windows_fallen_ = 0;     // one after the other, while holding
  Phase phase_ = Phase::kComing;
  TimePoint phase_ends_{};  // the epoch: the phase begins with the next sample
  TimePoint window_began_{};
  std::uint64_t window_bytes_ = 0;
};

}  // namespace wormhole::transfer
