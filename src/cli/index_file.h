// This user's index of what was fetched, in the cache directory.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "cli/output.h"
#include "store/index.h"

namespace wormhole::cli {

// $XDG_CACHE_HOME/wormhole/index.db, else below ~/.cache; nullopt where the user has no home.
[[nodiscard]] std::optional<std::string> index_file();

// Opened while something else is waited for. One thread; all is over when it is gone.
class OpeningIndex {
 public:
  explicit OpeningIndex(Output& output);
  ~OpeningIndex();
  OpeningIndex(const OpeningIndex&) = delete;
  OpeningIndex& operator=(const OpeningIndex&) = delete;

  // Once. Null, and a word why, where there is none to be had: everything else works without. A
  // word too when a damaged one was set aside, taken or not.
  [[nodiscard]] std::unique_ptr<store::Index> take();

 private:
  Output& output_;
  std::future<Result<std::unique_ptr<store::Index>>> opening_;
};

}  // namespace wormhole::cli
