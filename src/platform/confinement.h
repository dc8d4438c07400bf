// What this process can open from here on, whatever it is made to try: landlock(7), Linux 5.13 and
// later. It stands behind the checks of names and links, should one of them be wrong.
//
// What is open already stays as it is, and so do sockets, metadata (looking at it and, for the
// owner, changing it) and, before Linux 6.2, truncation. Starting another program is refused.
// Before Linux 5.19 nothing is renamed from one directory to another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace wormhole::platform {

// Files, or directories with all below them. A path that is not there is passed over.
struct Confinement {
  std::vector<std::string> written;              // and read
  std::optional<std::vector<std::string>> read;  // nullopt: everything
};

// Of the calling thread and those that it starts from now on: to be called before any is started.
// False where the system has no means for it.
[[nodiscard]] Result<bool> confine(const Confinement& to);

}  // namespace wormhole::platform
