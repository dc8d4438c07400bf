// Keys and names that outlive a handshake: the PSK of TLS, the session's id, and what the first
// connection leaves behind for further streams.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "session/frame_cipher.h"

namespace wormhole::session {

// Names a session; unique per key exchange (CPace's sid_output, first 16 bytes). Not a secret.
using SessionId = std::array<std::byte, 16>;

// Which stream of which session a TLS connection wants to be: session id, then the number
// (0: the first connection). Sent in clear as PSK identity.
inline constexpr std::size_t kPskIdentityBytes = sizeof(SessionId) + 1;
using PskIdentity = std::array<std::byte, kPskIdentityBytes>;
[[nodiscard]] PskIdentity psk_identity(const SessionId& session, unsigned stream);

// As long as the hash of TLS_AES_256_GCM_SHA384.
inline constexpr std::size_t kPskBytes = 48;

// A TLS 1.3 external PSK. Copyable; wiped when destroyed.
class Psk {
 public:
  explicit Psk(std::span<const std::byte, kPskBytes> bytes);
  // HKDF-SHA-384 of CPace's ISK, no salt. kCrypto when the library fails.
  [[nodiscard]] static Result<Psk> from_key_exchange(Bytes isk);

  Psk(const Psk&) = default;
  Psk& operator=(const Psk&) = default;
  ~Psk();
  [[nodiscard]] std::span<const std::byte, kPskBytes> bytes() const { return bytes_; }

 private:
  std::array<std::byte, kPskBytes> bytes_;
};

// What the first connection leaves behind for further streams: a PSK, from its TLS exporter
// under a label of its own. Wiped when destroyed. Both ends hold the same. Immutable, so any
// thread may read it.
class StreamTicket {
 public:
  StreamTicket(const SessionId& session, Suite suite, const Psk& psk)
      : session_(session), suite_(suite), psk_(psk) {}

  [[nodiscard]] const SessionId& session() const { return session_; }
  // Every stream of a session uses the suite agreed on by its first connection.
  [[nodiscard]] Suite suite() const { return suite_; }
  [[nodiscard]] const Psk& psk() const { return psk_; }

 private:
  SessionId session_;
  Suite suite_;
  Psk psk_;
};

}  // namespace wormhole::session
