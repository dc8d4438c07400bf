// Who may wait for authentication at once, and who makes room: sans-I/O, one thread.
//
// A flood of connections must not keep others out, and one address must not take what belongs to
// all; nor must many who come at once from one address, as machines behind one router do, end each
// other's handshakes. So a connection waits, for little, until it has said hello, and nothing of it
// is read before there is a slot for its handshake. Of those who wait, the address that has most
// gives one up when there are too many. A handshake under way is left alone for a while, then it
// gives way to the next of its address. Further streams of standing sessions have slots of their
// own once they showed the session's key.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace wormhole::session {

// Connections that have not said hello, and handshakes under way: so many of either.
inline constexpr std::size_t kPendingMax = 64;
inline constexpr std::size_t kPendingPerAddressMax = 8;  // handshakes
inline constexpr std::size_t kPendingStreamsMax = 64;
static_assert(kPendingPerAddressMax * 4 <= kPendingMax, "no address holds most of the slots");
// Three round trips on the slowest of paths; one that does nothing keeps its address's next waiting
// no longer.
inline constexpr std::chrono::seconds kUndisturbed{2};

class ListenerSlots {
 public:
  // Grows with each connection: of two, the older has the smaller.
  using Id = std::uint64_t;
  // How many handshakes from an address may be under way: more where a session stands, whose
  // streams come at once.
  using OfAddressMax = std::function<std::size_t(const std::string& ip)>;

  explicit ListenerSlots(OfAddressMax of_address_max)
      : of_address_max_(std::move(of_address_max)) {}

  // A connection came, and waits. Returns the one that must go for it.
  [[nodiscard]] std::optional<Id> admit(Id id, const std::string& ip);
  // Whether what it says is to be read now: there is a slot for its handshake, or has been taken.
  [[nodiscard]] bool may_speak(Id id, TimePoint now) const;
  // When that will become so although nobody came or went: after `now`.
  [[nodiscard]] std::optional<TimePoint> next_change(TimePoint now) const;
  // It said hello, and may_speak(): its handshake is under way. Returns the one that must go for
  // it.
  [[nodiscard]] std::optional<Id> said_hello(Id id, TimePoint now);
  // It turned out to be a stream of a standing session. Returns the one that must go for it.
  [[nodiscard]] std::optional<Id> move_to_streams(Id id);
  void release(Id id);

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t joining() const { return joining_.size(); }
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }

 private:
  struct Slot {
    std::string ip;
    TimePoint since{};  // the handshake's start
  };
  using Slots = std::map<Id, Slot>;
  [[nodiscard]] static Slots::const_iterator oldest_of_fullest(const Slots& slots);
  [[nodiscard]] Slots::const_iterator oldest_handshake_of(const std::string& ip) const;
  [[nodiscard]] bool has_its_share(const std::string& ip) const;

  const OfAddressMax of_address_max_;
  Slots waiting_;
  Slots joining_;
  Slots streams_;
};

}  // namespace wormhole::session
