// Which of what is below a request's path is meant: its rules, compiled, and at the giver also what
// the .gitignore files on the way down say.
//
// Both ends look: the giver so as not to walk and announce the rest, the taker so as not to be
// given it. What was asked for by its own name is always meant.
// A Selector is read by any thread; an IgnoreFiles is the walking thread's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/file_system.h"
#include "transfer/glob.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class Selector {
 public:
  // kUsage for a pattern that cannot be understood, kLimit for too many.
  [[nodiscard]] static Result<Selector> compile(const wire::Selection& selection);
  Selector() = default;  // all

  // `path`: relative to what was asked for, with a '/' at its end if it is a directory.
  [[nodiscard]] bool takes_path(std::string_view path) const;
  [[nodiscard]] bool takes_size(std::uint64_t bytes) const { return bytes <= size_max_bytes_; }
  [[nodiscard]] bool honours_ignore_files() const { return honours_ignore_files_; }
  // A path need not even be made.
  [[nodiscard]] bool looks_at_paths() const { return !rules_.empty() || honours_ignore_files_; }

 private:
  PatternList rules_;
  std::uint64_t size_max_bytes_ = UINT64_MAX;
  bool honours_ignore_files_ = false;
};

// The .gitignore files of the directories that a walk is in.
class IgnoreFiles {
 public:
  // Of a directory and of those above it as the walk goes down. `path`: its own, "" or "a/b/".
  // An error where it cannot be read or used: then it says nothing.
  [[nodiscard]] Result<void> enter(const platform::Directory& directory, std::string_view path);
  void leave();
  // `path`: with a '/' at its end if it is a directory. The file farthest down decides.
  [[nodiscard]] bool excludes(std::string_view path) const;

  // One file's lines, the last one first: that one decides.
  [[nodiscard]] static Result<PatternList> parse(std::string_view text);

 private:
  struct Level {
    std::size_t prefix_bytes;  // of paths in it
    PatternList patterns;
  };
  std::vector<Level> levels_;
};

}  // namespace wormhole::transfer
