// The first bytes of a connection, before TLS: docs/formats/handshake.md.
//
// Sans-I/O. Client and host each send one head of 16 bytes that says what they can do; when
// joining by code, a CPace point follows each. The heads are CPace's associated data, byte for
// byte: whoever alters one leaves the two ends with different keys.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "session/cpace.h"
#include "session/frame_cipher.h"

namespace wormhole::session {

inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr std::string_view kHandshakeMagic = "wormhole";

inline constexpr std::size_t kHeadBytes = 16;
using Head = std::array<std::byte, kHeadBytes>;
inline constexpr std::size_t kJoinHelloBytes = kHeadBytes + kCpacePointBytes;
inline constexpr std::size_t kReplyBytes = kHeadBytes + kCpacePointBytes;

enum class HelloKind : std::uint8_t { kJoin = 1, kStream = 2 };

enum class ReplyStatus : std::uint8_t {
  kOk = 0,
  kNoCode = 1,    // joining has stopped: no code is good any more
  kBusy = 2,      // no slot, or as many sessions as we keep
  kTryLater = 3,  // too many wrong codes from that address just now
  kVersion = 4,   // we do not speak that version
  kNoSuite = 5,   // no cipher in common
};

// Bit (number - 1) of each suite a side is willing to use.
using SuiteMask = std::uint8_t;
[[nodiscard]] constexpr SuiteMask suite_bit(Suite suite) {
  return static_cast<SuiteMask>(1U << (static_cast<unsigned>(suite) - 1));
}

// Bit 0 is reserved for future use. What a side does not know it ignores.
using Features = std::uint32_t;
inline constexpr Features kFeatures = 0;

// What one side brings to the agreement. AES-256-GCM is offered only where the CPU runs it in
// hardware: without, ChaCha20-Poly1305 is several times faster and has no table lookups.
struct Offer {
  SuiteMask suites = suite_bit(Suite::kChaCha20Poly1305);
  Features features = kFeatures;
};
[[nodiscard]] Offer own_offer();

// AES-256-GCM when both offer it, else ChaCha20-Poly1305 when both do.
[[nodiscard]] std::optional<Suite> choose_suite(SuiteMask client, SuiteMask host);

struct HelloHead {
  std::uint8_t version = kProtocolVersion;
  HelloKind kind = HelloKind::kJoin;  // on decoding: may be a value we do not know
  SuiteMask suites = 0;
  Features features = 0;
};

struct ReplyHead {
  std::uint8_t version = kProtocolVersion;
  ReplyStatus status = ReplyStatus::kOk;  // on decoding: may be a value we do not know
  std::uint8_t suite = 0;                 // a Suite; 0 unless status is kOk
  Features features = 0;
};

[[nodiscard]] Head encode(const HelloHead& hello);
[[nodiscard]] Head encode(const ReplyHead& reply);
// kProtocol when these are not first bytes of Wormhole's. The version is the caller's to judge.
[[nodiscard]] Result<HelloHead> decode_hello(const Head& head);
[[nodiscard]] Result<ReplyHead> decode_reply(const Head& head);

// False as soon as the bytes so far cannot become a head.
[[nodiscard]] bool may_be_head(Bytes so_far);

}  // namespace wormhole::session
