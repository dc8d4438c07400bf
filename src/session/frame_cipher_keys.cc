#include "session/frame_cipher_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>
#include <utility>

#include "base/check.h"

namespace wormhole::session {
namespace {

constexpr std::string_view kLabelPrefix = "wormhole ";
constexpr std::size_t kLabelMaxBytes = 32;

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// struct HkdfLabel: u16 length, u8-counted label, u8-counted context (empty here).
struct HkdfLabel {
  HkdfLabel(std::string_view label, std::size_t out_bytes) {
    add(static_cast<unsigned char>(out_bytes >> 8));
    add(static_cast<unsigned char>(out_bytes));
    add(static_cast<unsigned char>(kLabelPrefix.size() + label.size()));
    for (const char c : kLabelPrefix) add(static_cast<unsigned char>(c));
    for (const char c : label) add(static_cast<unsigned char>(c));
    add(0);
  }
  void add(unsigned char byte) { bytes[size++] = byte; }

  std::array<unsigned char, 2 + 1 + kLabelMaxBytes + 1> bytes{};
  std::size_t size = 0;
};

}  // namespace

Result<void> expand_label(std::span<const std::byte, kTrafficSecretBytes> secret,
                          std::string_view label, MutableBytes out) {
  WH_CHECK(kLabelPrefix.size() + label.size() <= kLabelMaxBytes);
  WH_CHECK(out.size() <= kTrafficSecretBytes);
  HkdfLabel info(label, out.size());
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA2-384";
  // The parameters are only read, but their type has no room for const.
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::byte*>(secret.data()),
                                        secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.bytes.data(), info.size),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                 out.size(), parameters) != 1) {
    OPENSSL_cleanse(out.data(), out.size());
    return fail({.code = Code::kCrypto,
                 .operation = "derive frame keys",
                 .object = {},
                 .detail = "OpenSSL refused HKDF"});
  }
  return {};
}

TrafficSecret::TrafficSecret(std::span<const std::byte, kTrafficSecretBytes> bytes) {
  std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

TrafficSecret::TrafficSecret(TrafficSecret&& other) noexcept : bytes_(other.bytes_) {
  OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
}

TrafficSecret& TrafficSecret::operator=(TrafficSecret&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    OPENSSL_cleanse(other.bytes_.data(), other.bytes_.size());
  }
  return *this;
}

TrafficSecret::~TrafficSecret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

FrameKeys::FrameKeys(TrafficSecret secret, RekeyLimits limits)
    : secret_(std::move(secret)), limits_(limits) {
  WH_CHECK(limits_.bytes > 0 && limits_.frames > 0);
}

FrameKeys::~FrameKeys() { OPENSSL_cleanse(iv_.data(), iv_.size()); }

bool FrameKeys::due() const {
  return !has_key_ || frames_ >= limits_.frames || bytes_ >= limits_.bytes;
}

Result<void> FrameKeys::replace(AeadKey& key) {
  WH_TRY(expand_label(secret_.bytes(), "key", key));
  WH_TRY(expand_label(secret_.bytes(), "iv", iv_));
  // From here on the present key cannot be computed again from what is in memory.
  std::array<std::byte, kTrafficSecretBytes> next;
  const Result<void> expanded = expand_label(secret_.bytes(), "traffic upd", next);
  if (expanded) secret_ = TrafficSecret(next);
  OPENSSL_cleanse(next.data(), next.size());
  WH_TRY(expanded);
  has_key_ = true;
  frames_ = 0;
  bytes_ = 0;
  return {};
}

AeadNonce FrameKeys::next_nonce(std::size_t payload_bytes) {
  AeadNonce nonce = iv_;
  // The counter in network order, left-padded to the nonce's length.
  for (std::size_t i = 0; i < sizeof frames_; ++i) {
    nonce[kAeadNonceBytes - 1 - i] ^= std::byte(frames_ >> (8 * i));
  }
  ++frames_;
  bytes_ += payload_bytes;
  return nonce;
}

}  // namespace wormhole::session
