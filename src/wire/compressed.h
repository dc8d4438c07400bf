// What stands at the front of a kCompressed frame's payload: docs/formats/compressed.md.
//
// Sans-I/O. u8 codec | u8 frame type | u16 zero | u32 plain_bytes, then the compressed bytes. The
// frame stands for one of that type whose payload is the plain bytes.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/frame_header.h"

namespace wormhole::wire {

// The numbers are the wire's.
enum class Codec : std::uint8_t {
  kLz4 = 1,   // one LZ4 block (no frame around it)
  kZstd = 2,  // one Zstandard frame (RFC 8878)
};

struct CompressedHeader {
  Codec codec = Codec::kZstd;
  FrameType type = FrameType::kData;  // or kPack
  std::uint32_t plain_bytes = 0;      // 1 to kFramePayloadMaxBytes
};

inline constexpr std::size_t kCompressedHeaderBytes = 8;

// Precondition: a header that decode() takes.
void encode(const CompressedHeader& header, std::span<std::byte, kCompressedHeaderBytes> out);

// kProtocol for anything that is not on this page: nothing is expanded on the word of such a one.
[[nodiscard]] Result<CompressedHeader> decode_compressed(Bytes payload);

}  // namespace wormhole::wire
