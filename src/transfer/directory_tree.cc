#include "transfer/directory_tree.h"

#include <algorithm>
#include <vector>

namespace wormhole::transfer {

DirectoryTree::DirectoryTree(platform::Directory root, std::size_t open_max)
    : root_(std::make_shared<DirectoryNode>(nullptr, "")),
      root_handle_(std::make_shared<platform::Directory>(std::move(root))),
      open_max_(open_max) {
  root_->handle_ = root_handle_;
}

Result<DirectoryPtr> DirectoryTree::open(const NodePtr& node) {
  std::scoped_lock lock(mutex_);
  // Climb to the nearest open ancestor, then come down one name at a time.
  std::vector<DirectoryNode*> closed;
  DirectoryNode* at = node.get();
  DirectoryPtr handle = at->handle_.lock();
  while (handle == nullptr) {
    closed.push_back(at);
    at = at->parent_.get();
    handle = at->handle_.lock();
  }
  for (auto step = closed.rbegin(); step != closed.rend(); ++step) {
    WH_ASSIGN(auto opened, handle->open_directory((*step)->name_));
    handle = std::make_shared<platform::Directory>(std::move(opened));
    (*step)->handle_ = handle;
    kept_.push_front(handle);
    if (kept_.size() > open_max_) kept_.pop_back();
  }
  return handle;
}

std::string DirectoryTree::path_of(const NodePtr& directory, std::string_view name) {
  std::vector<std::string_view> parts = {name};
  for (const DirectoryNode* at = directory.get(); at != nullptr && at->parent_ != nullptr;
       at = at->parent_.get()) {
    parts.push_back(at->name_);
  }
  std::string path;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->empty()) continue;
    if (!path.empty()) path += '/';
    path += *part;
  }
  return path;
}

}  // namespace wormhole::transfer
