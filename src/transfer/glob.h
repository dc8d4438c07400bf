// Patterns of file names, and which of them decides about a path.
//
// A pattern may come from a peer, or from a file that is shared: it is made into a regular
// expression that is matched in time linear in the path, whatever its stars (RE2; fnmatch() would
// try each star with each other). Bytes are bytes: names need not be UTF-8, and `?` is one byte.
// Sans-I/O. A compiled list is read by any thread.
//
// `*` and `?` match anything but '/', `**` anything, `[a-z]`, `[!a-z]` and `[[:digit:]]` one byte,
// `\` takes the next byte as it is. A pattern that ends in '/' fits directories alone.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace re2 {
class RE2;
}

namespace wormhole::transfer {

// Who wrote the pattern; where they differ:
enum class Dialect : int {
  // rsync's filter rules (rsync(1)). A '/' in front holds the pattern to the top; without one it
  // fits the end of a path, behind any '/'. "dir/***": the directory and everything in it.
  kFilter,
  // A line of a .gitignore (gitignore(5)): a '/' anywhere but at the end holds it to the top, and
  // `**` is more than a star only as a whole part of the path.
  kIgnoreFile,
};

// In RE2's syntax. kUsage where a bracket is not closed.
[[nodiscard]] Result<std::string> regex_of(std::string_view pattern, Dialect dialect);

// Runs of patterns that say the same: each is matched by itself.
inline constexpr std::size_t kPatternGroupsMax = 64;
// What a list may take, its automata included: of a request, and of each .gitignore.
inline constexpr std::size_t kRulesMaxMemoryBytes = 8 * kMiB;
inline constexpr std::size_t kIgnoreFileMaxMemoryBytes = 2 * kMiB;

class PatternList {
 public:
  struct Pattern {
    std::string regex;
    bool excludes = true;
  };
  // The first that fits decides. kLimit where they are too many to be compiled.
  [[nodiscard]] static Result<PatternList> compile(const std::vector<Pattern>& patterns,
                                                   std::size_t bytes_max = kRulesMaxMemoryBytes);
  PatternList();
  PatternList(PatternList&&) noexcept;
  PatternList& operator=(PatternList&&) noexcept;
  ~PatternList();

  // `path`: relative, with a '/' at its end if it is a directory. nullopt: none of them fits.
  [[nodiscard]] std::optional<bool> excludes(std::string_view path) const;
  [[nodiscard]] bool empty() const { return groups_.empty(); }

 private:
  // Patterns that follow each other and say the same: one expression.
  struct Group {
    std::unique_ptr<re2::RE2> regex;
    bool excludes = true;
  };
  std::vector<Group> groups_;
};

}  // namespace wormhole::transfer
