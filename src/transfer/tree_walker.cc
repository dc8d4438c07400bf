#include "transfer/tree_walker.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "store/hash.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;

// Attributes of a directory and all those that it is in. A taker returns what they cost when the
// directory is done with, so that they must leave some credit to what is in it.
constexpr std::size_t kOpenAttributesMaxBytes = 4 * kMiB;
static_assert(kDepthMax + kOpenAttributesMaxBytes / wire::Entry::kCreditedBytes <=
              kOpenEntriesMax / 2);

// Of one directory. Where more go at once and none of these is listed any more, it is being
// emptied.
constexpr std::size_t kNotFoundNamesMax = 10'000;

wire::Entry entry_of(wire::EntryType type, std::uint64_t parent, std::string name,
                     const platform::FileStatus& status) {
  wire::Entry entry;
  entry.type = type;
  entry.parent = parent;
  entry.name = std::move(name);
  entry.mode = static_cast<std::uint16_t>(status.mode & 07777);
  entry.mtime_seconds = status.modified.seconds;
  entry.mtime_nanoseconds = status.modified.nanoseconds;
  return entry;
}

Error lost(std::string_view why) {
  return {.code = Code::kNotFound, .operation = "look at", .detail = std::string(why)};
}

wire::Entry end_of(std::uint64_t directory) {
  wire::Entry end;
  end.type = wire::EntryType::kDirectoryEnd;
  end.parent = directory;
  return end;
}

class Walker {
 public:
  Walker(std::shared_ptr<DirectoryTree> tree, bool recursive, const Selector& selector,
         WalkSink& sink, const ArchiveTeller* teller)
      : tree_(std::move(tree)),
        recursive_(recursive),
        selector_(selector),
        sink_(sink),
        teller_(teller) {}

  // A directory, announced under `parent`, and what is below it. `path`: where it stands in what
  // was asked for, "" or "a/b/".
  bool directory(std::uint64_t parent, NodePtr node, std::string name, std::string path = {}) {
    if (!enter(parent, std::move(node), std::move(name), std::move(path))) return false;
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.subdirectories.empty() && !level.not_found.empty()) {
        if (!look_again(level)) return false;
        continue;
      }
      if (level.subdirectories.empty()) {
        if (level.has_lost) report(level.id, "", lost("names in it are listed, and not found"));
        const std::uint64_t ended = level.id;
        attribute_room_ += level.attribute_bytes;
        levels_.pop_back();
        if (selector_.honours_ignore_files()) ignore_files_.leave();
        if (!sink_.on_entry(end_of(ended)).has_value()) return false;
        continue;
      }
      std::string next = std::move(level.subdirectories.back());
      level.subdirectories.pop_back();
      NodePtr child = DirectoryTree::child(level.node, next);
      std::string below = selector_.looks_at_paths() ? level.path + next + "/" : std::string();
      if (!enter(level.id, std::move(child), std::move(next), std::move(below))) return false;
    }
    return true;
  }

  // A directory, announced without what is in it.
  bool closed(std::uint64_t parent, const NodePtr& node, std::string name) {
    const auto handle = tree_->open(node);
    if (!handle.has_value()) return report(parent, std::move(name), handle.error());
    const auto status = (*handle)->status();
    if (!status.has_value()) return report(parent, std::move(name), status.error());
    return closed_directory(parent, std::move(name), *status);
  }

  // A file, symlink or special of `directory`, announced under `parent` as `as_name`.
  bool single(std::uint64_t parent, const NodePtr& directory, const std::string& name,
              std::string as_name) {
    const auto handle = tree_->open(directory);
    if (!handle.has_value()) return report(parent, std::move(as_name), handle.error());
    const auto status = (*handle)->status_of(name);
    if (!status.has_value()) return report(parent, std::move(as_name), status.error());
    // Asked for by its own name it comes, however long it is.
    const bool is_one_of_all = parent != wire::kNoEntry;
    if (is_one_of_all && !takes_size(*status)) return true;
    return leaf(parent, directory, **handle, name, *status, std::move(as_name));
  }

 private:
  struct Level {
    std::uint64_t id;
    NodePtr node;
    std::string path;  // as above, where anyone looks at it
    std::size_t attribute_bytes;
    std::vector<std::string> subdirectories;
    // look_again()
    std::set<std::string> not_found = {};
    std::set<std::string> listed_again = {};
    bool has_lost = false;
  };

  bool report(std::uint64_t parent, std::string name, const Error& error) {
    sink_.on_unreadable(parent, std::move(name), error);
    return true;
  }

  // Announces a directory and all its entries but the subdirectories, which wait in its level.
  bool enter(std::uint64_t parent, NodePtr node, std::string name, std::string path) {
    if (levels_.size() >= kDepthMax) {
      return report(parent, std::move(name),
                    {.code = Code::kLimit, .operation = "walk", .detail = "too deep"});
    }
    const auto handle = tree_->open(node);
    if (!handle.has_value()) {
      const bool was_listed = handle.error().code == Code::kNotFound && !levels_.empty();
      if (was_listed) return missed(levels_.back(), std::move(name));
      return report(parent, std::move(name), handle.error());
    }
    const auto status = (*handle)->status();
    if (!status.has_value()) return report(parent, std::move(name), status.error());
    auto reader = (*handle)->read();
    if (!reader.has_value()) return report(parent, std::move(name), reader.error());

    auto announced = entry_of(wire::EntryType::kDirectory, parent, std::move(name), *status);
    if (teller_ != nullptr) {
      announced.archived = teller_->of_directory(*status, **handle, attribute_room_);
    }
    const std::size_t held = announced.archived ? announced.archived->attribute_bytes() : 0;
    const auto id = sink_.on_entry(std::move(announced));
    if (!id.has_value()) return false;
    attribute_room_ -= held;
    Level level{*id, std::move(node), std::move(path), held, {}};
    if (selector_.honours_ignore_files()) {
      const auto read = ignore_files_.enter(**handle, level.path);
      if (!read.has_value()) report(*id, ".gitignore", read.error());
    }
    while (true) {
      const auto next = reader->next();
      if (!next.has_value()) {
        report(*id, "", next.error());
        break;
      }
      if (!next->has_value()) break;
      if (!child(level, **handle, **next)) return false;
    }
    levels_.push_back(std::move(level));
    return true;
  }

  // A name that was listed, and then not found.
  bool missed(Level& level, std::string name) {
    if (level.listed_again.contains(name)) {
      level.has_lost = true;
      return report(level.id, std::move(name),
                    lost("it is listed in its directory, and not found there"));
    }
    if (level.not_found.size() < kNotFoundNamesMax) level.not_found.insert(std::move(name));
    return true;
  }

  // For those. They are gone and not part of the share any more, or others have taken their names
  // since; but what is listed still is there, although the file system does not find it by the name
  // that it tells (one that its character set does not have, a branch that is offline). That is no
  // deletion, which a mirror would follow: nobody knows what else is in this directory, nor by what
  // names.
  bool look_again(Level& level) {
    std::set<std::string> names = std::exchange(level.not_found, {});
    const auto handle = tree_->open(level.node);
    if (!handle.has_value()) {
      // It is gone with all that is in it.
      if (handle.error().code == Code::kNotFound) return true;
      return report(level.id, "", handle.error());
    }
    auto reader = (*handle)->read();
    if (!reader.has_value()) return report(level.id, "", reader.error());
    while (!names.empty()) {
      const auto next = reader->next();
      if (!next.has_value()) return report(level.id, "", next.error());
      if (!next->has_value()) break;
      auto name = names.extract(std::string((*next)->name));
      if (name.empty()) continue;
      level.listed_again.insert(std::move(name));
      if (!child(level, **handle, **next)) return false;
    }
    return true;
  }

  bool child(Level& level, const platform::Directory& handle,
             const platform::DirectoryReader::Entry& entry) {
    std::string name(entry.name);
    const bool descend = recursive_ && entry.type == FileType::kDirectory;
    if (descend) {
      if (!takes(level, name, /*is_directory=*/true)) return !sink_.is_over();
      level.subdirectories.push_back(std::move(name));
      return true;
    }
    const bool may_be_directory = !entry.type.has_value() || *entry.type == FileType::kDirectory;
    if (!may_be_directory && !takes(level, name, /*is_directory=*/false)) return !sink_.is_over();
    const auto status = handle.status_of(name);
    if (!status.has_value()) {
      if (status.error().code == Code::kNotFound) return missed(level, std::move(name));
      return report(level.id, std::move(name), status.error());
    }
    level.not_found.erase(name);  // listed once more, and another by now
    const bool is_directory = status->type == FileType::kDirectory;
    if (may_be_directory && !takes(level, name, is_directory)) return !sink_.is_over();
    if (is_directory) {
      if (recursive_) {
        level.subdirectories.push_back(std::move(name));
        return true;
      }
      return closed_directory(level.id, std::move(name), *status);
    }
    if (!takes_size(*status)) return true;
    return leaf(level.id, level.node, handle, name, *status, name);
  }

  [[nodiscard]] bool takes_size(const platform::FileStatus& status) const {
    return status.type != FileType::kRegular || selector_.takes_size(status.size_bytes);
  }

  [[nodiscard]] bool takes(const Level& level, const std::string& name, bool is_directory) const {
    if (!selector_.looks_at_paths()) return true;
    std::string path = level.path + name;
    if (is_directory) path += '/';
    if (selector_.honours_ignore_files() && ignore_files_.excludes(path)) return false;
    return selector_.takes_path(path);
  }

  // A directory without what is in it.
  bool closed_directory(std::uint64_t parent, std::string name,
                        const platform::FileStatus& status) {
    const auto id =
        sink_.on_entry(entry_of(wire::EntryType::kDirectory, parent, std::move(name), status));
    return id.has_value() && sink_.on_entry(end_of(*id)).has_value();
  }

  bool leaf(std::uint64_t parent, const NodePtr& directory, const platform::Directory& handle,
            const std::string& name, const platform::FileStatus& status, std::string as_name) {
    if (store::is_partial_name(name)) {
      return report(parent, std::move(as_name),
                    {.code = Code::kSkippedSpecial,
                     .operation = "share",
                     .detail = "it is an unfinished download"});
    }
    switch (status.type) {
      case FileType::kRegular: {
        if (status.size_bytes > kFileMaxBytes) {
          return report(parent, std::move(as_name),
                        {.code = Code::kLimit, .operation = "share", .detail = "too large"});
        }
        auto entry = entry_of(wire::EntryType::kRegular, parent, std::move(as_name), status);
        entry.size = status.size_bytes;
        entry.sparse = status.allocated_bytes < status.size_bytes;
        if (teller_ != nullptr) entry.archived = teller_->of_file(status, handle, name);
        return sink_.on_entry(std::move(entry), FoundFile{tree_, directory, name, status})
            .has_value();
      }
      case FileType::kSymlink: {
        auto target = handle.read_link(name);
        if (!target.has_value()) return report(parent, std::move(as_name), target.error());
        auto entry = entry_of(wire::EntryType::kSymlink, parent, std::move(as_name), status);
        entry.target = std::move(*target);
        if (teller_ != nullptr) entry.archived = teller_->of_symlink(status);
        return sink_.on_entry(std::move(entry)).has_value();
      }
      case FileType::kDirectory:  // only by a race; it is walked the next time
      case FileType::kSpecial:
        break;
    }
    return report(parent, std::move(as_name),
                  {.code = Code::kSkippedSpecial,
                   .operation = "share",
                   .detail = "it is a device, socket or pipe"});
  }

  const std::shared_ptr<DirectoryTree> tree_;
  const bool recursive_;
  const Selector& selector_;
  WalkSink& sink_;
  const ArchiveTeller* const teller_;
  std::vector<Level> levels_;
  std::size_t attribute_room_ = kOpenAttributesMaxBytes;
  IgnoreFiles ignore_files_;
};

// Several shares as one directory. It has no name, mode or time of its own.
bool walk_all(const Shares& shares, bool recursive, const Selector& selector, WalkSink& sink,
              const ArchiveTeller* teller) {
  wire::Entry root;
  root.type = wire::EntryType::kDirectory;
  root.parent = wire::kNoEntry;
  const auto id = sink.on_entry(std::move(root));
  if (!id.has_value()) return false;
  for (const Share& share : shares.all()) {
    Walker walker(share.tree, recursive, selector, sink, teller);
    const NodePtr& top = share.tree->root();
    const std::string path = share.is_directory ? share.name + "/" : share.name;
    if (!selector.takes_path(path)) continue;
    if (!share.is_directory) {
      if (!walker.single(*id, top, share.file, share.name)) return false;
    } else if (!(recursive ? walker.directory(*id, top, share.name, path)
                           : walker.closed(*id, top, share.name))) {
      return false;
    }
  }
  return sink.on_entry(end_of(*id)).has_value();
}

}  // namespace

bool walk(const Shares& shares, const Shares::Place& place, bool recursive,
          const Selector& selector, WalkSink& sink, const ArchiveTeller* teller) {
  if (std::holds_alternative<Shares::All>(place)) {
    return walk_all(shares, recursive, selector, sink, teller);
  }
  if (const auto* whole = std::get_if<Shares::WholeDirectory>(&place)) {
    return Walker(whole->share->tree, recursive, selector, sink, teller)
        .directory(wire::kNoEntry, whole->node, whole->name);
  }
  const auto& single = std::get<Shares::Single>(place);
  const bool is_share = !single.share->is_directory;
  return Walker(single.share->tree, recursive, selector, sink, teller)
      .single(wire::kNoEntry, single.directory, single.name,
              is_share ? single.share->name : single.name);
}

}  // namespace wormhole::transfer
