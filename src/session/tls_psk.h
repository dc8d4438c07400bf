// TLS 1.3 by external PSK and nothing else, over memory: bytes in, bytes out.
//
// Gives forward secrecy (X25519, psk_dhe_ke) and key confirmation to a key both ends already
// share. Only TLS_AES_256_GCM_SHA384: with the default suites a SHA-256 PSK fails, as servers
// prefer SHA-384. No certificates: a default client completes the handshake with a host that
// ignores the PSK and shows any certificate, so the client trusts none, and both ends refuse
// unless the PSK was used and the peer showed no certificate. No tickets, cache, early data or
// read-ahead: a ticket after the handshake, or a swallowed first frame, would break the switch
// to frames. TLS carries no data of ours: keys for frames come from its exporter.
//
// One thread per object. Errors: kProtocol when the peer's messages or its key do not fit,
// kCrypto when the library fails. Source: RFC 8446 sections 4.2.11 and 7.5, RFC 9257.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"
#include "session/stream_ticket.h"

namespace wormhole::session {

// Most a peer may send before its handshake is complete: ClientHello and Finished are under
// 1 KiB together, and one read may bring the first frames with it. OpenSSL alone would buffer
// 128 KiB for a ClientHello that never ends.
inline constexpr std::size_t kTlsInputMaxBytes = 16 * kKiB;

// The library's configuration for one role; kept by whoever makes several connections.
class TlsContext {
 public:
  [[nodiscard]] static Result<TlsContext> client();
  [[nodiscard]] static Result<TlsContext> server();
  TlsContext(TlsContext&&) noexcept;
  TlsContext& operator=(TlsContext&&) noexcept;
  ~TlsContext();

 private:
  friend class TlsPsk;
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Who knows the key of an identity: asked by a server, within advance(), right before the
// binder is checked. nullopt refuses without checking.
class PskSource {
 public:
  virtual ~PskSource() = default;
  [[nodiscard]] virtual std::optional<Psk> find_psk(Bytes identity) = 0;
};

class TlsPsk {
 public:
  [[nodiscard]] static Result<TlsPsk> client(const TlsContext& context, const PskIdentity& identity,
                                             const Psk& psk);
  // `source` outlives this.
  [[nodiscard]] static Result<TlsPsk> server(const TlsContext& context, PskSource& source);
  TlsPsk(TlsPsk&&) noexcept;
  TlsPsk& operator=(TlsPsk&&) noexcept;
  ~TlsPsk();

  // Takes what arrived (nothing, to begin as client), appends what is to be sent to `out` (an
  // alert, too, when it fails). True once the handshake is complete; not to be called after.
  [[nodiscard]] Result<bool> advance(Bytes in, ByteVector& out);
  // The peer proved that it holds the key (server: its binder fitted).
  [[nodiscard]] bool key_confirmed() const;

  // When complete:
  // A secret from the exporter; wipe it.
  [[nodiscard]] Result<std::array<std::byte, kPskBytes>> export_secret(std::string_view label,
                                                                       Bytes context) const;
  // What arrived behind the handshake and belongs to frames.
  [[nodiscard]] ByteVector left_over();

 private:
  struct State;
  explicit TlsPsk(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wormhole::session
