// Names that differ in nothing but the case of A to Z, on file systems that take them for one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/file_system.h"

namespace wormhole::transfer {

// Why a name is refused where it is one with another's.
inline constexpr std::string_view kOneWithAnother =
    "its name is one with another's on this file system";

// In lower case.
[[nodiscard]] std::string folded(std::string_view name);

// Whether what stands under that name answers to it in another case, too. nullopt: it has no
// letter.
[[nodiscard]] std::optional<bool> folds_case(const platform::Directory& parent,
                                             const std::string& name,
                                             const platform::FileStatus& status);

// Of one directory: of more, the rest are not known from each other.
inline constexpr std::size_t kMetFilesMax = 250'000;

// The files of one directory that were there before, each met by its name: the second of two names
// that are one finds what the first one left. Not thread-safe. Where names are not folded it holds
// nothing, elsewhere 40 bytes a file.
class MetFiles {
 public:
  // What the entry was whose name has met that one before, a file or a symlink. nullopt: none has.
  [[nodiscard]] std::optional<platform::FileType> met_by(const platform::Directory& directory,
                                                         const std::string& name,
                                                         const platform::FileStatus& there,
                                                         platform::FileType entry);

 private:
  std::optional<bool> folds_;
  std::unordered_map<std::uint64_t, platform::FileType> met_;  // by inode numbers
};

}  // namespace wormhole::transfer
