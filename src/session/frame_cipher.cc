#include "session/frame_cipher.h"

#include <openssl/crypto.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "session/frame_cipher_aead.h"
#include "session/frame_cipher_keys.h"

namespace wormhole::session {
namespace {

auto cipher_failed(std::string_view operation) {
  return fail({.code = Code::kCrypto,
               .operation = std::string(operation),
               .object = {},
               .detail = "the cipher library failed"});
}

// What both directions share: the present key, and the end after the first failure. Going on
// after one could use a nonce twice.
class Core {
 public:
  Core(std::unique_ptr<Aead> aead, TrafficSecret secret, RekeyLimits limits)
      : aead_(std::move(aead)), keys_(std::move(secret), limits) {}

  // The nonce of the next frame, under a key that may be used for it.
  [[nodiscard]] std::optional<AeadNonce> next(std::size_t payload_bytes) {
    WH_CHECK(payload_bytes <= kBlockBytes);
    if (dead_) return std::nullopt;
    if (keys_.due() && !replace_key()) {
      dead_ = true;
      return std::nullopt;
    }
    return keys_.next_nonce(payload_bytes);
  }
  void die() { dead_ = true; }
  [[nodiscard]] Aead& aead() { return *aead_; }

 private:
  bool replace_key() {
    AeadKey key;
    const bool replaced = keys_.replace(key).has_value() && aead_->set_key(key);
    OPENSSL_cleanse(key.data(), key.size());
    return replaced;
  }

  std::unique_ptr<Aead> aead_;
  FrameKeys keys_;
  bool dead_ = false;
};

class Sealer final : public FrameSealer {
 public:
  Sealer(std::unique_ptr<Aead> aead, TrafficSecret secret, RekeyLimits limits)
      : core_(std::move(aead), std::move(secret), limits) {}

  Result<void> seal(Bytes associated, MutableBytes payload,
                    std::span<std::byte, kTagBytes> tag) override {
    const std::optional<AeadNonce> nonce = core_.next(payload.size());
    if (nonce && core_.aead().seal(*nonce, associated, payload, tag)) return {};
    core_.die();
    OPENSSL_cleanse(payload.data(), payload.size());
    OPENSSL_cleanse(tag.data(), tag.size());
    return cipher_failed("seal frame");
  }

 private:
  Core core_;
};

class Opener final : public FrameOpener {
 public:
  Opener(std::unique_ptr<Aead> aead, TrafficSecret secret, RekeyLimits limits)
      : core_(std::move(aead), std::move(secret), limits) {}

  Result<void> open(Bytes associated, MutableBytes payload,
                    std::span<const std::byte, kTagBytes> tag) override {
    const Opened opened = try_open(associated, payload, tag);
    if (opened == Opened::kOk) return {};
    core_.die();
    OPENSSL_cleanse(payload.data(), payload.size());
    if (opened == Opened::kFailed) return cipher_failed("open frame");
    // By the network: the other end would have sealed whatever it says. What came before is as good
    // as it was, and another connection may do better.
    return fail({.code = Code::kLost,
                 .operation = "open frame",
                 .object = {},
                 .detail = "its tag does not fit: it was altered, repeated or moved on the way"});
  }

  Result<bool> is_authentic(Bytes associated, std::span<const std::byte, kTagBytes> tag) override {
    std::array<std::byte, 1> nothing;  // some AEADs do not take a null pointer for no bytes
    const Opened opened = try_open(associated, MutableBytes(nothing).first(0), tag);
    if (opened != Opened::kFailed) return opened == Opened::kOk;
    core_.die();
    return cipher_failed("check frame");
  }

 private:
  Opened try_open(Bytes associated, MutableBytes payload,
                  std::span<const std::byte, kTagBytes> tag) {
    const std::optional<AeadNonce> nonce = core_.next(payload.size());
    return nonce ? core_.aead().open(*nonce, associated, payload, tag) : Opened::kFailed;
  }

  Core core_;
};

Result<std::unique_ptr<Aead>> make_aead(Suite suite, CipherLibrary library, Direction direction) {
  const bool aes = suite == Suite::kAes256Gcm;
  if (!aes && suite != Suite::kChaCha20Poly1305) {
    return fail({.code = Code::kProtocol,
                 .operation = "choose cipher",
                 .object = {},
                 .detail = "unknown cipher suite"});
  }
  std::unique_ptr<Aead> aead;
  if (library != CipherLibrary::kIpsecMb) {
    aead = make_openssl_aead(suite, direction);
  } else if (aes) {
    aead = make_ipsec_mb_aead();
  }
  if (!aead) return cipher_failed("choose cipher");
  if (library == CipherLibrary::kBest && aes) {
    return make_upgrading_aead(std::move(aead), &find_ipsec_mb_aead);
  }
  return aead;
}

// OpenSSL's own finding about the CPU, "OPENSSL_ia32cap=0x...:0x..." or "OPENSSL_armcap=0x...".
std::optional<std::uint64_t> cpu_word(std::string_view settings, std::string_view name) {
  const std::size_t at = settings.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  settings.remove_prefix(at + name.size());
  std::uint64_t word = 0;
  const auto parsed = std::from_chars(settings.data(), settings.data() + settings.size(), word, 16);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return word;
}

}  // namespace

std::unique_ptr<FrameSealer> make_sealer_over(std::unique_ptr<Aead> aead, TrafficSecret secret,
                                              RekeyLimits limits) {
  return std::make_unique<Sealer>(std::move(aead), std::move(secret), limits);
}

std::unique_ptr<FrameOpener> make_opener_over(std::unique_ptr<Aead> aead, TrafficSecret secret,
                                              RekeyLimits limits) {
  return std::make_unique<Opener>(std::move(aead), std::move(secret), limits);
}

Result<std::unique_ptr<FrameSealer>> make_sealer(Suite suite, TrafficSecret secret,
                                                 CipherLibrary library, RekeyLimits limits) {
  WH_ASSIGN(std::unique_ptr<Aead> aead, make_aead(suite, library, Direction::kSeal));
  return make_sealer_over(std::move(aead), std::move(secret), limits);
}

Result<std::unique_ptr<FrameOpener>> make_opener(Suite suite, TrafficSecret secret,
                                                 CipherLibrary library, RekeyLimits limits) {
  WH_ASSIGN(std::unique_ptr<Aead> aead, make_aead(suite, library, Direction::kOpen));
  return make_opener_over(std::move(aead), std::move(secret), limits);
}

bool has_hardware_aes() {
  const char* info = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);
  if (info == nullptr) return false;
  constexpr std::uint64_t kX86 = (std::uint64_t{1} << 57) | (std::uint64_t{1} << 33);
  constexpr std::uint64_t kArm = (std::uint64_t{1} << 2) | (std::uint64_t{1} << 5);
  // AES-NI and PCLMULQDQ; the AES and PMULL extensions.
  if (const auto word = cpu_word(info, "OPENSSL_ia32cap=0x")) return (*word & kX86) == kX86;
  if (const auto word = cpu_word(info, "OPENSSL_armcap=0x")) return (*word & kArm) == kArm;
  return false;
}

}  // namespace wormhole::session
