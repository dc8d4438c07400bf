#include "wire/frame_header.h"

#include "base/bytes.h"
#include "base/check.h"
#include "wire/compressed.h"

namespace wormhole::wire {
namespace {

// Where each field stands: docs/formats/frame.md.
constexpr std::size_t kPayloadBytesAt = 0;
constexpr std::size_t kTypeAt = 4;
constexpr std::size_t kFlagsAt = 5;
constexpr std::size_t kReserved16At = 6;
constexpr std::size_t kRequestAt = 8;
constexpr std::size_t kReserved32At = 12;
constexpr std::size_t kFileAt = 16;
constexpr std::size_t kOffsetAt = 24;
static_assert(kOffsetAt + sizeof(std::uint64_t) == kFrameHeaderBytes);

constexpr std::uint8_t kFollowed = 1;

struct PayloadLimits {
  std::uint32_t least;
  std::uint32_t most;
};

// {1, 0}, which nothing satisfies, for a type that does not exist.
constexpr PayloadLimits payload_limits(FrameType type) {
  constexpr std::uint32_t kMost = kFramePayloadMaxBytes;
  switch (type) {
    case FrameType::kControl:
    case FrameType::kData:
    case FrameType::kPack:
      return {0, kMost};
    case FrameType::kHole:
      return {8, 8};
    case FrameType::kPlain:
      return {1, kMost};
    case FrameType::kEndStream:
      return {0, 0};
    case FrameType::kCompressed:
      return {kCompressedHeaderBytes + 1, kMost};
    case FrameType::kDamaged:
      break;
  }
  return {1, 0};
}

// What makes a header unfit to travel; nullptr when nothing does.
const char* fault(const FrameHeader& header) {
  const PayloadLimits limits = payload_limits(header.type);
  if (limits.least > limits.most) return "unknown frame type";
  if (header.payload_bytes < limits.least || header.payload_bytes > limits.most) {
    return "a payload size that its type does not have";
  }
  if (header.followed && header.type == FrameType::kEndStream) {
    return "a frame that no frame can follow says that one does";
  }
  if (header.offset > kFileMaxBytes) return "an offset past the largest file";
  return nullptr;
}

}  // namespace

void encode(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out) {
  WH_CHECK(fault(header) == nullptr);
  store_le<std::uint32_t>(&out[kPayloadBytesAt], header.payload_bytes);
  store_le<std::uint8_t>(&out[kTypeAt], static_cast<std::uint8_t>(header.type));
  store_le<std::uint8_t>(&out[kFlagsAt], header.followed ? kFollowed : std::uint8_t{0});
  store_le<std::uint16_t>(&out[kReserved16At], 0);
  store_le<std::uint32_t>(&out[kRequestAt], header.request);
  store_le<std::uint32_t>(&out[kReserved32At], 0);
  store_le<std::uint64_t>(&out[kFileAt], header.file);
  store_le<std::uint64_t>(&out[kOffsetAt], header.offset);
}

Result<FrameHeader> decode(std::span<const std::byte, kFrameHeaderBytes> in) {
  const auto refuse = [](const char* why) {
    return fail(
        {.code = Code::kProtocol, .operation = "read frame header", .object = {}, .detail = why});
  };
  const auto flags = load_le<std::uint8_t>(&in[kFlagsAt]);
  if ((flags & ~kFollowed) != 0) return refuse("unknown flags");
  if (load_le<std::uint16_t>(&in[kReserved16At]) != 0 ||
      load_le<std::uint32_t>(&in[kReserved32At]) != 0) {
    return refuse("reserved bits are set");
  }
  const FrameHeader header{
      .payload_bytes = load_le<std::uint32_t>(&in[kPayloadBytesAt]),
      .type = static_cast<FrameType>(load_le<std::uint8_t>(&in[kTypeAt])),
      .followed = flags == kFollowed,
      .request = load_le<std::uint32_t>(&in[kRequestAt]),
      .file = load_le<std::uint64_t>(&in[kFileAt]),
      .offset = load_le<std::uint64_t>(&in[kOffsetAt]),
  };
  if (const char* why = fault(header); why != nullptr) return refuse(why);
  return header;
}

}  // namespace wormhole::wire
