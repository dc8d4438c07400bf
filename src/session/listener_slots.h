// Who may wait for authentication at once, and who makes room: sans-I/O, one thread.
//
// A flood of silent connections must not keep others out, and one address must not take what
// belongs to all. So nobody new is ever turned away for want of a slot: the address that holds
// most gives one up, first one that has not yet said hello, then its oldest. Further streams of
// standing sessions have slots of their own once they showed the session's key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace wormhole::session {

inline constexpr std::size_t kPendingMax = 64;
inline constexpr std::size_t kPendingPerAddressMax = 8;
inline constexpr std::size_t kPendingStreamsMax = 64;
static_assert(kPendingPerAddressMax * 4 <= kPendingMax, "no address holds most of the slots");

class ListenerSlots {
 public:
  // Grows with each connection: of two, the older has the smaller.
  using Id = std::uint64_t;

  // A connection came. Returns the one that must go for it. `of_address_max`: how many from that
  // address may wait (more where a session stands, whose streams come at once).
  [[nodiscard]] std::optional<Id> admit(Id id, const std::string& ip,
                                        std::size_t of_address_max = kPendingPerAddressMax);
  void said_hello(Id id);
  // It turned out to be a stream of a standing session. Returns the one that must go for it.
  [[nodiscard]] std::optional<Id> move_to_streams(Id id);
  void release(Id id);

  [[nodiscard]] std::size_t joining() const { return joining_.size(); }
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }

 private:
  struct Slot {
    std::string ip;
    bool said_hello = false;
  };
  using Slots = std::map<Id, Slot>;
  [[nodiscard]] std::string fullest_address() const;
  [[nodiscard]] Id first_to_go(const std::string& ip) const;

  Slots joining_;
  Slots streams_;
};

}  // namespace wormhole::session
