// Content for tests that looks like nothing else.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace wormhole::testing {

// The same for the same seed; the last bytes that fill no word are zero.
inline std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at + sizeof seed <= size; at += sizeof seed) {
    const std::uint64_t word = generator();
    std::memcpy(&bytes[at], &word, sizeof word);
  }
  return bytes;
}

}  // namespace wormhole::testing
