#include "transfer/folded_names.h"

namespace wormhole::transfer {

std::string folded(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::optional<bool> folds_case(const platform::Directory& parent, const std::string& name,
                               const platform::FileStatus& status) {
  std::string other = folded(name);
  if (other == name) {
    for (char& c : other) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
  }
  if (other == name) return std::nullopt;
  const auto there = parent.status_of(other);
  return there.has_value() && there->id() == status.id();
}

std::optional<platform::FileType> MetFiles::met_by(const platform::Directory& directory,
                                                   const std::string& name,
                                                   const platform::FileStatus& there,
                                                   platform::FileType entry) {
  if (there.links > 1) return std::nullopt;  // it has names that are not one
  if (!folds_.has_value()) folds_ = folds_case(directory, name, there);
  if (!folds_.value_or(false)) return std::nullopt;
  if (const auto met = met_.find(there.inode); met != met_.end()) return met->second;
  if (met_.size() < kMetFilesMax) met_.emplace(there.inode, entry);
  return std::nullopt;
}

}  // namespace wormhole::transfer
