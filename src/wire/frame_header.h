// The fixed header in front of every sealed frame: docs/formats/frame.md.
//
// Sans-I/O. The header travels in clear and is authenticated as associated data; the payload of
// `payload_bytes` is sealed, its 16-byte tag follows it (kPlain: the payload in clear, two tags).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/limits.h"
#include "base/result.h"

namespace wormhole::wire {

enum class FrameType : std::uint8_t {
  kDamaged = 0,    // never on the wire: what a reader makes of a kPlain frame whose payload arrived
                   // otherwise than it was sent; its header is authentic, its payload wiped
  kControl = 1,    // payload: one control message (wire/messages.h)
  kData = 2,       // payload: bytes of (request, file) at offset
  kPack = 3,       // payload: records of small files (wire/pack.h)
  kHole = 4,       // payload: u64 length; a range of zeros of (request, file) at offset
  kPlain = 5,      // as kData, the payload authenticated but not encrypted. Only in a session
                   // where both ends asked for it.
  kEndStream = 7,  // payload: empty; the last frame on a stream: after it FIN is expected
  kCompressed = 8,  // payload: a kData or kPack frame's, compressed (wire/compressed.h). Only to a
                    // taker that announced kFeatureCompression.
};

struct FrameHeader {
  std::uint32_t payload_bytes = 0;  // without the tag
  FrameType type = FrameType::kControl;
  // More follows on this stream without delay: the receiver may wait for the next header
  // together with this payload, by one receive call. Never on kEndStream: nothing does.
  bool followed = false;
  std::uint32_t request = 0;  // 0: the session itself
  std::uint64_t file = 0;
  std::uint64_t offset = 0;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kFrameTagBytes = 16;
// What stands behind the payload: one tag of header and payload, or, where the payload is in clear,
// one of each.
[[nodiscard]] constexpr std::size_t tags_bytes(FrameType type) {
  return type == FrameType::kPlain ? 2 * kFrameTagBytes : kFrameTagBytes;
}
inline constexpr std::size_t kFramePayloadMaxBytes = kBlockBytes;

// Precondition: a header that decode() takes.
void encode(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out);

// Refuses (kProtocol) unknown types and flags, reserved bits that are not zero, a payload size
// that the type does not have (kHole, kEndStream: exactly theirs), `followed` where nothing can
// follow, and an offset over kFileMaxBytes: nothing is allocated or waited for on the word of a bad
// header.
[[nodiscard]] Result<FrameHeader> decode(std::span<const std::byte, kFrameHeaderBytes> in);

}  // namespace wormhole::wire
