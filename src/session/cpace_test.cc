#include "session/cpace.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <random>
#include <string>

namespace wormhole::session {
namespace {

// Official test vectors: draft-irtf-cfrg-cpace-21, testvectors.json, group G_Coffee25519
// (ristretto255 with SHA-512), initiator-responder mode.
constexpr std::string_view kPrs = "50617373776F7264";
constexpr std::string_view kCi = "0B415F696E69746961746F720B425F726573706F6E646572";
constexpr std::string_view kSid = "7E4B4791D6A8EF019B936C79FB7F2C57";
constexpr std::string_view kScalarA =
    "DA3D23700A9E5699258AEF94DC060DFDA5EBB61F02A5EA77FAD53F4FF0976D08";
constexpr std::string_view kAdA = "414461";
constexpr std::string_view kPointA =
    "D6BAC480F2C386C394EFC7C47ADB9925DCD2630B64F240C50F8D0EEC482B9157";
constexpr std::string_view kScalarB =
    "D2316B454718C35362D83D69DF6320F38578ED5984651435E2949762D900B80D";
constexpr std::string_view kAdB = "414462";
constexpr std::string_view kPointB =
    "3EA7E0B19560D7C0B0F5734F63B955286DFA8232B5EBE63324E2D9E7433F7258";
constexpr std::string_view kIsk =
    "B69EFFBF61B51D56401C0F65601ABE428DE8206FEAAF0E32198896DCAE7B35CD"
    "2B38950A39DFD5D4A79164614C2984F7DAA460B588C1E80C3FA2068AF7900447";
constexpr std::string_view kSidOutput =
    "BB1C449B35F0EA79A65C209F329A693D475E0CE2387BED9FE4B78F60B2A27C21"
    "9813FB2CFE175EF40D2222D9261E66DA7D78F7C55A303B1B8611DCDFAB880C47";
// Of the same source: scalar multiplication, and points that must be refused.
constexpr std::string_view kValidScalar =
    "7CD0E075FA7955BA52C02759A6C90DBBFC10E6D40AEA8D283E407D88CF538A05";
constexpr std::string_view kValidPoint =
    "2C3C6B8C4F3800E7AEF6864025B4ED79BD599117E427C41BD47D93D654B4A51C";
constexpr std::string_view kValidProduct =
    "7C13645FE790A468F62C39BEB7388E541D8405D1ADE69D1778C5FE3E7F6B600E";
constexpr std::string_view kInvalidY1 =
    "2B3C6B8C4F3800E7AEF6864025B4ED79BD599117E427C41BD47D93D654B4A51C";
constexpr std::string_view kInvalidY2 =
    "0000000000000000000000000000000000000000000000000000000000000000";

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

CpacePoint point(std::string_view text) {
  const ByteVector bytes = hex(text);
  CpacePoint out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Yields one scalar: its bytes, then zeros, which the reduction leaves as they are.
class ScalarRandom final : public Random {
 public:
  explicit ScalarRandom(ByteVector scalar) : scalar_(std::move(scalar)) {}
  void fill(MutableBytes out) override {
    std::fill(out.begin(), out.end(), std::byte{0});
    std::copy_n(scalar_.begin(), std::min(scalar_.size(), out.size()), out.begin());
  }

 private:
  ByteVector scalar_;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : generator_(seed) {}
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = std::byte(generator_());
  }

 private:
  std::mt19937_64 generator_;
};

struct Setting {
  std::string prs = "marble-anchor-tulip";
  ByteVector ci = channel_identifier("4821");
  ByteVector sid = {};
  std::string ad = "v1";
};

Cpace begin(CpaceRole role, Random& random, const Setting& setting = {}) {
  auto begun = Cpace::begin(role, as_bytes(setting.prs), setting.ci, setting.sid,
                            as_bytes(setting.ad), random);
  EXPECT_TRUE(begun.has_value());
  return std::move(begun).value();
}

// What both sides derive; each is told the other's AD as it was sent.
struct Pair {
  CpaceResult initiator, responder;
};
Pair exchange(const Setting& first, const Setting& second, CpaceRole first_role,
              CpaceRole second_role) {
  SeededRandom random(7);
  Cpace a = begin(first_role, random, first);
  Cpace b = begin(second_role, random, second);
  const CpacePoint from_a = a.own_point();
  const CpacePoint from_b = b.own_point();
  return {std::move(a).finish(from_b, as_bytes(second.ad)).value(),
          std::move(b).finish(from_a, as_bytes(first.ad)).value()};
}

TEST(Cpace, ReproducesTheDraftsVectors) {
  for (const CpaceRole role : {CpaceRole::kInitiator, CpaceRole::kResponder}) {
    const bool initiator = role == CpaceRole::kInitiator;
    ScalarRandom random(hex(initiator ? kScalarA : kScalarB));
    auto cpace =
        Cpace::begin(role, hex(kPrs), hex(kCi), hex(kSid), hex(initiator ? kAdA : kAdB), random);
    ASSERT_TRUE(cpace.has_value());
    EXPECT_EQ(cpace->own_point(), point(initiator ? kPointA : kPointB));
    const auto result = std::move(*cpace).finish(point(initiator ? kPointB : kPointA),
                                                 hex(initiator ? kAdB : kAdA));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(to_hex(result->isk), to_hex(hex(kIsk)));
    EXPECT_EQ(to_hex(result->sid_output), to_hex(hex(kSidOutput)));
  }
}

TEST(Cpace, RefusesTheDraftsInvalidPoints) {
  for (const std::string_view invalid : {kInvalidY1, kInvalidY2}) {
    ScalarRandom random(hex(kValidScalar));
    Cpace cpace = begin(CpaceRole::kInitiator, random);
    const auto result = std::move(cpace).finish(point(invalid), as_bytes("v1"));
    ASSERT_FALSE(result.has_value()) << invalid;
    EXPECT_EQ(result.error().code, Code::kProtocol);
  }
  // The same scalar goes through with the valid point of the same table.
  ScalarRandom random(hex(kValidScalar));
  Cpace cpace = begin(CpaceRole::kInitiator, random);
  EXPECT_TRUE(std::move(cpace).finish(point(kValidPoint), as_bytes("v1")).has_value());
}

TEST(Cpace, TheLibraryMultipliesAsTheDraftSays) {
  const ByteVector scalar = hex(kValidScalar);
  const ByteVector valid = hex(kValidPoint);
  CpacePoint product;
  ASSERT_EQ(crypto_scalarmult_ristretto255(reinterpret_cast<unsigned char*>(product.data()),
                                           reinterpret_cast<const unsigned char*>(scalar.data()),
                                           reinterpret_cast<const unsigned char*>(valid.data())),
            0);
  EXPECT_EQ(product, point(kValidProduct));
}

TEST(Cpace, RefusesEncodingsThatAreNotCanonical) {
  SeededRandom random(1);
  // p itself, p + 1, a negative field element (odd), and all ones.
  const std::string p = "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F";
  const std::string p1 = "EEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F";
  const std::string one = "01" + std::string(62, '0');
  const std::string ones(64, 'F');
  for (const std::string& bad : {p, p1, one, ones}) {
    Cpace cpace = begin(CpaceRole::kResponder, random);
    const auto result = std::move(cpace).finish(point(bad), as_bytes("v1"));
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_EQ(result.error().code, Code::kProtocol);
  }
}

TEST(Cpace, RefusesItsOwnPointReflected) {
  SeededRandom random(2);
  Cpace cpace = begin(CpaceRole::kInitiator, random);
  const CpacePoint own = cpace.own_point();
  const auto result = std::move(cpace).finish(own, as_bytes("v1"));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kProtocol);
}

TEST(Cpace, AScalarOfZeroIsRefusedAtOnce) {
  ScalarRandom random(ByteVector(32));
  const auto begun = Cpace::begin(CpaceRole::kInitiator, as_bytes("a"), {}, {}, {}, random);
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, Code::kCrypto);
}

TEST(Cpace, BothSidesAgree) {
  const Pair pair = exchange({}, {}, CpaceRole::kInitiator, CpaceRole::kResponder);
  EXPECT_EQ(pair.initiator.isk, pair.responder.isk);
  EXPECT_EQ(pair.initiator.sid_output, pair.responder.sid_output);
}

TEST(Cpace, AnyDifferenceGivesDifferentKeys) {
  const Setting same;
  Setting words, channel, sid;
  words.prs = "marble-anchor-turnip";
  channel.ci = channel_identifier("4822");
  sid.sid = ByteVector(16);
  for (const Setting& other : {words, channel, sid}) {
    const Pair pair = exchange(same, other, CpaceRole::kInitiator, CpaceRole::kResponder);
    EXPECT_NE(pair.initiator.isk, pair.responder.isk);
  }
}

TEST(Cpace, SwappedRolesGiveDifferentKeys) {
  for (const CpaceRole role : {CpaceRole::kInitiator, CpaceRole::kResponder}) {
    const Pair pair = exchange({}, {}, role, role);
    EXPECT_NE(pair.initiator.isk, pair.responder.isk);
    EXPECT_NE(pair.initiator.sid_output, pair.responder.sid_output);
  }
}

TEST(Cpace, AlteredAssociatedDataGivesDifferentKeys) {
  for (const bool alter_a : {false, true}) {
    SeededRandom random(3);
    Cpace a = begin(CpaceRole::kInitiator, random);
    Cpace b = begin(CpaceRole::kResponder, random);
    const CpacePoint from_a = a.own_point();
    const CpacePoint from_b = b.own_point();
    const auto at_a = std::move(a).finish(from_b, as_bytes(alter_a ? "v1" : "v2")).value();
    const auto at_b = std::move(b).finish(from_a, as_bytes(alter_a ? "v2" : "v1")).value();
    EXPECT_NE(at_a.isk, at_b.isk);
    EXPECT_NE(at_a.sid_output, at_b.sid_output);
  }
}

TEST(Cpace, PasswordsOfEverySizeRoundTheHashBlockWork) {
  // The padding shrinks to nothing at 128 - 1 - 17 - 1 - ... bytes; lengths of two bytes follow.
  for (std::size_t size = 0; size <= 300; ++size) {
    Setting setting;
    setting.prs.assign(size, 'x');
    const Pair pair = exchange(setting, setting, CpaceRole::kInitiator, CpaceRole::kResponder);
    ASSERT_EQ(pair.initiator.isk, pair.responder.isk) << size;
  }
}

TEST(Cpace, AResultThatWasMovedFromHoldsNoKey) {
  CpaceResult first;
  first.isk.fill(std::byte{7});
  const CpaceResult second = std::move(first);
  EXPECT_EQ(second.isk[0], std::byte{7});
  EXPECT_EQ(first.isk, (std::array<std::byte, kCpaceKeyBytes>{}));  // NOLINT: the point
}

TEST(Cpace, ChannelIdentifierIsUnambiguous) {
  EXPECT_EQ(as_text(channel_identifier("4821")),
            "\x10wormhole dialler\x11wormhole listener\x04"
            "4821");
  EXPECT_EQ(as_text(channel_identifier("")),
            std::string_view("\x10wormhole dialler\x11wormhole listener\0", 36));
}

}  // namespace
}  // namespace wormhole::session
