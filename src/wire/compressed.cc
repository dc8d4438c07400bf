#include "wire/compressed.h"

#include "base/check.h"

namespace wormhole::wire {
namespace {

constexpr std::size_t kTypeAt = 1;
constexpr std::size_t kReservedAt = 2;
constexpr std::size_t kPlainBytesAt = 4;
static_assert(kPlainBytesAt + sizeof(std::uint32_t) == kCompressedHeaderBytes);

const char* fault(const CompressedHeader& header) {
  if (header.codec != Codec::kLz4 && header.codec != Codec::kZstd) return "an unknown codec";
  if (header.type != FrameType::kData && header.type != FrameType::kPack) {
    return "a frame type that is never compressed";
  }
  if (header.plain_bytes == 0 || header.plain_bytes > kFramePayloadMaxBytes) {
    return "a length out of bounds";
  }
  return nullptr;
}

}  // namespace

void encode(const CompressedHeader& header, std::span<std::byte, kCompressedHeaderBytes> out) {
  WH_CHECK(fault(header) == nullptr);
  store_le<std::uint8_t>(out.data(), static_cast<std::uint8_t>(header.codec));
  store_le<std::uint8_t>(&out[kTypeAt], static_cast<std::uint8_t>(header.type));
  store_le<std::uint16_t>(&out[kReservedAt], 0);
  store_le<std::uint32_t>(&out[kPlainBytesAt], header.plain_bytes);
}

Result<CompressedHeader> decode_compressed(Bytes payload) {
  const auto refuse = [](const char* why) {
    return fail({.code = Code::kProtocol, .operation = "read compressed frame", .detail = why});
  };
  if (payload.size() <= kCompressedHeaderBytes) return refuse("it is cut off");
  if (load_le<std::uint16_t>(&payload[kReservedAt]) != 0) return refuse("reserved bits are set");
  const CompressedHeader header{
      .codec = static_cast<Codec>(load_le<std::uint8_t>(payload.data())),
      .type = static_cast<FrameType>(load_le<std::uint8_t>(&payload[kTypeAt])),
      .plain_bytes = load_le<std::uint32_t>(&payload[kPlainBytesAt])};
  if (const char* why = fault(header); why != nullptr) return refuse(why);
  return header;
}

}  // namespace wormhole::wire
