// TreeBuilder: what stands at the destination and is not at the giver.
#include <utility>

#include "transfer/tree_builder.h"

namespace wormhole::transfer {

void TreeBuilder::remove_surplus(OpenDirectory& directory) {
  if (directory.known == nullptr || directory.failed) return;
  const bool is_root = directory.node->parent() == nullptr;
  const std::string path =
      is_root ? "" : DirectoryTree::path_of(directory.node->parent(), directory.name) + "/";
  const auto handle = tree_->open(directory.node);
  if (!handle.has_value()) return report(path, handle.error());
  directory.known->settle();
  const auto remove = [this](const platform::Directory& parent, const std::string& name,
                             const std::string& there, const platform::FileStatus& status) {
    if (counters_.deleted >= options_.deletions_max) {
      if (!std::exchange(told_deletions_max_, true)) {
        report(there, {.code = Code::kLimit,
                       .operation = "delete",
                       .object = there,
                       .detail = "more would be deleted than was shown",
                       .advice = "look at it once more"});
      }
      return false;
    }
    const bool is_directory = status.type == platform::FileType::kDirectory;
    // A directory is changed by what went from it.
    if (!is_directory && options_.former->is_since(status, rules_.started)) {
      report(there, {.code = Code::kChanged,
                     .operation = "delete",
                     .object = there,
                     .detail = "it was made or changed meanwhile",
                     .advice = "run the same command again"});
      return false;
    }
    auto removed = is_directory ? parent.remove_directory(name) : parent.remove_file(name);
    if (!removed.has_value()) {
      Error error = removed.error();
      error.object = there;
      report(there, error);
      return false;
    }
    ++counters_.deleted;
    return true;
  };
  const auto unseen = [this](const std::string& there, const Error& error) {
    report(there, error);
  };
  visit_surplus(**handle, path, *directory.known, *selector_, remove, unseen);
}

}  // namespace wormhole::transfer
