// The sessions a host has let in, as far as further streams need to know them.
//
// Thread-safe: the listener's thread asks, any thread forgets. One mutex, nothing called under
// it.
#pragma once

#include <array>
#include <bitset>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/limits.h"
#include "session/stream_ticket.h"

namespace wormhole::session {

// Far more than threads for their streams: what is bounded is memory should nobody forget().
inline constexpr std::size_t kSessionsMax = 256;
static_assert(kSessionsMax >= kSessionsServedMax, "the host turns away before the listener");

class ListenerSessions {
 public:
  [[nodiscard]] bool full() const;
  // Precondition: not full().
  void add(std::shared_ptr<const StreamTicket> ticket, const std::string& ip);
  // nullptr: no such session, or a number that is out of range or was let in before.
  [[nodiscard]] std::shared_ptr<const StreamTicket> find(const SessionId& session,
                                                         unsigned number) const;
  // True once for each number find() would give a ticket for.
  [[nodiscard]] bool claim(const SessionId& session, unsigned number);
  void forget(const SessionId& session);
  // Some session came from there.
  [[nodiscard]] bool has_session_from(const std::string& ip) const;

 private:
  struct Session {
    std::shared_ptr<const StreamTicket> ticket;
    std::string ip;
    std::bitset<kStreamsMax> used;
  };
  mutable std::mutex mutex_;
  std::map<SessionId, Session> sessions_;
};

}  // namespace wormhole::session
