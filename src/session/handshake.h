// The handshake as two sans-I/O state machines: bytes in, bytes out, done or failed.
//
//   client                                  host
//   hello, Ya              -->
//                          <--              reply, Yb                 (joining by code)
//   TLS ClientHello        -->
//                          <--              TLS ServerHello .. Finished
//   TLS Finished, frames   -->
//
// A further stream leaves out the first exchange: hello and ClientHello go together. One thread
// per object, but that a client that joins has TLS prepared by another one meanwhile, for which
// receive() and the destructor wait; all secrets are wiped when it goes. After a failure the output
// may still hold a last word for the peer (a refusal, an alert); every later call fails the same
// way.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "session/handshake_format.h"
#include "session/join_code.h"
#include "session/stream_ticket.h"
#include "session/tls_psk.h"

namespace wormhole::session {

// What both ends hold after a handshake; traffic secrets by their direction as seen from here.
struct Established {
  SessionId session_id{};
  unsigned stream = 0;
  Suite suite = Suite::kChaCha20Poly1305;
  TrafficSecret sending;
  TrafficSecret receiving;
  ByteVector early;                            // arrived behind the handshake: frames
  std::shared_ptr<const StreamTicket> ticket;  // first connection only
};

// Errors: kConnect (no Wormhole there), kVersion, kRefused, kWrongCode, kProtocol, kCrypto.
class ClientHandshake {
 public:
  [[nodiscard]] static Result<ClientHandshake> join(const JoinCode& code, const Offer& offer,
                                                    Random& random);
  // Precondition: 0 < number < kStreamsMax.
  [[nodiscard]] static Result<ClientHandshake> further_stream(const StreamTicket& ticket,
                                                              unsigned number);
  ClientHandshake(ClientHandshake&&) noexcept;
  ClientHandshake& operator=(ClientHandshake&&) noexcept;
  ~ClientHandshake();

  // To be sent, in order; from the beginning on.
  [[nodiscard]] ByteVector take_output();
  [[nodiscard]] Result<void> receive(Bytes in);
  // What it means that the host closed the connection now.
  [[nodiscard]] Error closed_early() const;
  [[nodiscard]] bool key_exchanged() const;
  [[nodiscard]] bool done() const;
  // Once, when done.
  [[nodiscard]] Established take();

 private:
  struct State;
  explicit ClientHandshake(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What the host decides about one connection, asked while it receives.
class ServerGate {
 public:
  struct Joining {
    ReplyStatus status = ReplyStatus::kNoCode;
    const JoinCode* code = nullptr;  // when kOk; only looked at within the call
    std::uint64_t generation = 0;
  };
  virtual ~ServerGate() = default;
  [[nodiscard]] virtual Joining may_join() = 0;
  // Around the check of the one binder: true lets it happen, and exactly one of the others
  // follows before receive() returns.
  [[nodiscard]] virtual bool reserve_guess(std::uint64_t generation) = 0;
  virtual void guess_was_right(std::uint64_t generation) = 0;
  virtual void guess_was_wrong(std::uint64_t generation) = 0;
  // The ticket of a session if that stream may still come; else nullptr.
  [[nodiscard]] virtual std::shared_ptr<const StreamTicket> find_stream(const SessionId& session,
                                                                        unsigned number) = 0;
  // After the client's Finished. True once at most for each number of a session.
  [[nodiscard]] virtual bool claim_stream(const SessionId& session, unsigned number) = 0;
};

// Errors: kRefused (what the reply says, or the gate), kVersion, kProtocol, kCrypto.
class ServerHandshake {
 public:
  // `tls`, `gate` and `random` outlive this.
  ServerHandshake(const TlsContext& tls, ServerGate& gate, const Offer& offer, Random& random);
  ServerHandshake(ServerHandshake&&) noexcept;
  ServerHandshake& operator=(ServerHandshake&&) noexcept;
  ~ServerHandshake();

  [[nodiscard]] Result<void> receive(Bytes in);
  [[nodiscard]] ByteVector take_output();
  // A complete hello arrived.
  [[nodiscard]] bool said_hello() const;
  // It is a further stream, and it proved that it knows the session's key (or repeats someone
  // who did).
  [[nodiscard]] bool is_known_stream() const;
  [[nodiscard]] bool done() const;
  // Once, when done.
  [[nodiscard]] Established take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The bytes of a reply that refuses.
[[nodiscard]] ByteVector refusal(ReplyStatus status);

// After TLS: the stream's secrets and, on the first, the ticket. docs/formats/handshake.md.
enum class Side : std::uint8_t { kClient, kHost };
[[nodiscard]] Result<Established> establish(TlsPsk& tls, Side side, const SessionId& session,
                                            unsigned stream, Suite suite);
// session id, stream, suite: what the exporter's labels are asked with.
[[nodiscard]] ByteVector exporter_context(const SessionId& session, unsigned stream, Suite suite);

}  // namespace wormhole::session
