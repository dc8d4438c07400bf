// What stands in a directory of a destination and is not at the giver: for a mirror (--delete).
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/file_system.h"
#include "transfer/selector.h"

namespace wormhole::transfer {

// Where a file system takes upper and lower case for the same, a known name may be listed in
// another case: such a one stays.
//
// The names that the giver has told of one directory, by a hash of each: of two with the same one,
// both are taken for known, and stay.
class KnownNames {
 public:
  void add(std::string_view name);
  // Not all of them were told.
  void give_up() { is_complete_ = false; }
  [[nodiscard]] bool is_complete() const { return is_complete_; }
  // After the last one.
  void settle();
  [[nodiscard]] bool contains(std::string_view name) const;
  // One that differs in nothing but the case of A to Z.
  [[nodiscard]] bool contains_folded(std::string_view name) const;

 private:
  std::vector<std::uint64_t> hashes_;  // in order, once settled; the next, too
  std::vector<std::uint64_t> folded_hashes_;
  bool is_complete_ = true;
};

// An entry that is to go, after all that is in it. False: it stays, and so does what it is in.
using OnSurplus = std::function<bool(const platform::Directory& parent, const std::string& name,
                                     const std::string& path, const platform::FileStatus& status)>;
// Whether a directory is to be emptied, before anything in it is looked at. False: it stays.
using MayEmpty = std::function<bool(const std::string& path, const platform::FileStatus& status)>;
// What cannot be looked at, and so stays.
using OnUnseen = std::function<void(const std::string& path, const Error& error)>;

struct SurplusEvents {
  OnSurplus on_surplus;
  MayEmpty may_empty;
  OnUnseen on_unseen;
};

// All in `directory` that is neither known nor excluded nor an unfinished download. `path`: its
// own, "" or "a/b/". Links are not followed, and no other file system is entered.
void visit_surplus(const platform::Directory& directory, const std::string& path,
                   const KnownNames& known, const Selector& selector, const SurplusEvents& events);

}  // namespace wormhole::transfer
