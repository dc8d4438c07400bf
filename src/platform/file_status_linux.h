// struct stat as FileStatus. Internal to platform.
#pragma once

#include <sys/stat.h>

#include "platform/file_system.h"

namespace wormhole::platform {

[[nodiscard]] FileStatus to_file_status(const struct stat& from);

}  // namespace wormhole::platform
