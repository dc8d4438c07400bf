// One AEAD of one library: the seam behind which the frame cipher's libraries stand, and where
// tests put failing and recording ones.
//
// Private to the frame cipher. One thread per object. Works in place. An implementation may
// leave anything in the buffers when it fails: the frame cipher wipes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "session/frame_cipher.h"
#include "session/frame_cipher_keys.h"

namespace wormhole::session {

enum class Opened : std::uint8_t { kOk, kForged, kFailed };

class Aead {
 public:
  virtual ~Aead() = default;
  // The new key replaces and wipes the old one. False when the library failed.
  [[nodiscard]] virtual bool set_key(const AeadKey& key) = 0;
  [[nodiscard]] virtual bool seal(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
                                  std::span<std::byte, kTagBytes> tag) = 0;
  [[nodiscard]] virtual Opened open(const AeadNonce& nonce, Bytes associated, MutableBytes payload,
                                    std::span<const std::byte, kTagBytes> tag) = 0;
};

enum class Direction : bool { kSeal, kOpen };

// nullptr where the library refuses (memory, a provider without the algorithm).
[[nodiscard]] std::unique_ptr<Aead> make_openssl_aead(Suite suite, Direction direction);
// AES-256-GCM. nullptr where the library is not built in, the CPU has no VAES, or the library's
// self-test is missing or failed. The first call waits for that test, 4 ms.
[[nodiscard]] std::unique_ptr<Aead> make_ipsec_mb_aead();

// nullopt: not known yet, ask again. nullptr: there is none.
using FindAead = std::function<std::optional<std::unique_ptr<Aead>>()>;
// As make_ipsec_mb_aead(), without waiting: the first call begins the test, in a thread of its own.
[[nodiscard]] std::optional<std::unique_ptr<Aead>> find_ipsec_mb_aead();

// Works with `at_once`, and once it has had some traffic asks for `faster`, which replaces it.
// Where there is none, or it refuses the key, `at_once` goes on. Never null.
[[nodiscard]] std::unique_ptr<Aead> make_upgrading_aead(std::unique_ptr<Aead> at_once,
                                                        FindAead faster);

[[nodiscard]] std::unique_ptr<FrameSealer> make_sealer_over(std::unique_ptr<Aead> aead,
                                                            TrafficSecret secret,
                                                            RekeyLimits limits);
[[nodiscard]] std::unique_ptr<FrameOpener> make_opener_over(std::unique_ptr<Aead> aead,
                                                            TrafficSecret secret,
                                                            RekeyLimits limits);

}  // namespace wormhole::session
