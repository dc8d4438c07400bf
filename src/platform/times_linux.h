// Setting the times of files. Internal to platform.
#pragma once

#include <optional>
#include <string_view>

#include "platform/file_system.h"

namespace wormhole::platform {

struct FileTimes {
  Timestamp modified;
  std::optional<Timestamp> accessed;  // nullopt: it stays as it is
};

// Of `name` in `directory`, or with null of what that is a handle of. `shown`: for errors.
[[nodiscard]] Result<void> set_times(int directory, const char* name, const FileTimes& times,
                                     int flags, std::string_view shown);

}  // namespace wormhole::platform
