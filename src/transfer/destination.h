// Where a request's root goes: the rules users know from cp and rsync.
//
// A directory, or several shared paths: DEST, made if missing, receives the contents. A single
// file: DEST/name when DEST is a directory or ends in '/', else DEST itself. Without DEST: its
// own name here ("./basename"; several shared paths: each its own name here).
//
// What another machine names (a put) is a path below a directory that is given as a handle: then
// "here" is that, and no part of the path may be a symlink.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "platform/file_system.h"
#include "wire/messages.h"

namespace wormhole::transfer {

struct Destination {
  std::optional<std::string> path;  // as the user gave it
  // Of several things: the name in that directory, where another machine may have put a symlink.
  std::string name = {};
  // Below that; the path's parts were checked (below_share). Null: as the user sees the machine.
  std::shared_ptr<const platform::Directory> base = nullptr;
};

// Where that is, made or not.
struct RootPlace {
  std::string path = {};       // as the user says it: a symlink in it is followed
  std::string directory = {};  // made in that, by that name: never through a symlink
  std::string file = {};       // the single file's name; empty for a directory
  std::string shown = {};      // where the user finds it
};

struct PlacedRoot {
  platform::Directory directory;  // of the contents, or of the single file
  std::string name;               // the single file's; empty for a directory
  bool made = false;              // the directory was made now: its mode and time are ours to set
  std::string shown;              // where the user finds it
};

// True when something could be there already that need not be fetched again: then the giver
// only announces, and data follows on request. `requested_name` is the last part of the path
// asked for, empty when everything was.
[[nodiscard]] bool may_have(const Destination& destination, const std::string& requested_name);

// A directory that is there, and below which everything stands that place_root() may make.
[[nodiscard]] std::string written_below(const Destination& destination);

// Makes nothing. kUnsafeName for a root that a host must not send.
// `name_was_typed`: the user asked for exactly that name, the host did not choose it.
[[nodiscard]] Result<RootPlace> locate_root(const Destination& destination, const wire::Entry& root,
                                            bool name_was_typed = false);
// nullopt: nothing is there yet.
[[nodiscard]] Result<std::optional<platform::Directory>> find_root(const Destination& destination,
                                                                   const RootPlace& place);
// Makes missing directories (also parents); kExists when a file stands where one is needed.
[[nodiscard]] Result<PlacedRoot> place_root(const Destination& destination, const wire::Entry& root,
                                            bool name_was_typed = false);

}  // namespace wormhole::transfer
