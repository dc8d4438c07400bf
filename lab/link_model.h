// One direction of an emulated link, without I/O: packets and time in, packets out.
//
// A packet waits in a drop-tail queue, leaves at the link's rate, may be lost, and arrives one
// propagation delay later:
//
//     offer() -> [queue, bounded in bytes] -> rate -> loss -> [delay line] -> take_due()
//
// Loss comes after the rate, so a lost packet has used its share of the link, as on a real one.
// The rate is kept by a virtual clock of when the link is next free, not by counting ticks: how
// often advance() is called moves single packets by microseconds and never changes the rate.
//
// Thread rule: one owner thread. Times are nanoseconds of one monotonic clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

namespace wormhole::lab {

using Nanoseconds = std::int64_t;

// Largest IP packet a TUN device hands over.
inline constexpr std::size_t kMaxPacketBytes = 65535;
// A queue never shrinks below this, or a short fat link could not carry one burst.
inline constexpr std::uint64_t kMinQueueBytes = 65536;

struct LinkSettings {
  std::uint64_t bits_per_second = 0;  // 0: no shaping
  Nanoseconds one_way_delay = 0;
  double loss = 0.0;              // probability per packet, 0 to 1
  std::uint64_t queue_bytes = 0;  // 0: one bandwidth-delay product (rate x both ways)
};

struct LinkCounters {
  std::uint64_t packets = 0;  // delivered
  std::uint64_t bytes = 0;    // delivered
  std::uint64_t lost = 0;     // by the loss rate
  std::uint64_t dropped = 0;  // by the full queue
};

class LinkModel {
 public:
  using Packet = std::vector<std::byte>;

  LinkModel(LinkSettings settings, std::uint64_t seed) : settings_(settings), random_(seed) {}

  // Takes a packet that arrived at `now`; a full queue drops it.
  void offer(Packet packet, Nanoseconds now);

  // Moves packets on as far as `now` allows.
  void advance(Nanoseconds now);

  // The next packet whose time has come, oldest first.
  std::optional<Packet> take_due(Nanoseconds now);

  // When advance() or take_due() next has something to do; none when the link is empty.
  std::optional<Nanoseconds> next_event() const;

  // Settings may change under way; packets that have left the queue keep their times.
  LinkSettings& settings() { return settings_; }
  const LinkCounters& counters() const { return counters_; }
  std::uint64_t queue_limit_bytes() const;

 private:
  struct Waiting {
    Packet packet;
    Nanoseconds arrived;
  };
  struct Flying {
    Packet packet;
    Nanoseconds due;
  };

  Nanoseconds transmission_end(const Waiting& waiting) const;

  LinkSettings settings_;
  LinkCounters counters_;
  std::mt19937_64 random_;
  std::deque<Waiting> queue_;
  std::deque<Flying> line_;
  std::uint64_t queued_bytes_ = 0;
  Nanoseconds free_at_ = 0;
};

// "100mbit", "2.5gbit", "800kbit", "0" (no shaping). None if it is not a rate.
std::optional<std::uint64_t> parse_rate(const char* text);
// "50ms", "250us", "1s".
std::optional<Nanoseconds> parse_duration(const char* text);
// "1%" or "0.01".
std::optional<double> parse_probability(const char* text);

}  // namespace wormhole::lab
