// The key schedule of one (stream, direction): keys, IVs, nonces, and when they change.
//
// Private to the frame cipher. One thread. Secrets are wiped when replaced and at the end.
// Source: HKDF-Expand-Label of RFC 8446 section 7.1 (SHA-384, our own prefix), nonces as
// section 5.3, the next secret as section 7.2.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "session/frame_cipher.h"

namespace wormhole::session {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
using AeadKey = std::array<std::byte, kAeadKeyBytes>;
using AeadNonce = std::array<std::byte, kAeadNonceBytes>;

// HKDF-Expand-Label with the prefix "wormhole " and an empty context. `out` at most 48 bytes.
[[nodiscard]] Result<void> expand_label(std::span<const std::byte, kTrafficSecretBytes> secret,
                                        std::string_view label, MutableBytes out);

class FrameKeys {
 public:
  // Call replace() before the first frame.
  FrameKeys(TrafficSecret secret, RekeyLimits limits);
  FrameKeys(const FrameKeys&) = delete;
  FrameKeys& operator=(const FrameKeys&) = delete;
  ~FrameKeys();

  // True when the next frame needs a key that is not there yet.
  [[nodiscard]] bool due() const;
  // Derives the next key and IV, and the secret of the one after it. The caller wipes `key`.
  [[nodiscard]] Result<void> replace(AeadKey& key);
  // The nonce of the next frame, and counts that frame.
  [[nodiscard]] AeadNonce next_nonce(std::size_t payload_bytes);

 private:
  TrafficSecret secret_;
  const RekeyLimits limits_;
  AeadNonce iv_{};
  bool has_key_ = false;
  std::uint64_t frames_ = 0;  // under the present key: also the counter of its nonces
  std::uint64_t bytes_ = 0;
};

}  // namespace wormhole::session
