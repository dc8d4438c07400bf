// What a finished handshake hands up: an authenticated stream of a session, ready for frames.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "platform/socket.h"
#include "session/sealed_stream.h"
#include "session/stream_ticket.h"

namespace wormhole::session {

struct Established;  // session/handshake.h

struct Timeline {  // when each step of a dial was done; for the first-byte budget
  TimePoint started = {};
  TimePoint connecting = {};  // when the first packet left: the path's round trip begins here
  TimePoint connected = {};
  TimePoint key_exchanged = {};
  TimePoint authenticated = {};
};

// Move-only through unique_ptr: reader and writer hold references to the socket.
struct Connection {
  explicit Connection(platform::Socket s) : socket(std::move(s)) {}

  platform::Socket socket;
  std::unique_ptr<SealedReader> reader;
  std::unique_ptr<SealedWriter> writer;
  SessionId session_id{};
  unsigned stream = 0;                         // 0: the first connection
  bool is_loss_based = false;                  // what we send slows down with each lost packet
  std::shared_ptr<const StreamTicket> ticket;  // first connection only
  Timeline timeline;                           // dialler only
};

// Below this round trip a stream mends a loss before the path runs dry: a local link.
inline constexpr std::chrono::milliseconds kLocalRoundTrip{2};
// A cable and a switch have less, a wireless link, which loses packets, has more.
inline constexpr std::chrono::microseconds kWiredRoundTrip{500};
// What connections to a host begin with, too: one that began with BBR stays paced for good (Linux).
inline constexpr std::string_view kWiredCongestionControl = "cubic";

// Switches a socket from handshake to frames: blocking, and with the congestion control that the
// path asks for (is_loss_based says what it came to). BBR, which keeps its rate where loss is not
// congestion; over a wire CUBIC, which does not set a timer for each burst of packets
// (docs/measurements.md). kCrypto when a cipher cannot be made.
[[nodiscard]] Result<std::unique_ptr<Connection>> make_connection(platform::Socket socket,
                                                                  Established established);

}  // namespace wormhole::session
