// A temporary directory (below TMPDIR) for tests, removed with all it holds.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/content_testing.h"
#include "platform/file_system.h"

namespace wormhole::platform {

class TestDirectory {
 public:
  TestDirectory() {
    std::string path = std::filesystem::temp_directory_path() / "wormhole-test-XXXXXX";
    WH_CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }
  [[nodiscard]] Directory open() const {
    auto directory = Directory::open_path(path_);
    WH_CHECK(directory.has_value());
    return std::move(*directory);
  }

  void write(std::string_view name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  [[nodiscard]] std::string read(std::string_view name) const {
    return wormhole::testing::content_of(path_ / name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace wormhole::platform
