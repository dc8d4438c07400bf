// Directories for what is nobody else's business. Any thread.
#pragma once

#include <filesystem>

namespace wormhole::store {

// Made with those above it if it is missing, and then this user's alone. What goes wrong shows when
// something is put there.
void make_private_directory(const std::filesystem::path& directory);

}  // namespace wormhole::store
