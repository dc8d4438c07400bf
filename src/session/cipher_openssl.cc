// AES-256-GCM and ChaCha20-Poly1305 by OpenSSL's EVP interface.

#include <openssl/evp.h>

#include "session/frame_cipher_aead.h"
#include "session/raw_bytes.h"

namespace wormhole::session {
namespace {

struct FreeEvp {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// The context keeps the expanded key; a frame only sets its nonce, which allocates nothing.
class OpenSslAead final : public Aead {
 public:
  OpenSslAead(std::unique_ptr<EVP_CIPHER, FreeEvp> cipher,
              std::unique_ptr<EVP_CIPHER_CTX, FreeEvp> context, Direction direction)
      : cipher_(std::move(cipher)), context_(std::move(context)), direction_(direction) {}

  bool set_key(const AeadKey& key) override {
    return EVP_CIPHER_CTX_reset(context_.get()) == 1 &&
           EVP_CipherInit_ex2(context_.get(), cipher_.get(), raw(key.data()), nullptr,
                              direction_ == Direction::kSeal ? 1 : 0, nullptr) == 1;
  }

  bool seal(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
            std::span<std::byte, kTagBytes> tag) override {
    int bytes = 0;
    return direction_ == Direction::kSeal &&
           EVP_EncryptInit_ex2(context_.get(), nullptr, nullptr, raw(nonce.data()), nullptr) == 1 &&
           update(associated, payload) &&
           EVP_EncryptFinal_ex(context_.get(), raw(payload.data()) + payload.size(), &bytes) == 1 &&
           EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) == 1;
  }

  Opened open(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
              std::span<const std::byte, kTagBytes> tag) override {
    std::array<std::byte, kTagBytes> expected;
    std::memcpy(expected.data(), tag.data(), tag.size());
    if (direction_ != Direction::kOpen ||
        EVP_DecryptInit_ex2(context_.get(), nullptr, nullptr, raw(nonce.data()), nullptr) != 1 ||
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, expected.data()) !=
            1 ||
        !update(associated, payload)) {
      return Opened::kFailed;
    }
    int bytes = 0;
    // Writes nothing for these modes; 0 means that the tag did not fit.
    return EVP_DecryptFinal_ex(context_.get(), raw(payload.data()) + payload.size(), &bytes) == 1
               ? Opened::kOk
               : Opened::kForged;
  }

 private:
  bool update(Bytes associated, MutableBytes payload) {
    int bytes = 0;
    if (!associated.empty() &&
        EVP_CipherUpdate(context_.get(), nullptr, &bytes, raw(associated.data()),
                         static_cast<int>(associated.size())) != 1) {
      return false;
    }
    return payload.empty() ||
           (EVP_CipherUpdate(context_.get(), raw(payload.data()), &bytes, raw(payload.data()),
                             static_cast<int>(payload.size())) == 1 &&
            static_cast<std::size_t>(bytes) == payload.size());
  }

  std::unique_ptr<EVP_CIPHER, FreeEvp> cipher_;
  std::unique_ptr<EVP_CIPHER_CTX, FreeEvp> context_;  // wiped by OpenSSL when reset or freed
  Direction direction_;
};

}  // namespace

std::unique_ptr<Aead> make_openssl_aead(Suite suite, Direction direction) {
  const char* name = suite == Suite::kAes256Gcm ? "AES-256-GCM" : "ChaCha20-Poly1305";
  std::unique_ptr<EVP_CIPHER, FreeEvp> cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
  std::unique_ptr<EVP_CIPHER_CTX, FreeEvp> context(EVP_CIPHER_CTX_new());
  if (!cipher || !context) return nullptr;
  return std::make_unique<OpenSslAead>(std::move(cipher), std::move(context), direction);
}

}  // namespace wormhole::session
