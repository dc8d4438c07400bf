// AES-256-GCM by intel-ipsec-mb, with the VAES code of recent x86 CPUs: more than twice as fast
// as OpenSSL 3.0 here.
//
// The library hands out plaintext without comparing the tag, and with a bad argument it returns
// without a word and leaves the buffer as it was. It tells by imb_get_errno(), but that is one
// variable for the whole process (version 1.3: another thread's call overwrites it). So three
// things stand in the way of an unsealed frame: arguments are checked here, the tag must have
// been written, and imb_get_errno() must be 0. The tag is compared here.

#include "session/frame_cipher_aead.h"
#include "session/raw_bytes.h"

#ifdef WORMHOLE_HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>

namespace wormhole::session {
namespace {

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

// The direct interface: works on the key and context it is given, and on nothing else. A
// manager is only where its functions for this CPU are found and tested.
struct Functions {
  aes_gcm_pre_t expand_key;
  aes_gcm_enc_dec_t seal;
  aes_gcm_enc_dec_t open;
};

std::optional<Functions> find_functions() {
  const std::unique_ptr<IMB_MGR, FreeManager> manager(alloc_mb_mgr(0));
  if (!manager) return std::nullopt;
  IMB_ARCH architecture = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &architecture);
  constexpr std::uint64_t kNeeded = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ |
                                    IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
  if (imb_get_errno(manager.get()) != 0 || (manager->features & kNeeded) != kNeeded) {
    return std::nullopt;
  }
  return Functions{
      .expand_key = manager->gcm256_pre, .seal = manager->gcm256_enc, .open = manager->gcm256_dec};
}

// Once per process: making a manager runs the library's self-test, 4 ms, and takes 200 KB.
class Search {
 public:
  static Search& begun() {
    static Search search;
    return search;
  }
  [[nodiscard]] bool is_over() const { return over_.load(std::memory_order_acquire); }
  [[nodiscard]] const std::optional<Functions>& wait() const {
    over_.wait(false, std::memory_order_acquire);
    return found_;
  }

 private:
  Search() {
    try {
      thread_ = std::jthread([this] { end(find_functions()); });
    } catch (const std::system_error&) {
      end(std::nullopt);  // no room for a thread: OpenSSL goes on
    }
  }
  void end(std::optional<Functions> found) {
    found_ = found;
    over_.store(true, std::memory_order_release);
    over_.notify_all();
  }

  std::optional<Functions> found_;
  std::atomic<bool> over_ = false;
  std::jthread thread_;  // the last: it writes the others, and is joined before they go
};

bool usable(Bytes bytes) { return bytes.data() != nullptr || bytes.empty(); }

class IpsecMbAead final : public Aead {
 public:
  explicit IpsecMbAead(const Functions& functions) : functions_(functions) {}
  ~IpsecMbAead() override {
    OPENSSL_cleanse(&key_, sizeof key_);
    OPENSSL_cleanse(&context_, sizeof context_);
  }

  bool set_key(const AeadKey& key) override {
    OPENSSL_cleanse(&key_, sizeof key_);
    functions_.expand_key(key.data(), &key_);
    return imb_get_errno(nullptr) == 0;
  }

  bool seal(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
            std::span<std::byte, kTagBytes> tag) override {
    if (!usable(associated) || !usable(payload) || tag.data() == nullptr) return false;
    std::ranges::fill(tag, kUnwritten);
    run(functions_.seal, nonce, associated, payload, tag);
    return imb_get_errno(nullptr) == 0 &&
           std::ranges::any_of(tag, [](std::byte byte) { return byte != kUnwritten; });
  }

  Opened open(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
              std::span<const std::byte, kTagBytes> tag) override {
    if (!usable(associated) || !usable(payload) || tag.data() == nullptr) return Opened::kFailed;
    // Differs from the tag in every bit until the library writes the one it computed.
    std::array<std::byte, kTagBytes> computed;
    std::ranges::transform(tag, computed.begin(), [](std::byte byte) { return ~byte; });
    run(functions_.open, nonce, associated, payload, computed);
    if (imb_get_errno(nullptr) != 0) return Opened::kFailed;
    return CRYPTO_memcmp(computed.data(), tag.data(), tag.size()) == 0 ? Opened::kOk
                                                                       : Opened::kForged;
  }

 private:
  // Every bit pattern is a possible tag, this one with a chance of 2^-128.
  static constexpr std::byte kUnwritten{0xa5};

  void run(aes_gcm_enc_dec_t function, const AeadNonce& nonce, Bytes associated,
           MutableBytes payload, std::span<std::byte, kTagBytes> tag) {
    function(&key_, &context_, raw(payload.data()), raw(payload.data()), payload.size(),
             raw(nonce.data()), raw(associated.data()), associated.size(), raw(tag.data()),
             tag.size());
  }

  const Functions functions_;
  alignas(64) gcm_key_data key_{};
  alignas(64) gcm_context_data context_{};
};

}  // namespace

std::unique_ptr<Aead> make_ipsec_mb_aead() {
  const std::optional<Functions>& found = Search::begun().wait();
  return found ? std::make_unique<IpsecMbAead>(*found) : nullptr;
}

std::optional<std::unique_ptr<Aead>> find_ipsec_mb_aead() {
  if (!Search::begun().is_over()) return std::nullopt;
  return make_ipsec_mb_aead();
}

}  // namespace wormhole::session

#else

namespace wormhole::session {

std::unique_ptr<Aead> make_ipsec_mb_aead() { return nullptr; }
std::optional<std::unique_ptr<Aead>> find_ipsec_mb_aead() { return nullptr; }

}  // namespace wormhole::session

#endif
