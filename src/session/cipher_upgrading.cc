// An AEAD that is there at once and becomes a faster one, of the same algorithm, when that is
// ready and worth it. A nonce comes with each frame and an AEAD keeps nothing from one to the
// next but its key: so the change may fall between any two frames, at either end alone.

#include <openssl/crypto.h>

#include <utility>

#include "session/frame_cipher_aead.h"

namespace wormhole::session {
namespace {

// So much costs OpenSSL 0.2 ms more than ipsec-mb, and finding that one costs 4 ms of a core: a
// session of requests and a few small files goes without.
constexpr std::uint64_t kWorthItBytes = kMiB;

class UpgradingAead final : public Aead {
 public:
  UpgradingAead(std::unique_ptr<Aead> at_once, FindAead faster)
      : present_(std::move(at_once)), faster_(std::move(faster)) {}
  ~UpgradingAead() override { OPENSSL_cleanse(key_.data(), key_.size()); }

  bool set_key(const AeadKey& key) override {
    if (!settled_) key_ = key;
    return present_->set_key(key);
  }

  bool seal(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
            std::span<std::byte, kTagBytes> tag) override {
    upgrade(associated.size() + payload.size());
    return present_->seal(nonce, associated, payload, tag);
  }

  Opened open(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
              std::span<const std::byte, kTagBytes> tag) override {
    upgrade(associated.size() + payload.size());
    return present_->open(nonce, associated, payload, tag);
  }

 private:
  void upgrade(std::size_t frame_bytes) {
    if (settled_) return;
    bytes_ += frame_bytes;
    if (bytes_ < kWorthItBytes) return;
    std::optional<std::unique_ptr<Aead>> faster = faster_();
    if (!faster) return;
    if (*faster && (*faster)->set_key(key_)) present_ = std::move(*faster);
    OPENSSL_cleanse(key_.data(), key_.size());
    settled_ = true;
  }

  std::unique_ptr<Aead> present_;
  const FindAead faster_;
  AeadKey key_{};  // until settled, for the faster one
  std::uint64_t bytes_ = 0;
  bool settled_ = false;
};

}  // namespace

std::unique_ptr<Aead> make_upgrading_aead(std::unique_ptr<Aead> at_once, FindAead faster) {
  return std::make_unique<UpgradingAead>(std::move(at_once), std::move(faster));
}

}  // namespace wormhole::session
