// Files of several names of which this run took one away, by putting another file in its place.
//
// That is a change of the file, as the kernel stamps it, and none of its bytes: without this, its
// other names would look as if somebody had just written them, and would not be replaced.
// Thread-safe. One for all attempts of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "platform/file_system.h"

namespace wormhole::transfer {

inline constexpr std::size_t kFormerNamesMax = 100'000;

class FormerNames {
 public:
  // Before it is replaced.
  void on_replace(const platform::FileStatus& status) {
    if (status.links < 2) return;
    std::scoped_lock lock(mutex_);
    if (files_.size() < kFormerNamesMax) files_.emplace(status.device, status.inode);
  }
  // Whether it was made or changed since then, by anyone but us.
  [[nodiscard]] bool is_since(const platform::FileStatus& status,
                              platform::Timestamp started) const {
    if (status.changed < started) return false;
    std::scoped_lock lock(mutex_);
    return !files_.contains({status.device, status.inode}) || status.modified >= started;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> files_;
};

}  // namespace wormhole::transfer
