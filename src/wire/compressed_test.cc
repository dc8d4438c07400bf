#include "wire/compressed.h"

#include <gtest/gtest.h>

#include <array>

#include "base/document_testing.h"

namespace wormhole::wire {
namespace {

ByteVector payload_of(const CompressedHeader& header, std::size_t rest = 1) {
  ByteVector payload(kCompressedHeaderBytes + rest);
  encode(header, std::span(payload).first<kCompressedHeaderBytes>());
  return payload;
}

void expect_refused(const ByteVector& payload) {
  const auto decoded = decode_compressed(payload);
  ASSERT_FALSE(decoded.has_value()) << to_hex(payload);
  EXPECT_EQ(decoded.error().code, Code::kProtocol);
}

TEST(Compressed, ComesBack) {
  for (const Codec codec : {Codec::kLz4, Codec::kZstd}) {
    for (const FrameType type : {FrameType::kData, FrameType::kPack}) {
      for (const std::uint32_t bytes : {1U, 1000U, std::uint32_t{kFramePayloadMaxBytes}}) {
        const auto decoded = decode_compressed(payload_of({codec, type, bytes}));
        ASSERT_TRUE(decoded.has_value());
        EXPECT_EQ(decoded->codec, codec);
        EXPECT_EQ(decoded->type, type);
        EXPECT_EQ(decoded->plain_bytes, bytes);
      }
    }
  }
}

TEST(Compressed, RefusesUnknownCodecsTypesAndReservedBits) {
  const ByteVector good = payload_of({Codec::kZstd, FrameType::kData, 5});
  for (unsigned value = 0; value < 256; ++value) {
    ByteVector payload = good;
    payload[0] = std::byte(value);
    if (value != 1 && value != 2) expect_refused(payload);
    payload = good;
    payload[1] = std::byte(value);
    if (value != 2 && value != 3) expect_refused(payload);
    payload = good;
    payload[2 + value % 2] = std::byte(value);
    if (value != 0) expect_refused(payload);
  }
}

TEST(Compressed, RefusesLengthsOutOfBoundsAndWhatIsCutOff) {
  ByteVector payload = payload_of({Codec::kZstd, FrameType::kData, 5});
  for (const std::uint32_t bytes :
       {0U, std::uint32_t{kFramePayloadMaxBytes + 1}, 0x80000000U, UINT32_MAX}) {
    store_le(&payload[4], bytes);
    expect_refused(payload);
  }
  for (std::size_t size = 0; size <= kCompressedHeaderBytes; ++size) {
    payload = payload_of({Codec::kZstd, FrameType::kData, 5});
    payload.resize(size);
    expect_refused(payload);
  }
}

TEST(CompressedDeathTest, OurOwnMistakesAreAssertions) {
  EXPECT_DEATH(payload_of({Codec::kZstd, FrameType::kControl, 5}), "");
  EXPECT_DEATH(payload_of({Codec::kZstd, FrameType::kData, 0}), "");
}

TEST(Compressed, TheDocumentsExample) {
  const auto values = testing::documented_values("docs/formats/compressed.md");
  ASSERT_TRUE(values.contains("header"));
  ByteVector payload = payload_of({Codec::kLz4, FrameType::kData, 32}, 0);
  EXPECT_EQ(to_hex(payload), values.at("header"));
}

}  // namespace
}  // namespace wormhole::wire
