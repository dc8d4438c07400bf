// docs/formats/frame.md against the code: every value of its worked example is computed again.

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "base/block.h"
#include "base/document_testing.h"
#include "session/frame_cipher.h"
#include "session/frame_cipher_keys.h"
#include "wire/frame_header.h"

namespace wormhole::session {
namespace {

class Example {
 public:
  Example() {
    for (std::size_t i = 0; i < secret_.size(); ++i) secret_[i] = std::byte(i);
  }
  [[nodiscard]] TrafficSecret secret() const { return TrafficSecret(secret_); }

  [[nodiscard]] std::string derived(std::string_view label, std::size_t size) const {
    ByteVector out(size);
    EXPECT_TRUE(expand_label(secret_, label, out));
    return to_hex(out);
  }

  // Header, sealed payload and tag of both frames under a fresh sealer.
  [[nodiscard]] std::pair<std::string, std::string> frames(Suite suite) const {
    const auto sealer = make_sealer(suite, secret(), CipherLibrary::kOpenSsl).value();
    const std::string first = frame(*sealer,
                                    {.payload_bytes = static_cast<std::uint32_t>(kText.size()),
                                     .type = wire::FrameType::kData,
                                     .followed = true,
                                     .request = 1,
                                     .file = 2,
                                     .offset = 262144},
                                    as_bytes(kText));
    return {first, frame(*sealer, {.payload_bytes = 0, .type = wire::FrameType::kEndStream}, {})};
  }

  // Header, payload in clear, and both tags.
  [[nodiscard]] std::string plain_frame() const {
    const auto sealer = make_sealer(Suite::kAes256Gcm, secret(), CipherLibrary::kOpenSsl).value();
    std::array<std::byte, wire::kFrameHeaderBytes> header;
    wire::encode({.payload_bytes = static_cast<std::uint32_t>(kText.size()),
                  .type = wire::FrameType::kPlain,
                  .followed = true,
                  .request = 1,
                  .file = 2,
                  .offset = 262144},
                 header);
    std::array<std::byte, kTagBytes> header_tag;
    std::array<std::byte, kTagBytes> payload_tag;
    ByteVector nothing;
    EXPECT_TRUE(sealer->seal(header, nothing, header_tag));
    EXPECT_TRUE(sealer->seal(as_bytes(kText), nothing, payload_tag));
    return to_hex(header) + to_hex(as_bytes(kText)) + to_hex(header_tag) + to_hex(payload_tag);
  }

 private:
  static constexpr std::string_view kText = "Hello, wormhole!";

  static std::string frame(FrameSealer& sealer, const wire::FrameHeader& header, Bytes payload) {
    ByteVector bytes(wire::kFrameHeaderBytes + payload.size() + kTagBytes);
    const MutableBytes all(bytes);
    wire::encode(header, all.first<wire::kFrameHeaderBytes>());
    std::copy(payload.begin(), payload.end(), bytes.begin() + wire::kFrameHeaderBytes);
    EXPECT_TRUE(sealer.seal(all.first(wire::kFrameHeaderBytes),
                            all.subspan(wire::kFrameHeaderBytes, payload.size()),
                            all.last<kTagBytes>()));
    return to_hex(bytes);
  }

  std::array<std::byte, kTrafficSecretBytes> secret_{};
};

TEST(FrameDocument, ItsExampleIsWhatTheCodeDoes) {
  const Example example;
  const auto [aes_first, aes_second] = example.frames(Suite::kAes256Gcm);
  const auto [chacha_first, chacha_second] = example.frames(Suite::kChaCha20Poly1305);
  const std::map<std::string, std::string> expected = {
      {"traffic secret", to_hex(example.secret().bytes())},
      {"key", example.derived("key", kAeadKeyBytes)},
      {"iv", example.derived("iv", kAeadNonceBytes)},
      {"next secret", example.derived("traffic upd", kTrafficSecretBytes)},
      {"first header", aes_first.substr(0, 2 * wire::kFrameHeaderBytes)},
      {"first frame", aes_first},
      {"second frame", aes_second},
      {"plain frame", example.plain_frame()},
      {"first frame, ChaCha20", chacha_first},
      {"second frame, ChaCha20", chacha_second}};
  const auto values = wormhole::testing::documented_values("docs/formats/frame.md");
  for (const auto& [name, hex] : expected) {
    const auto found = values.find(name);
    ASSERT_NE(found, values.end()) << name << " = " << hex;
    EXPECT_EQ(found->second, hex) << name;
  }
}

TEST(FrameDocument, ItsNoncesAreWhatTheCodeDoes) {
  const Example example;
  FrameKeys keys(example.secret(), {});
  AeadKey key;
  ASSERT_TRUE(keys.replace(key));
  const auto values = wormhole::testing::documented_values("docs/formats/frame.md");
  for (const char* name : {"nonce of frame 0", "nonce of frame 1"}) {
    const std::string nonce = to_hex(keys.next_nonce(0));
    ASSERT_TRUE(values.contains(name)) << name << " = " << nonce;
    EXPECT_EQ(values.at(name), nonce) << name;
  }
}

}  // namespace
}  // namespace wormhole::session
