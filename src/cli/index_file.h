// This user's index of what was fetched, in the cache directory.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/output.h"
#include "store/index.h"

namespace wormhole::cli {

// $XDG_CACHE_HOME/wormhole/index.db, else below ~/.cache; nullopt where the user has no home.
[[nodiscard]] std::optional<std::string> index_file();
// Null, and a word why, where there is none to be had: everything else works without. A word too
// when a damaged one was set aside.
[[nodiscard]] std::unique_ptr<store::Index> open_index(Output& output);

}  // namespace wormhole::cli
