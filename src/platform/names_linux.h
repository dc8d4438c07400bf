// Names as the kernel wants them. Internal to platform.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "platform/file_system.h"

namespace wormhole::platform {

// A path to what a handle holds, wherever that stands, for calls that take no handle.
[[nodiscard]] inline std::string path_of_handle(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

// A checked name. NUL-terminated copy on the stack: names are handled by the ten thousand a second.
// Precondition: check_name() said yes.
class NameBuffer {
 public:
  explicit NameBuffer(std::string_view name) {
    WH_CHECK(name.size() <= kNameMaxBytes);
    std::memcpy(text_.data(), name.data(), name.size());
    text_[name.size()] = '\0';
  }
  [[nodiscard]] const char* get() const { return text_.data(); }

 private:
  std::array<char, kNameMaxBytes + 1> text_;
};

}  // namespace wormhole::platform
