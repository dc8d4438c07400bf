// The client's side of joining: TCP, key exchange, TLS 1.3 with the resulting PSK, frames.
//
// Blocking, with an absolute deadline over each whole dial. Any thread. kConnect: nobody
// answers there (or no Wormhole does); kWrongCode: the host does not hold this code; kRefused:
// it takes no joins now; kVersion; kTimeout; kCrypto. Never retried here.
//
// A dial returns as soon as the client's last handshake bytes are sent: whether the host let it
// in shows with the first frame (kLost if not).
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "session/connection.h"
#include "session/handshake_format.h"
#include "session/join_code.h"

namespace wormhole::session {

// The whole of a dial: TCP, key exchange and TLS. Three round trips; generous on a bad link.
inline constexpr std::chrono::seconds kDialTimeout{15};

class Dialler {
 public:
  Dialler(const Clock& clock, Random& random, const Offer& offer = own_offer())
      : clock_(clock), random_(random), offer_(offer) {}

  // From then on a dial ends with kInterrupted as soon as the descriptor `cancel` is readable; it
  // outlives the dialler.
  void cancel_by(int cancel) { cancel_ = cancel; }

  // The first connection of a new session.
  [[nodiscard]] Result<std::unique_ptr<Connection>> join(
      const std::vector<platform::Address>& addresses, const JoinCode& code);

  // Stream `number` (1 .. kStreamsMax - 1) of a session that stands; to the same address.
  // kRefused when the host does not let it in (the session is over, the number was used).
  [[nodiscard]] Result<std::unique_ptr<Connection>> add_stream(const Connection& first,
                                                               unsigned number);

 private:
  const Clock& clock_;
  Random& random_;
  Offer offer_;
  int cancel_ = -1;
};

}  // namespace wormhole::session
