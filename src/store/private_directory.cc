#include "store/private_directory.h"

#include <system_error>

namespace wormhole::store {

namespace fs = std::filesystem;

void make_private_directory(const fs::path& directory) {
  std::error_code error;
  const bool made = fs::create_directories(directory, error);
  if (made) fs::permissions(directory, fs::perms::owner_all, error);
}

}  // namespace wormhole::store
