// For tests: the committed corpus of a fuzzer, run by the unit tests as well.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace wormhole::testing {

// Calls `body` with the content of every file in src/ROOM/corpus/NAME; returns how many.
inline std::size_t run_corpus(const std::string& room, const std::string& name,
                              void (*body)(Bytes)) {
  std::size_t count = 0;
  const std::filesystem::path directory =
      std::filesystem::path(WORMHOLE_SOURCE_DIR) / "src" / room / "corpus" / name;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    body(as_bytes(input));
    ++count;
  }
  return count;
}

}  // namespace wormhole::testing
