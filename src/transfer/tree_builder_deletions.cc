// TreeBuilder: what stands at the destination and is not at the giver.
#include <utility>

#include "transfer/tree_builder.h"

namespace wormhole::transfer {
namespace {

Error changed(const std::string& path, std::string_view what) {
  return {.code = Code::kChanged,
          .operation = "delete",
          .object = path,
          .detail = std::string(what),
          .advice = "run the same command again"};
}

}  // namespace

void TreeBuilder::remove_surplus(OpenDirectory& directory) {
  if (directory.known == nullptr || directory.failed) return;
  const bool is_root = directory.node->parent() == nullptr;
  const std::string path =
      is_root ? "" : DirectoryTree::path_of(directory.node->parent(), directory.name) + "/";
  const auto handle = tree_->open(directory.node);
  if (!handle.has_value()) return report(path, handle.error());
  const auto is_itself = check_is_itself(directory, **handle, "delete", path);
  if (!is_itself.has_value()) return report(path, is_itself.error());
  directory.known->settle();
  const SurplusEvents events{
      .on_surplus =
          [this](const platform::Directory& parent, const std::string& name,
                 const std::string& there, const platform::FileStatus& status) {
            return remove_one(parent, name, there, status);
          },
      .may_empty = [this](const std::string& there,
                          const platform::FileStatus& status) { return may_empty(there, status); },
      .on_unseen = [this](const std::string& there, const Error& error) { report(there, error); }};
  visit_surplus(**handle, path, *directory.known, *selector_, events);
}

bool TreeBuilder::remove_one(const platform::Directory& parent, const std::string& name,
                             const std::string& path, const platform::FileStatus& status) {
  // Who interrupts it may have seen that it is the wrong one.
  if (is_woken()) return false;
  ShownDeletions* const shown = options_.shown_deletions.get();
  if (shown != nullptr && !shown->contains(options_.shown_place, path)) {
    if (!std::exchange(told_unshown_, true)) {
      report(path, {.code = Code::kLimit,
                    .operation = "delete",
                    .object = path,
                    .detail = "it is not among what was shown, nor may others be",
                    .advice = "look at it once more"});
    }
    return false;
  }
  const bool is_directory = status.type == platform::FileType::kDirectory;
  // A directory is changed by what went from it.
  if (!is_directory && options_.former->is_since(status, rules_.started)) {
    report(path, changed(path, "it was made or changed meanwhile"));
    return false;
  }
  if (!is_directory) options_.former->on_replace(status);
  auto removed = is_directory ? parent.remove_directory(name) : parent.remove_file(name);
  if (!removed.has_value()) {
    Error error = removed.error();
    error.object = path;
    report(path, error);
    return false;
  }
  options_.former->on_removed(status);
  ++counters_.deleted;
  return true;
}

bool TreeBuilder::may_empty(const std::string& path, const platform::FileStatus& status) {
  if (is_woken()) return false;
  if (!options_.former->may_empty(status, rules_.started)) {
    report(path, changed(path, "it was made, moved here or changed meanwhile"));
    return false;
  }
  return true;
}

}  // namespace wormhole::transfer
