#include "session/host_identity.h"

#include <sodium.h>

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "session/raw_bytes.h"

namespace wormhole::session {
namespace {

// Equally long.
constexpr std::string_view kHostLabel = "wormhole host proof 1, ";
constexpr std::string_view kDiallerLabel = "wormhole user proof 1, ";
static_assert(kHostLabel.size() == kDiallerLabel.size());

static_assert(crypto_sign_SEEDBYTES == 32);
static_assert(crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_PUBLICKEYBYTES == sizeof(wire::HostKey));
static_assert(crypto_sign_BYTES == sizeof(wire::HostProof::signature));

// What is signed: nothing else that this key signs begins with that label.
std::array<std::byte, kHostLabel.size() + sizeof(SessionId)> statement(const SessionId& session,
                                                                       Role role) {
  const std::string_view label = role == Role::kHost ? kHostLabel : kDiallerLabel;
  std::array<std::byte, kHostLabel.size() + sizeof(SessionId)> bytes;
  std::ranges::copy(session, std::ranges::copy(as_bytes(label), bytes.begin()).out);
  return bytes;
}

}  // namespace

HostIdentity::HostIdentity(std::span<const std::byte, 32> seed) {
  // Neither this nor signing can fail.
  WH_CHECK(crypto_sign_seed_keypair(raw(public_key_.data()), raw(secret_key_.data()),
                                    raw(seed.data())) == 0);
}

HostIdentity::~HostIdentity() { sodium_memzero(secret_key_.data(), secret_key_.size()); }

wire::HostProof HostIdentity::prove(const SessionId& session, Role role) const {
  wire::HostProof proof{.key = public_key_, .signature = {}};
  const auto said = statement(session, role);
  WH_CHECK(crypto_sign_detached(raw(proof.signature.data()), nullptr, raw(said.data()), said.size(),
                                raw(secret_key_.data())) == 0);
  return proof;
}

bool is_proven(const wire::HostProof& proof, const SessionId& session, Role role) {
  const auto said = statement(session, role);
  return crypto_sign_verify_detached(raw(proof.signature.data()), raw(said.data()), said.size(),
                                     raw(proof.key.data())) == 0;
}

}  // namespace wormhole::session
