// The directories of one tree by node, with a bounded number of open handles.
//
// A node is a directory by its place (parent and name); its handle is opened when needed, from
// its parent's handle, one name at a time, and closed again when others need the room. So a
// tree of any size and depth is walked with a fixed number of descriptors, and a directory that
// was swapped for a symlink is refused when it is opened again.
// Thread-safe: one mutex, held over the opens.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "platform/file_system.h"

namespace wormhole::transfer {

// Descriptors for directories at once, a tree: far below the usual limit of 1,024 a process.
inline constexpr std::size_t kOpenDirectoriesMax = 128;

class DirectoryNode;
using NodePtr = std::shared_ptr<DirectoryNode>;
using DirectoryPtr = std::shared_ptr<const platform::Directory>;

class DirectoryNode {
 public:
  DirectoryNode(NodePtr parent, std::string name)
      : parent_(std::move(parent)), name_(std::move(name)) {}
  [[nodiscard]] const NodePtr& parent() const { return parent_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  friend class DirectoryTree;
  const NodePtr parent_;  // null for the root
  const std::string name_;
  std::weak_ptr<const platform::Directory> handle_;  // guarded by the tree's mutex
};

class DirectoryTree {
 public:
  explicit DirectoryTree(platform::Directory root, std::size_t open_max = kOpenDirectoriesMax);

  [[nodiscard]] const NodePtr& root() const { return root_; }
  [[nodiscard]] static NodePtr child(const NodePtr& parent, std::string_view name) {
    return std::make_shared<DirectoryNode>(parent, std::string(name));
  }
  // The handle stays open while the caller holds it, whatever happens to the node.
  [[nodiscard]] Result<DirectoryPtr> open(const NodePtr& node);

  // "a/b/name" relative to the root; "name" for an entry of the root. Raw bytes.
  [[nodiscard]] static std::string path_of(const NodePtr& directory, std::string_view name);

 private:
  const NodePtr root_;
  const DirectoryPtr root_handle_;
  const std::size_t open_max_;
  std::mutex mutex_;
  std::list<DirectoryPtr> kept_;  // most recently opened in front
};

}  // namespace wormhole::transfer
