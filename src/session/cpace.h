// CPace (draft-irtf-cfrg-cpace-21), ristretto255 with SHA-512 by libsodium, initiator-responder.
//
// Sans-I/O. An object is used for one exchange, by one thread; secrets are wiped when it goes.
// PRS: the code's secret. CI: lv_cat of the two role names and the channel. ADa, ADb: version
// and features, both bound by the transcript. sid: empty; the session is named by sid_output.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace wormhole::session {

inline constexpr std::size_t kCpacePointBytes = 32;
inline constexpr std::size_t kCpaceKeyBytes = 64;  // ISK
inline constexpr std::size_t kCpaceSidBytes = 64;  // sid_output
using CpacePoint = std::array<std::byte, kCpacePointBytes>;

struct CpaceResult {  // wiped when destroyed; move-only
  CpaceResult() = default;
  CpaceResult(CpaceResult&&) noexcept;
  CpaceResult& operator=(CpaceResult&&) noexcept;
  ~CpaceResult();
  std::array<std::byte, kCpaceKeyBytes> isk{};
  std::array<std::byte, kCpaceSidBytes> sid_output{};
};

enum class CpaceRole : std::uint8_t { kInitiator, kResponder };

class Cpace {
 public:
  // Draws the scalar and computes the own point. kCrypto when libsodium refuses.
  [[nodiscard]] static Result<Cpace> begin(CpaceRole role, Bytes prs, Bytes ci, Bytes sid,
                                           Bytes own_ad, Random& random);
  Cpace(Cpace&&) noexcept;
  Cpace& operator=(Cpace&&) noexcept;
  ~Cpace();

  [[nodiscard]] const CpacePoint& own_point() const;
  // kProtocol for an invalid encoding or the identity.
  [[nodiscard]] Result<CpaceResult> finish(const CpacePoint& peer_point, Bytes peer_ad) &&;

 private:
  struct State;
  explicit Cpace(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// CI for a share's channel, as both roles compute it.
[[nodiscard]] ByteVector channel_identifier(std::string_view channel);

}  // namespace wormhole::session
