// The names of a file that has several: which one is in place, and which wait for that.
//
// The host announces the first name with how many there are, and each other one as a link to it.
// Of a tree whose names all come, each file is forgotten with its last one.
// Sans-I/O, no threads of its own: guarded by whoever has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "platform/file_system.h"
#include "transfer/directory_tree.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Files of several names that a walk has met and of which not all have come: 90 bytes each. Those
// of another file are then files of their own, and that is told.
inline constexpr std::size_t kLinkedFilesMax = 100'000;
// The same at the taker, which also holds those that are on their way: 200 bytes each. A host that
// tells more is not trusted.
inline constexpr std::size_t kLinkedFilesTakenMax = kLinkedFilesMax + kOpenEntriesMax;

// A host's side: which name is the first of its file.
class LinkedNames {
 public:
  // The first name's id; nullopt for a first name, which `id` then is, and where there is no room
  // for more. A file of another size or time is another one: the number of one that was deleted
  // since it was told of is given to the next.
  [[nodiscard]] std::optional<std::uint64_t> first_of(const platform::FileStatus& status,
                                                      std::uint64_t id);
  // There was no room for the last one: each of its names is a file of its own.
  [[nodiscard]] bool is_full() const { return is_full_; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct First {
    std::uint64_t id;
    std::uint64_t left;
    std::uint64_t size_bytes;
    platform::Timestamp modified;
  };
  struct Hash {
    std::size_t operator()(const platform::FileId& file) const {
      return file.inode * 0x9e3779b97f4a7c15 ^ file.device;
    }
  };
  std::unordered_map<platform::FileId, First, Hash> files_;
  bool is_full_ = false;
  std::uint64_t left_out_ = 0;
};

// A taker's.
class HardLinks {
 public:
  // Where a first name is in place, and what it is there: the file system may keep its time more
  // coarsely than it was told.
  struct Source {
    NodePtr directory;
    std::string name;
    platform::FileId file;
    std::uint64_t size_bytes = 0;
    platform::Timestamp modified = {};
    [[nodiscard]] bool is(const platform::FileStatus& status) const {
      return status.type == platform::FileType::kRegular && status.id() == file &&
             status.size_bytes == size_bytes && status.modified == modified;
    }
  };
  // Another name, to be made.
  struct Link {
    NodePtr directory;
    wire::Entry entry;
  };

  // A first name, of several. False: there are too many.
  [[nodiscard]] bool begin(std::uint64_t id, const wire::Entry& first);
  // One of its other names is not to be made.
  void drop(std::uint64_t first);
  // A name whose file is dealt with.
  struct Ready {
    Link link;
    std::optional<Source> source;  // nullopt: it did not come
  };
  // Another name of `first`. nullopt: it waits for that to be dealt with. False in `is_known`: the
  // host never named such a file, of that size and time, or not so many names of it.
  [[nodiscard]] std::optional<Ready> add(std::uint64_t first, Link link, bool& is_known);
  // The first name is in place, or will not be: those that waited. Unknown ids: none.
  [[nodiscard]] std::vector<Ready> settle(std::uint64_t id, std::optional<Source> source);
  [[nodiscard]] bool has(std::uint64_t id) const { return files_.contains(id); }

 private:
  struct File {
    std::uint32_t left = 0;  // names that may still come
    std::uint64_t size_bytes = 0;
    platform::Timestamp modified = {};
    bool is_settled = false;
    std::optional<Source> source;
    std::vector<Link> waiting;
  };
  std::unordered_map<std::uint64_t, File> files_;
};

}  // namespace wormhole::transfer
