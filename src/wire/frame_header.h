// The fixed header in front of every sealed frame: docs/formats/frame.md.
//
// Sans-I/O. The header travels in clear and is authenticated as associated data; the payload of
// `payload_bytes` is sealed, its 16-byte tag follows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/limits.h"
#include "base/result.h"

namespace wormhole::wire {

enum class FrameType : std::uint8_t {
  kControl = 1,     // payload: one control message (wire/messages.h)
  kData = 2,        // payload: bytes of (request, file) at offset
  kPack = 3,        // payload: records of small files (wire/pack.h)
  kHole = 4,        // payload: u64 length; a range of zeros of (request, file) at offset
  kPlain = 5,       // payload: u32 length; so many unsealed bytes follow the tag: (request, file)
                    // at offset. Only in a session where both ends asked for it.
  kTrailer = 6,     // payload: BLAKE3 (32 bytes) of the unsealed bytes before it
  kEndStream = 7,   // payload: empty; the last frame on a stream: after it FIN is expected
  kCompressed = 8,  // payload: a kData or kPack frame's, compressed (wire/compressed.h). Only to a
                    // taker that announced kFeatureCompression.
};

struct FrameHeader {
  std::uint32_t payload_bytes = 0;  // without the tag
  FrameType type = FrameType::kControl;
  // More follows on this stream without delay: the receiver may wait for the next header
  // together with this payload, by one receive call. Never on kPlain (unsealed bytes follow) nor
  // on kEndStream (nothing does).
  bool followed = false;
  std::uint32_t request = 0;  // 0: the session itself
  std::uint64_t file = 0;
  std::uint64_t offset = 0;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kFrameTagBytes = 16;
inline constexpr std::size_t kFramePayloadMaxBytes = kBlockBytes;
// A whole frame: what one send carries at most.
inline constexpr std::size_t kFrameMaxBytes =
    kFrameHeaderBytes + kFramePayloadMaxBytes + kFrameTagBytes;

// Precondition: a header that decode() takes.
void encode(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out);

// Refuses (kProtocol) unknown types and flags, reserved bits that are not zero, a payload size
// that the type does not have (kHole, kPlain, kTrailer, kEndStream: exactly theirs), `followed`
// where nothing can follow, and an offset over kFileMaxBytes: nothing is allocated or waited for on
// the word of a bad header.
[[nodiscard]] Result<FrameHeader> decode(std::span<const std::byte, kFrameHeaderBytes> in);

}  // namespace wormhole::wire
