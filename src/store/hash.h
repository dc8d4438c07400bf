// BLAKE3, 32 bytes: the one hash of Wormhole. Functions: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace wormhole::store {

using Hash = std::array<std::byte, 32>;

[[nodiscard]] Hash hash(Bytes data);
// The keyed mode: a MAC.
[[nodiscard]] Hash keyed_hash(const Hash& key, Bytes data);
// Its first 8 bytes, little-endian, and never 0: a number that stands for `data`.
[[nodiscard]] std::uint64_t keyed_name(const Hash& key, Bytes data);

// Of what comes in pieces. One thread.
class Hasher {
 public:
  Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void add(Bytes data);
  // Of what was added since the last call.
  [[nodiscard]] Hash finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The name of the partial that becomes `final_name`, beside it: ".wormhole-" and 32 hex digits
// of the final name's hash, so that any final name (255 bytes too) has one that fits.
[[nodiscard]] std::string partial_name(std::string_view final_name);
// True for every name that partial_name can return.
[[nodiscard]] bool is_partial_name(std::string_view name);

}  // namespace wormhole::store
