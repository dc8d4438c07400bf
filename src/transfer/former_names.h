// Files of several names of which this run took one away, by putting another file in its place or
// deleting it, and directories that it empties or made.
//
// That is a change of the file, as the kernel stamps it, and none of its bytes: without this, its
// other names would look as if somebody had just written them, and would not be replaced. And a
// directory that an attempt began to empty would look so to the next one.
// Thread-safe. One for all attempts of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>

#include "platform/file_system.h"

namespace wormhole::transfer {

inline constexpr std::size_t kFormerNamesMax = 100'000;
inline constexpr std::size_t kMadeDirectoriesMax = 10'000;

class FormerNames {
 public:
  // Before it is replaced, or deleted, or changed in anything but its bytes.
  void on_replace(const platform::FileStatus& status) {
    if (status.links < 2) return;
    std::scoped_lock lock(mutex_);
    if (files_.size() < kFormerNamesMax) files_.insert(status.id());
  }
  // Whether it was made or changed since then, by anyone but us.
  [[nodiscard]] bool is_since(const platform::FileStatus& status,
                              platform::Timestamp started) const {
    if (status.changed < started) return false;
    std::scoped_lock lock(mutex_);
    return !files_.contains(status.id()) || status.modified >= started;
  }

  // A file of several names that had lost bytes and comes anew: its other names are names of it
  // still.
  void on_mended(const platform::FileId& file) {
    std::scoped_lock lock(mutex_);
    if (mended_.size() < kFormerNamesMax) mended_.insert(file);
  }
  [[nodiscard]] bool was_mended(const platform::FileId& file) const {
    std::scoped_lock lock(mutex_);
    return mended_.contains(file);
  }

  // Whether a directory stood there when this run started, as far as can be told: one that was
  // moved there since is somebody's. It is emptied then.
  [[nodiscard]] bool may_empty(const platform::FileStatus& directory, platform::Timestamp started) {
    std::scoped_lock lock(mutex_);
    if (directory.changed >= started) return emptied_.contains(directory.id());
    if (emptied_.size() < kFormerNamesMax) emptied_.insert(directory.id());
    return true;
  }

  // It is gone, and its number may soon be another's.
  void on_removed(const platform::FileStatus& status) {
    std::scoped_lock lock(mutex_);
    emptied_.erase(status.id());
    if (status.links < 2) files_.erase(status.id());
  }
  // Directories that it made, where those that were there are left alone: the next attempt finds
  // them there.
  void on_made(const platform::FileId& directory) {
    std::scoped_lock lock(mutex_);
    if (made_.size() < kMadeDirectoriesMax) made_.insert(directory);
  }
  [[nodiscard]] bool has_made(const platform::FileId& directory) const {
    std::scoped_lock lock(mutex_);
    return made_.contains(directory);
  }

 private:
  mutable std::mutex mutex_;
  std::set<platform::FileId> files_;
  std::set<platform::FileId> mended_;
  std::set<platform::FileId> emptied_;
  std::set<platform::FileId> made_;
};

}  // namespace wormhole::transfer
