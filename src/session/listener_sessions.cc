#include "session/listener_sessions.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace wormhole::session {

bool ListenerSessions::full() const {
  const std::scoped_lock lock(mutex_);
  return sessions_.size() >= kSessionsMax;
}

void ListenerSessions::add(std::shared_ptr<const StreamTicket> ticket, const std::string& ip) {
  const std::scoped_lock lock(mutex_);
  WH_CHECK(sessions_.size() < kSessionsMax);
  const SessionId id = ticket->session();
  Session session{.ticket = std::move(ticket), .ip = ip, .used = {}};
  session.used.set(0);  // the first connection itself
  sessions_.insert_or_assign(id, std::move(session));
}

std::shared_ptr<const StreamTicket> ListenerSessions::find(const SessionId& session,
                                                           unsigned number) const {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || number >= kStreamsMax || found->second.used.test(number)) {
    return nullptr;
  }
  return found->second.ticket;
}

bool ListenerSessions::claim(const SessionId& session, unsigned number) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || number >= kStreamsMax || found->second.used.test(number)) {
    return false;
  }
  found->second.used.set(number);
  return true;
}

void ListenerSessions::forget(const SessionId& session) {
  const std::scoped_lock lock(mutex_);
  sessions_.erase(session);
}

bool ListenerSessions::has_session_from(const std::string& ip) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(sessions_, [&](const auto& entry) { return entry.second.ip == ip; });
}

}  // namespace wormhole::session
