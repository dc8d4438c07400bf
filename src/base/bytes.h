// Byte ranges, little-endian loads and stores, hex.
//
// All integers on our wire and disk are little-endian. Views never own.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wormhole {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

static_assert(std::endian::native == std::endian::little,
              "a big-endian port adds byte swaps to load_le and store_le");

// Precondition: at least sizeof(T) bytes at `from`.
template <typename T>
[[nodiscard]] T load_le(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void store_le(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(Bytes bytes);
// Either case; nullopt for an odd length or another character.
[[nodiscard]] std::optional<ByteVector> from_hex(std::string_view hex);

}  // namespace wormhole
