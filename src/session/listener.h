// The host's side of joining: everything before authentication, in one thread.
//
// run() is one poll loop over the listening socket and the connections that are not yet
// authenticated, their handshakes over memory BIOs. A connection has kHandshakeTimeout in all,
// which no trickle extends; who waits, and who makes room, is session/listener_slots.h.
//
// An authenticated connection is blocking and belongs to the handler from then on.
//
// The code book decides about guesses (session/code_book.h) and is shared with nobody else.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "session/code_book.h"
#include "session/connection.h"
#include "session/handshake_format.h"
#include "session/listener_slots.h"

namespace wormhole::session {

inline constexpr std::chrono::seconds kHandshakeTimeout{10};

class ListenerEvents {
 public:
  virtual ~ListenerEvents() = default;
  // Called by the thread in run(); must not block. The session's number of streams is counted
  // from here on: the listener keeps its ticket until forget().
  virtual void on_session(std::unique_ptr<Connection> first) = 0;
  // Of a session that on_session brought; it may have been forgotten a moment ago.
  virtual void on_stream(std::unique_ptr<Connection> stream) = 0;
  // A wrong code was tried from there; `left` guesses remain for that code.
  virtual void on_wrong_code(const platform::Address& from, unsigned left) = 0;
  // The code was retired; `next` is null when joining has stopped.
  virtual void on_code_retired(const JoinCode* next) = 0;
};

class Listener {
 public:
  Listener(platform::ListenSocket socket, CodeBook& codes, ListenerEvents& events,
           const Clock& clock, Random& random, const Offer& offer = own_offer());
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Serves until stop(). Fails only if the listening socket does.
  [[nodiscard]] Result<void> run();
  // Any thread, also from within an event.
  void stop();
  // No further stream of that session is let in. Any thread.
  void forget(const SessionId& session);
  // Makes a new code after joining has stopped (the user asked). Any thread; takes effect in
  // run(), which reports it by on_code_retired.
  void renew_code();
  // No new session is let in from now on; further streams of standing ones are (--once). Called
  // within on_session, that session is the last. Any thread.
  void stop_joining();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wormhole::session
