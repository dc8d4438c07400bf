// Walks what a request asks for and says what it finds, in the order a taker can build it:
// parents before children, a directory's files before its subdirectories, its end after all. What
// the selector does not take is passed over, without being looked into.
//
// One thread. Holds the names of one directory's subdirectories a level, no open handles of its
// own. What cannot be read is reported and passed over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "platform/file_system.h"
#include "transfer/archive_teller.h"
#include "transfer/directory_tree.h"
#include "transfer/selector.h"
#include "transfer/shares.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Where a regular file's data is read, and the version of it that was announced.
struct FoundFile {
  std::shared_ptr<DirectoryTree> tree;
  NodePtr directory;
  std::string name;
  platform::FileStatus status;
};

class WalkSink {
 public:
  virtual ~WalkSink() = default;
  // Announces one entry; returns its id. May wait (credit). nullopt: stop walking. With a
  // regular file comes where its data is: a taker may want it the moment it hears of it.
  virtual std::optional<std::uint64_t> on_entry(wire::Entry entry,
                                                std::optional<FoundFile> file = {}) = 0;
  // Nobody wants any more of it: asked for what is passed over, which may be all there is.
  [[nodiscard]] virtual bool is_over() const = 0;
  // Something that is not announced, and why.
  virtual void on_unreadable(std::uint64_t parent, std::string name, const Error& error) = 0;
};

// False when the sink stopped it. `recursive` off: the first directory's entries only. Without a
// teller, entries come without what is only told where it was asked for.
bool walk(const Shares& shares, const Shares::Place& place, bool recursive,
          const Selector& selector, WalkSink& sink, const ArchiveTeller* teller = nullptr);

}  // namespace wormhole::transfer
