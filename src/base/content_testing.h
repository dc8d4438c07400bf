// What stands in a file, for tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace wormhole::testing {

// In one piece (byte by byte, unoptimised, it would be 10 MB/s); empty when it cannot be read.
inline std::string content_of(const std::filesystem::path& path) {
  std::error_code none_there;
  const auto size = std::filesystem::file_size(path, none_there);
  if (none_there) return {};
  std::string content(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(content.data(), static_cast<std::streamsize>(size));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

}  // namespace wormhole::testing
