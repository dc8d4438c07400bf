// Seals and opens frames: AEAD in place with implicit nonces and rekeying.
//
// Two implementations of AES-256-GCM (OpenSSL; intel-ipsec-mb where the CPU has VAES) and
// ChaCha20-Poly1305 (OpenSSL), tested against each other. One thread per object.
// nonce = IV xor counter (RFC 8446 section 5.3); after `rekey_bytes` or `rekey_frames` the key
// and IV are replaced as in section 7.2 and the old ones wiped; both ends count alike.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

namespace wormhole::session {

enum class Suite : std::uint8_t { kAes256Gcm = 1, kChaCha20Poly1305 = 2 };

// The secret of one (stream, direction), as long as SHA-384. Wiped when destroyed; move-only.
inline constexpr std::size_t kTrafficSecretBytes = 48;
class TrafficSecret {
 public:
  explicit TrafficSecret(std::span<const std::byte, kTrafficSecretBytes> bytes);
  TrafficSecret(TrafficSecret&& other) noexcept;
  TrafficSecret& operator=(TrafficSecret&& other) noexcept;
  ~TrafficSecret();
  [[nodiscard]] std::span<const std::byte, kTrafficSecretBytes> bytes() const { return bytes_; }

 private:
  std::array<std::byte, kTrafficSecretBytes> bytes_;
};

// Far below AES-GCM's limits (2^24.5 full-size records, RFC 8446 section 5.5).
struct RekeyLimits {
  std::uint64_t bytes = 64 * kGiB;
  std::uint64_t frames = std::uint64_t{1} << 24;
};

// kBest begins with OpenSSL, which is there at once. With AES-256-GCM it goes over to
// intel-ipsec-mb, where that is usable, once more than a little has been sealed or opened.
enum class CipherLibrary : std::uint8_t { kBest, kOpenSsl, kIpsecMb };

inline constexpr std::size_t kTagBytes = 16;

class FrameSealer {
 public:
  virtual ~FrameSealer() = default;
  // `payload` becomes ciphertext in place, `tag` is written. kCrypto: payload is wiped, nothing
  // may be sent.
  [[nodiscard]] virtual Result<void> seal(Bytes associated, MutableBytes payload,
                                          std::span<std::byte, kTagBytes> tag) = 0;
};

class FrameOpener {
 public:
  virtual ~FrameOpener() = default;
  // `payload` becomes plaintext in place. kLost when the tag does not fit (the network
  // altered it), kCrypto when the library failed: either way the payload is wiped first.
  [[nodiscard]] virtual Result<void> open(Bytes associated, MutableBytes payload,
                                          std::span<const std::byte, kTagBytes> tag) = 0;
  // Whether these bytes are those of which `tag` was made, by sealing nothing with them as
  // associated data. Going on after false is safe: the next nonce is another one either way.
  // kCrypto when the library failed.
  [[nodiscard]] virtual Result<bool> is_authentic(Bytes associated,
                                                  std::span<const std::byte, kTagBytes> tag) = 0;
};

[[nodiscard]] Result<std::unique_ptr<FrameSealer>> make_sealer(
    Suite suite, TrafficSecret secret, CipherLibrary library = CipherLibrary::kBest,
    RekeyLimits limits = {});
[[nodiscard]] Result<std::unique_ptr<FrameOpener>> make_opener(
    Suite suite, TrafficSecret secret, CipherLibrary library = CipherLibrary::kBest,
    RekeyLimits limits = {});

// True where this CPU runs AES-GCM in hardware: what a peer prefers follows from it.
[[nodiscard]] bool has_hardware_aes();

}  // namespace wormhole::session
