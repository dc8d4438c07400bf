// What a host shares, and where a requested path leads in it.
//
// Built once by the program, then only read: any thread. Everything below a share is reached
// through its directory handle and never leaves it; a symlink the user named as a share is
// followed once, here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "transfer/directory_tree.h"

namespace wormhole::transfer {

// Of a path as it is asked for (Shares::find): "a/b/", "a/./b" -> "b"; empty when everything is.
[[nodiscard]] std::string last_part(std::string_view path);

// One shared path.
struct Share {
  std::string name;  // its basename: how it is asked for and what it becomes
  std::shared_ptr<DirectoryTree> tree;
  bool is_directory = false;
  std::string file;  // the file's name in the tree's root, when not a directory
};

class Shares {
 public:
  // kUsage for equal basenames, kNotFound, kSkippedSpecial for devices and the like, kLocalIo.
  [[nodiscard]] static Result<Shares> open(const std::vector<std::string>& paths);

  // Several shares as one directory of them.
  struct All {};
  // A directory and everything below it.
  struct WholeDirectory {
    const Share* share;
    NodePtr node;
    std::string name;
  };
  // One file or symlink.
  struct Single {
    const Share* share;
    NodePtr directory;
    std::string name;
  };
  using Place = std::variant<All, WholeDirectory, Single>;

  // `path` as asked for: "" is everything. With one shared directory it is relative to it, with
  // several shares its first part is a share's name. Empty parts and "." are passed over; ".."
  // is kUnsafeName; kNotFound otherwise.
  [[nodiscard]] Result<Place> find(std::string_view path) const;

  // Where something of that path would stand: a share that is a directory, and what is below it,
  // there or not. kUnsafeName as above; kNotFound where no share, or a single file, is named.
  struct Location {
    const Share* share = nullptr;
    std::vector<std::string_view> parts = {};  // of the path
  };
  [[nodiscard]] Result<Location> locate(std::string_view path) const;

  [[nodiscard]] bool is_all_directories() const;
  [[nodiscard]] const std::vector<Share>& all() const { return shares_; }
  // Where they stand: of a single file, the directory that it is in, as one that is put in its
  // place is shared as well. An error where the system does not tell.
  [[nodiscard]] Result<std::vector<std::string>> directories() const;

 private:
  explicit Shares(std::vector<Share> shares) : shares_(std::move(shares)) {}
  std::vector<Share> shares_;
};

}  // namespace wormhole::transfer
