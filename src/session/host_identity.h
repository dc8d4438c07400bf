// Who gives, a host or whoever puts, from one session to the next: an Ed25519 key (RFC 8032),
// proven by a signature over the session's id. A taker gives each host's words names of their own
// (transfer/ version_names.h), so that no host can repeat another's. It lets nobody in and makes
// nothing secret: the code does that (handshake.h).
//
// A session's id is a hash of both ends' shares of the key exchange (stream_ticket.h): a proof made
// for one session is none in another. Immutable; any thread.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "session/stream_ticket.h"
#include "wire/messages.h"

namespace wormhole::session {

// What its seed is for (store/user_secret.h).
inline constexpr std::string_view kIdentityPurpose = "wormhole host identity 1";

// Whose proof it is: neither end can hand the other's on as its own.
enum class Role { kHost, kDialler };

class HostIdentity {
 public:
  // Of a seed that nobody else has: the same one is the same host.
  explicit HostIdentity(std::span<const std::byte, 32> seed);
  HostIdentity(const HostIdentity&) = delete;
  HostIdentity& operator=(const HostIdentity&) = delete;
  ~HostIdentity();  // wipes it

  [[nodiscard]] wire::HostProof prove(const SessionId& session, Role role) const;

 private:
  std::array<std::byte, 64> secret_key_;
  wire::HostKey public_key_;
};

// True: whoever made the proof has that key, and made it for this session.
[[nodiscard]] bool is_proven(const wire::HostProof& proof, const SessionId& session, Role role);

}  // namespace wormhole::session
