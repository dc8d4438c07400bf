#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace wormhole {
namespace {

TEST(Bytes, LoadsAndStoresLittleEndian) {
  std::array<std::byte, 9> buffer{};
  store_le<std::uint32_t>(buffer.data() + 1, 0x01020304);  // not aligned on purpose
  EXPECT_EQ(to_hex(buffer), "000403020100000000");
  EXPECT_EQ(load_le<std::uint32_t>(buffer.data() + 1), 0x01020304u);
  EXPECT_EQ(load_le<std::uint16_t>(buffer.data() + 2), 0x0203u);
}

TEST(Bytes, TextAndBytesAreTwoViewsOfTheSame) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(as_bytes(text).size(), 3u);
  EXPECT_EQ(as_text(as_bytes(text)), text);
}

TEST(Hex, ReadsEitherCaseAndWritesLower) {
  const auto bytes = from_hex("00fFaB10");
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(to_hex(*bytes), "00ffab10");
  ASSERT_TRUE(from_hex("").has_value());
  EXPECT_TRUE(from_hex("")->empty());
}

TEST(Hex, RefusesWhatIsNotHex) {
  for (const char* wrong : {"0", "0g", "g0", "0x", " 0", "00 ", "+1", "-1", "abc", "\xff\xff"}) {
    EXPECT_FALSE(from_hex(wrong).has_value()) << wrong;
  }
}

TEST(Hex, RoundTrips) {
  constexpr std::uint32_t kSeed = 20260611;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 1000; ++round) {
    ByteVector bytes(random() % 100);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    const auto back = from_hex(to_hex(bytes));
    ASSERT_TRUE(back.has_value()) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(*back, bytes) << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace wormhole
