#include "session/frame_cipher.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "base/limits.h"
#include "session/frame_cipher_aead.h"

namespace wormhole::session {
namespace {

constexpr std::size_t kHeaderBytes = 32;
using Tag = std::array<std::byte, kTagBytes>;

struct Way {
  Suite suite;
  CipherLibrary library;
};
std::string name(const Way& way) {
  return std::string(way.suite == Suite::kAes256Gcm ? "AES-256-GCM" : "ChaCha20-Poly1305") +
         (way.library == CipherLibrary::kOpenSsl ? " by OpenSSL" : " by ipsec-mb");
}

bool has_ipsec_mb() { return make_ipsec_mb_aead() != nullptr; }

// Every cipher that works on this machine.
std::vector<Way> ways() {
  std::vector<Way> ways = {{Suite::kAes256Gcm, CipherLibrary::kOpenSsl},
                           {Suite::kChaCha20Poly1305, CipherLibrary::kOpenSsl}};
  if (has_ipsec_mb()) ways.push_back({Suite::kAes256Gcm, CipherLibrary::kIpsecMb});
  return ways;
}

std::unique_ptr<Aead> make_aead(const Way& way, Direction direction) {
  return way.library == CipherLibrary::kIpsecMb ? make_ipsec_mb_aead()
                                                : make_openssl_aead(way.suite, direction);
}

TrafficSecret secret(unsigned char fill = 1) {
  std::array<std::byte, kTrafficSecretBytes> bytes;
  bytes.fill(std::byte{fill});
  return TrafficSecret(bytes);
}

ByteVector random_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::mt19937_64 generator(seed);
  ByteVector bytes(size);
  for (std::byte& byte : bytes) byte = std::byte(generator());
  return bytes;
}

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::unique_ptr<FrameSealer> sealer(const Way& way, RekeyLimits limits = {}) {
  return make_sealer(way.suite, secret(), way.library, limits).value();
}
std::unique_ptr<FrameOpener> opener(const Way& way, RekeyLimits limits = {}) {
  return make_opener(way.suite, secret(), way.library, limits).value();
}

// --- known answers

struct KnownAnswer {
  const char* source;
  Suite suite;
  const char *key, *nonce, *associated, *plaintext, *ciphertext, *tag;
};
constexpr KnownAnswer kKnownAnswers[] = {
    {"McGrew and Viega, The Galois/Counter Mode of Operation (NIST submission), test case 13",
     Suite::kAes256Gcm, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"the same, test case 14", Suite::kAes256Gcm,
     "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"the same, test case 16", Suite::kAes256Gcm,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {"RFC 8439 section 2.8.2", Suite::kChaCha20Poly1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
     "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
     "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
     "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
     "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"}};

template <std::size_t size>
std::array<std::byte, size> array_of(const char* hex) {
  const ByteVector bytes = from_hex(hex).value();
  std::array<std::byte, size> out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

TEST(Aead, GivesKnownAnswersInBothDirections) {
  for (const Way& way : ways()) {
    for (const KnownAnswer& known : kKnownAnswers) {
      if (known.suite != way.suite) continue;
      SCOPED_TRACE(name(way) + ": " + known.source);
      const AeadKey key = array_of<kAeadKeyBytes>(known.key);
      const AeadNonce nonce = array_of<kAeadNonceBytes>(known.nonce);
      const ByteVector associated = from_hex(known.associated).value();
      ByteVector buffer = from_hex(known.plaintext).value();
      Tag tag{};
      const auto seals = make_aead(way, Direction::kSeal);
      ASSERT_TRUE(seals->set_key(key));
      ASSERT_TRUE(seals->seal(nonce, associated, buffer, tag));
      EXPECT_EQ(to_hex(buffer), known.ciphertext);
      EXPECT_EQ(to_hex(tag), known.tag);
      const auto opens = make_aead(way, Direction::kOpen);
      ASSERT_TRUE(opens->set_key(key));
      EXPECT_EQ(opens->open(nonce, associated, buffer, tag), Opened::kOk);
      EXPECT_EQ(to_hex(buffer), known.plaintext);
    }
  }
}

TEST(FrameKeys, ExpandLabelIsTheRfcsWithOurPrefix) {
  // RFC 8446 section 7.1 and RFC 5869 section 2.3 by hand: one HMAC block is enough.
  const ByteVector key = random_bytes(kTrafficSecretBytes);
  constexpr std::string_view kInfo("\x00\x20\x0cwormhole key\x00\x01", 17);
  std::array<unsigned char, EVP_MAX_MD_SIZE> expected{};
  unsigned size = 0;
  ASSERT_NE(HMAC(EVP_sha384(), key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(kInfo.data()), kInfo.size(),
                 expected.data(), &size),
            nullptr);
  AeadKey derived;
  ASSERT_TRUE(expand_label(std::span<const std::byte, kTrafficSecretBytes>(key), "key", derived));
  EXPECT_EQ(to_hex(derived), to_hex(std::as_bytes(std::span(expected)).first(kAeadKeyBytes)));
}

// --- both libraries, all sizes

TEST(FrameCipher, EachOpensWhatTheOthersOfItsSuiteSeal) {
  std::vector<std::size_t> sizes = {
      0, 1, 15, 16, 17, 4095, 4096, 4097, 65536, kBlockBytes - 1, kBlockBytes};
  for (const Way& seals : ways()) {
    for (const Way& opens : ways()) {
      if (seals.suite != opens.suite) continue;
      SCOPED_TRACE(name(seals) + ", opened " + name(opens));
      const auto from = sealer(seals);
      const auto to = opener(opens);
      for (const std::size_t size : sizes) {
        const ByteVector plain = random_bytes(size, size);
        const ByteVector header = random_bytes(kHeaderBytes, size + 1);
        ByteVector buffer = plain;
        Tag tag;
        ASSERT_TRUE(from->seal(header, buffer, tag));
        if (size >= 16) {
          EXPECT_NE(buffer, plain);
        }
        ASSERT_TRUE(to->open(header, buffer, tag)) << size;
        EXPECT_EQ(buffer, plain) << size;
      }
    }
  }
}

// Long enough to go over to the faster library on the way: under its first key, under a later one,
// and with the frame that has a new key.
TEST(FrameCipher, TheBestOpensAndIsOpenedByEachOfItsSuite) {
  static_cast<void>(has_ipsec_mb());  // that it is found, not still looked for
  const ByteVector noise = random_bytes(kBlockBytes + 20);
  for (const Way& way : ways()) {
    SCOPED_TRACE(name(way));
    const Way best{way.suite, CipherLibrary::kBest};
    for (const std::uint64_t frames : {1000, 3, 2}) {
      const RekeyLimits limits{.bytes = kGiB, .frames = frames};
      for (const auto& [seals, opens] : {std::pair(best, way), std::pair(way, best)}) {
        const auto from = sealer(seals, limits);
        const auto to = opener(opens, limits);
        for (std::size_t frame = 0; frame < 20; ++frame) {
          const auto begin = noise.begin() + static_cast<std::ptrdiff_t>(frame);
          const ByteVector plain(begin, begin + static_cast<std::ptrdiff_t>(kBlockBytes - frame));
          ByteVector buffer = plain;
          Tag tag;
          ASSERT_TRUE(from->seal({}, buffer, tag));
          ASSERT_TRUE(to->open({}, buffer, tag)) << frame;
          ASSERT_EQ(buffer, plain);
        }
      }
    }
  }
}

TEST(FrameCipher, OnceIpsecMbIsLookedForItIsFoundOrKnownToBeMissing) {
  const bool has = has_ipsec_mb();
  const auto found = find_ipsec_mb_aead();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found != nullptr, has);
}

TEST(FrameCipher, SuitesDoNotOpenEachOther) {
  const Way aes{Suite::kAes256Gcm, CipherLibrary::kOpenSsl};
  const Way chacha{Suite::kChaCha20Poly1305, CipherLibrary::kOpenSsl};
  ByteVector buffer = random_bytes(100);
  Tag tag;
  ASSERT_TRUE(sealer(aes)->seal({}, buffer, tag));
  EXPECT_EQ(opener(chacha)->open({}, buffer, tag).error().code, Code::kLost);
}

TEST(FrameCipher, IpsecMbIsForAesOnly) {
  const auto made = make_sealer(Suite::kChaCha20Poly1305, secret(), CipherLibrary::kIpsecMb);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kCrypto);
}

// --- forgeries

void expect_refused(const Way& way, Bytes header, ByteVector payload, Tag tag) {
  const auto opens = opener(way);
  const auto opened = opens->open(header, payload, tag);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kLost);
  EXPECT_TRUE(all_zero(payload));
}

TEST(FrameCipher, EveryFlippedBitIsRefusedAndWiped) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(name(way));
    const ByteVector header = random_bytes(kHeaderBytes, 2);
    ByteVector payload = random_bytes(40);
    Tag tag;
    ASSERT_TRUE(sealer(way)->seal(header, payload, tag));
    const auto flip = [](auto bytes, std::size_t bit) {
      bytes[bit / 8] ^= std::byte(1U << (bit % 8));
      return bytes;
    };
    for (std::size_t bit = 0; bit < 8 * header.size(); ++bit) {
      expect_refused(way, flip(header, bit), payload, tag);
    }
    for (std::size_t bit = 0; bit < 8 * payload.size(); ++bit) {
      expect_refused(way, header, flip(payload, bit), tag);
    }
    for (std::size_t bit = 0; bit < 8 * tag.size(); ++bit) {
      expect_refused(way, header, payload, flip(tag, bit));
    }
    for (std::size_t size = 0; size < 2 * payload.size(); ++size) {  // every other length
      ByteVector other = payload;
      other.resize(size);
      if (size != payload.size()) expect_refused(way, header, other, tag);
    }
    ASSERT_TRUE(opener(way)->open(header, payload, tag));
  }
}

TEST(FrameCipher, RepeatedReorderedAndSkippedFramesAreRefused) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(name(way));
    const auto from = sealer(way);
    std::vector<std::pair<ByteVector, Tag>> frames(3, {random_bytes(64), {}});
    for (auto& [payload, tag] : frames) ASSERT_TRUE(from->seal({}, payload, tag));
    const std::vector<std::vector<std::size_t>> orders = {{0, 0}, {1}, {0, 2}, {0, 1, 0}};
    for (const auto& order : orders) {
      const auto to = opener(way);
      for (std::size_t at = 0; at < order.size(); ++at) {
        auto [payload, tag] = frames[order[at]];
        EXPECT_EQ(to->open({}, payload, tag).has_value(), at + 1 < order.size());
      }
      auto [payload, tag] = frames[order.size() - 1];  // nothing opens after that
      EXPECT_FALSE(to->open({}, payload, tag).has_value());
      EXPECT_TRUE(all_zero(payload));
    }
  }
}

TEST(FrameCipher, WhatIsNotAuthenticIsToldAndTheNextFrameOpens) {
  for (const Way& seals : ways()) {
    for (const Way& checks : ways()) {
      if (seals.suite != checks.suite) continue;
      SCOPED_TRACE(name(seals) + ", checked " + name(checks));
      const auto from = sealer(seals);
      const auto to = opener(checks);
      for (const std::size_t size : {std::size_t{1}, std::size_t{4097}, kBlockBytes}) {
        ByteVector bytes = random_bytes(size, size);
        ByteVector nothing;
        for (const bool altered : {false, true, false}) {
          Tag tag;
          ASSERT_TRUE(from->seal(bytes, nothing, tag));
          if (altered) bytes[size / 2] ^= std::byte{1};
          const auto authentic = to->is_authentic(bytes, tag);
          ASSERT_TRUE(authentic.has_value());
          EXPECT_EQ(*authentic, !altered);
        }
        ByteVector sealed = bytes;
        Tag tag;
        ASSERT_TRUE(from->seal({}, sealed, tag));
        ASSERT_TRUE(to->open({}, sealed, tag));
        EXPECT_EQ(sealed, bytes);
      }
    }
  }
}

TEST(FrameCipher, AnotherSecretOpensNothing) {
  for (const Way& way : ways()) {
    ByteVector payload = random_bytes(64);
    Tag tag;
    ASSERT_TRUE(sealer(way)->seal({}, payload, tag));
    const auto other = make_opener(way.suite, secret(2), way.library).value();
    EXPECT_EQ(other->open({}, payload, tag).error().code, Code::kLost);
    EXPECT_TRUE(all_zero(payload));
  }
}

// --- rekeying

TEST(FrameCipher, BothEndsRekeyInLockstep) {
  const RekeyLimits small[] = {{.bytes = 1, .frames = 1000},
                               {.bytes = 1000, .frames = 3},
                               {.bytes = 64 * kKiB, .frames = 1},
                               {.bytes = 777, .frames = 7}};
  for (const Way& seals : ways()) {
    for (const Way& opens : ways()) {
      if (seals.suite != opens.suite) continue;
      for (const RekeyLimits& limits : small) {
        const auto from = sealer(seals, limits);
        const auto to = opener(opens, limits);
        for (std::size_t i = 0; i < 200; ++i) {
          const ByteVector plain = random_bytes(i * 37 % 500, i);
          ByteVector buffer = plain;
          Tag tag;
          ASSERT_TRUE(from->seal({}, buffer, tag));
          ASSERT_TRUE(to->open({}, buffer, tag)) << i;
          ASSERT_EQ(buffer, plain);
        }
      }
    }
  }
}

TEST(FrameCipher, AnEndThatDoesNotRekeyIsLeftBehind) {
  const Way way{Suite::kAes256Gcm, CipherLibrary::kOpenSsl};
  const auto from = sealer(way, {.bytes = kGiB, .frames = 4});
  const auto to = opener(way);
  for (int i = 0; i < 5; ++i) {
    ByteVector buffer = random_bytes(100);
    Tag tag;
    ASSERT_TRUE(from->seal({}, buffer, tag));
    EXPECT_EQ(to->open({}, buffer, tag).has_value(), i < 4);
  }
}

// Notes every key and nonce; seals nothing.
class RecordingAead final : public Aead {
 public:
  struct Record {
    std::vector<AeadKey> keys;
    std::set<std::pair<AeadKey, AeadNonce>> used;
    std::size_t frames = 0;
  };
  explicit RecordingAead(Record& record) : record_(record) {}
  bool set_key(const AeadKey& key) override {
    record_.keys.push_back(key);
    key_ = key;
    return true;
  }
  bool seal(const AeadNonce& nonce, Bytes, MutableBytes, std::span<std::byte, kTagBytes>) override {
    ++record_.frames;
    record_.used.emplace(key_, nonce);
    return true;
  }
  Opened open(const AeadNonce&, Bytes, MutableBytes,
              std::span<const std::byte, kTagBytes>) override {
    return Opened::kFailed;
  }

 private:
  Record& record_;
  AeadKey key_{};
};

TEST(FrameCipher, KeysAndNoncesAreUniqueOverStreamsDirectionsAndRekeys) {
  RecordingAead::Record record;
  constexpr RekeyLimits kLimits{.bytes = 5000, .frames = 50};
  ByteVector payload(150);
  Tag tag;
  for (unsigned char one_direction = 0; one_direction < 128; ++one_direction) {
    const auto seals =
        make_sealer_over(std::make_unique<RecordingAead>(record), secret(one_direction), kLimits);
    for (int frame = 0; frame < 500; ++frame) ASSERT_TRUE(seals->seal({}, payload, tag));
  }
  EXPECT_EQ(record.frames, 128U * 500U);
  EXPECT_EQ(record.used.size(), record.frames);
  const std::set<AeadKey> keys(record.keys.begin(), record.keys.end());
  EXPECT_EQ(keys.size(), record.keys.size());
  // 34 frames of 150 bytes reach 5,000 bytes.
  EXPECT_EQ(record.keys.size(), 128U * 15U);
}

TEST(FrameCipher, TheNonceIsTheIvXoredWithTheCounter) {
  FrameKeys keys(secret(), {});
  AeadKey key;
  ASSERT_TRUE(keys.due());
  ASSERT_TRUE(keys.replace(key));
  EXPECT_FALSE(keys.due());
  AeadNonce iv;
  ASSERT_TRUE(expand_label(secret().bytes(), "iv", iv));
  for (unsigned counter = 0; counter < 1000; ++counter) {
    AeadNonce expected = iv;
    expected[11] ^= std::byte(counter);
    expected[10] ^= std::byte(counter >> 8);
    ASSERT_EQ(keys.next_nonce(1), expected);
  }
}

TEST(FrameCipher, ANewKeyDoesNotComeFromTheSameSecret) {
  FrameKeys keys(secret(), {.bytes = 1, .frames = 1});
  AeadKey first, second;
  ASSERT_TRUE(keys.replace(first));
  static_cast<void>(keys.next_nonce(1));
  ASSERT_TRUE(keys.due());
  ASSERT_TRUE(keys.replace(second));
  std::array<std::byte, kTrafficSecretBytes> next;
  AeadKey expected;
  ASSERT_TRUE(expand_label(secret().bytes(), "traffic upd", next));
  ASSERT_TRUE(expand_label(next, "key", expected));
  EXPECT_EQ(second, expected);
  EXPECT_NE(first, second);
}

// --- a cipher that fails

// Fails as a library with a bad argument does: after the first `good` calls it leaves the
// buffer as it is, or with plaintext in it.
class FailingAead final : public Aead {
 public:
  FailingAead(int good, bool fail_key) : good_(good), fail_key_(fail_key) {}
  bool set_key(const AeadKey&) override { return !fail_key_; }
  bool seal(const AeadNonce&, Bytes, MutableBytes, std::span<std::byte, kTagBytes>) override {
    return good_-- > 0;
  }
  Opened open(const AeadNonce&, Bytes, MutableBytes payload,
              std::span<const std::byte, kTagBytes>) override {
    std::ranges::fill(payload, std::byte{'p'});
    return good_-- > 0 ? Opened::kOk : Opened::kFailed;
  }

 private:
  int good_;
  bool fail_key_;
};

TEST(FrameCipher, AFailingCipherLetsNothingOut) {
  for (const bool fail_key : {false, true}) {
    const auto seals =
        make_sealer_over(std::make_unique<FailingAead>(fail_key ? 9 : 1, fail_key), secret(), {});
    const auto opens =
        make_opener_over(std::make_unique<FailingAead>(fail_key ? 9 : 1, fail_key), secret(), {});
    ByteVector payload = random_bytes(100);
    Tag tag{};
    EXPECT_EQ(seals->seal({}, payload, tag).has_value(), !fail_key);
    EXPECT_EQ(opens->open({}, payload, tag).has_value(), !fail_key);
    for (int again = 0; again < 3; ++again) {
      payload = random_bytes(100);
      const auto sealed = seals->seal({}, payload, tag);
      ASSERT_FALSE(sealed.has_value());
      EXPECT_EQ(sealed.error().code, Code::kCrypto);
      EXPECT_TRUE(all_zero(payload) && all_zero(tag));
      payload = random_bytes(100);
      const auto opened = opens->open({}, payload, tag);
      ASSERT_FALSE(opened.has_value());
      EXPECT_EQ(opened.error().code, Code::kCrypto);
      EXPECT_TRUE(all_zero(payload));
      EXPECT_EQ(opens->is_authentic(payload, tag).error().code, Code::kCrypto);
    }
  }
}

TEST(FrameCipher, ABadArgumentToIpsecMbIsNoticed) {
  if (!has_ipsec_mb()) GTEST_SKIP() << "no intel-ipsec-mb with VAES here";
  const Way way{Suite::kAes256Gcm, CipherLibrary::kIpsecMb};
  const Bytes nowhere(static_cast<const std::byte*>(nullptr), kHeaderBytes);
  ByteVector payload = random_bytes(100);
  Tag tag{};
  const auto sealed = sealer(way)->seal(nowhere, payload, tag);
  ASSERT_FALSE(sealed.has_value());
  EXPECT_EQ(sealed.error().code, Code::kCrypto);
  EXPECT_TRUE(all_zero(payload) && all_zero(tag));
  payload = random_bytes(100);
  const auto opened = opener(way)->open(nowhere, payload, tag);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kCrypto);
  EXPECT_TRUE(all_zero(payload));
  // The library's error does not stick to the next object.
  EXPECT_TRUE(sealer(way)->seal({}, payload, tag).has_value());
}

TEST(FrameCipher, IpsecMbsNeighboursDoNotDisturbEachOther) {
  if (!has_ipsec_mb()) GTEST_SKIP() << "no intel-ipsec-mb with VAES here";
  // The library's error number is the process's: bad calls beside good ones must still fail,
  // and only they.
  const Way way{Suite::kAes256Gcm, CipherLibrary::kIpsecMb};
  const auto frames = [&](bool bad) {
    const Bytes nowhere(static_cast<const std::byte*>(nullptr), kHeaderBytes);
    for (int i = 0; i < 2000; ++i) {
      ByteVector payload(64);
      Tag tag{};
      EXPECT_NE(sealer(way)->seal(bad ? nowhere : Bytes(), payload, tag).has_value(), bad);
    }
  };
  std::jthread good([&] { frames(false); });
  std::jthread bad([&] { frames(true); });
}

TEST(FrameCipher, WhereIpsecMbWorksOpenSslSeesTheHardwareToo) {
  if (!has_ipsec_mb()) GTEST_SKIP() << "no intel-ipsec-mb with VAES here";
  EXPECT_TRUE(has_hardware_aes());
}

TEST(FrameCipher, AWrongDirectionIsAFailureNotAnAnswer) {
  const auto aead = make_openssl_aead(Suite::kAes256Gcm, Direction::kOpen);
  ByteVector payload = random_bytes(10);
  Tag tag{};
  ASSERT_TRUE(aead->set_key({}));
  EXPECT_FALSE(aead->seal({}, {}, payload, tag));
}

}  // namespace
}  // namespace wormhole::session
