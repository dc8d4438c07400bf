#include "wire/frame_header.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "base/bytes.h"
#include "base/corpus_testing.h"
#include "wire/frame_header_fuzz.h"

namespace wormhole::wire {
namespace {

using Raw = std::array<std::byte, kFrameHeaderBytes>;

Raw encoded(const FrameHeader& header) {
  Raw raw;
  raw.fill(std::byte{0xaa});
  encode(header, raw);
  return raw;
}

// A header that uses every field.
constexpr FrameHeader kExample{.payload_bytes = 0x00030201,
                               .type = FrameType::kData,
                               .followed = true,
                               .request = 0x0d0c0b0a,
                               .file = 0x1716151413121110,
                               .offset = 0x00000ffedcba9876};

TEST(FrameHeader, StandsAsDocumented) {
  EXPECT_EQ(to_hex(encoded(kExample)),
            "01020300"          // payload bytes
            "02"                // type
            "01"                // flags
            "0000"              // zero
            "0a0b0c0d"          // request
            "00000000"          // zero
            "1011121314151617"  // file
            "7698badcfe0f0000");
}

TEST(FrameHeader, EveryTypeComesBack) {
  const std::pair<FrameType, std::uint32_t> types[] = {
      {FrameType::kControl, 0},    {FrameType::kControl, kFramePayloadMaxBytes},
      {FrameType::kData, 0},       {FrameType::kData, kFramePayloadMaxBytes},
      {FrameType::kPack, 0},       {FrameType::kPack, kFramePayloadMaxBytes},
      {FrameType::kPlain, 1},      {FrameType::kPlain, kFramePayloadMaxBytes},
      {FrameType::kHole, 8},       {FrameType::kEndStream, 0},
      {FrameType::kCompressed, 9}, {FrameType::kCompressed, kFramePayloadMaxBytes}};
  for (const auto& [type, size] : types) {
    for (const bool followed : {false, true}) {
      FrameHeader header = kExample;
      header.type = type;
      header.payload_bytes = size;
      header.offset = kFileMaxBytes;
      header.followed = followed && type != FrameType::kEndStream;
      const auto decoded = decode(encoded(header));
      ASSERT_TRUE(decoded.has_value());
      EXPECT_EQ(*decoded, header);
    }
  }
}

void expect_refused(const Raw& raw) {
  const auto decoded = decode(raw);
  ASSERT_FALSE(decoded.has_value()) << to_hex(raw);
  EXPECT_EQ(decoded.error().code, Code::kProtocol);
}

TEST(FrameHeader, RefusesUnknownTypes) {
  for (unsigned type = 0; type < 256; ++type) {
    if (type >= 1 && type <= 8 && type != 6) continue;
    for (const std::uint32_t size : {0U, 1U, 100U}) {
      Raw raw = encoded(kExample);
      store_le(raw.data(), size);
      raw[4] = std::byte(type);
      expect_refused(raw);
    }
  }
}

TEST(FrameHeader, RefusesUnknownFlagsAndReservedBits) {
  for (std::size_t bit = 0; bit < 8 * kFrameHeaderBytes; ++bit) {
    const std::size_t at = bit / 8;
    const bool reserved = (at == 5 && bit % 8 != 0) || at == 6 || at == 7 || (at >= 12 && at < 16);
    if (!reserved) continue;
    Raw raw = encoded(kExample);
    raw[at] ^= std::byte(1U << (bit % 8));
    expect_refused(raw);
  }
}

TEST(FrameHeader, RefusesPayloadSizesThatTheTypeDoesNotHave) {
  const struct {
    FrameType type;
    std::vector<std::uint32_t> bad;
  } cases[] = {{FrameType::kControl, {kFramePayloadMaxBytes + 1, UINT32_MAX}},
               {FrameType::kData, {kFramePayloadMaxBytes + 1, 0x80000000, UINT32_MAX}},
               {FrameType::kPack, {kFramePayloadMaxBytes + 1, UINT32_MAX}},
               {FrameType::kHole, {0, 7, 9}},
               {FrameType::kPlain, {0, kFramePayloadMaxBytes + 1, UINT32_MAX}},
               {FrameType::kEndStream, {1, 16}},
               {FrameType::kCompressed, {0, 8, kFramePayloadMaxBytes + 1}}};
  for (const auto& [type, sizes] : cases) {
    for (const std::uint32_t size : sizes) {
      Raw raw = encoded(kExample);
      store_le(raw.data(), size);
      raw[4] = std::byte(type);
      raw[5] = std::byte{0};
      expect_refused(raw);
    }
  }
}

TEST(FrameHeader, RefusesFollowedWhereNothingCanFollow) {
  Raw raw = encoded({.payload_bytes = 0, .type = FrameType::kEndStream});
  ASSERT_TRUE(decode(raw).has_value());
  raw[5] = std::byte{1};
  expect_refused(raw);
}

TEST(FrameHeader, RefusesOffsetsPastTheLargestFile) {
  for (const std::uint64_t offset : {kFileMaxBytes + 1, std::uint64_t{1} << 63, UINT64_MAX}) {
    Raw raw = encoded(kExample);
    store_le(&raw[24], offset);
    expect_refused(raw);
  }
}

TEST(FrameHeaderDeathTest, OurOwnMistakesAreAssertions) {
  Raw raw;
  FrameHeader bad = kExample;
  bad.payload_bytes = kFramePayloadMaxBytes + 1;
  EXPECT_DEATH(encode(bad, raw), "");
  bad = {.payload_bytes = 0, .type = FrameType::kEndStream, .followed = true};
  EXPECT_DEATH(encode(bad, raw), "");
  bad = {.payload_bytes = 1, .type = FrameType::kDamaged};
  EXPECT_DEATH(encode(bad, raw), "");
}

TEST(FrameHeader, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'240'002;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  for (int round = 0; round < 100'000; ++round) {
    Raw raw = encoded(kExample);
    for (auto changes = generator() % 5; changes > 0; --changes) {
      raw[generator() % raw.size()] = std::byte(generator() % (round % 2 == 0 ? 8 : 256));
    }
    fuzz_frame_header(Bytes(raw).first(round % 50 == 0 ? generator() % 33 : 32));
  }
}

TEST(FrameHeader, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("wire", "frame_header_fuzz", fuzz_frame_header), 0U);
}

}  // namespace
}  // namespace wormhole::wire
