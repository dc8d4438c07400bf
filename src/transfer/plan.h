// What a transfer would do: the host's entries, as they are listed, beside what stands at the
// destination. Looks, and changes nothing.
//
// One thread. Holds the directories that the listing is in, one chain of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "transfer/destination.h"
#include "transfer/directory_tree.h"
#include "transfer/folded_names.h"
#include "transfer/lister.h"
#include "transfer/present.h"
#include "transfer/selector.h"
#include "transfer/surplus.h"
#include "transfer/tree_builder.h"

namespace wormhole::transfer {

// Without a request.
using wire::Planned;

class Plan {
 public:
  // `requested_name`: the last part of the path that is asked for.
  Plan(const TakeOptions& options, std::string requested_name)
      : options_(options),
        requested_name_(std::move(requested_name)),
        selector_(Selector::compile(options_.selection)) {}

  // An error ends it, as it would a transfer.
  [[nodiscard]] Result<Planned> on_listing(const Listing& listing);
  // What was not listed stays where it is.
  void on_unlisted(const std::string& path);
  // All was listed.
  void finish();
  // Since the last call: what would be deleted.
  [[nodiscard]] std::vector<Planned> take_surplus() { return std::exchange(surplus_, {}); }
  // Where it would all go; empty before the root came.
  [[nodiscard]] const std::string& shown_root() const { return shown_root_; }

 private:
  struct Level {
    std::string path;  // "" or "a/b"
    NodePtr node;      // null: it is not there yet
    bool is_refused = false;
    KnownNames known = {};
    MetFiles met = {};
  };

  // The last one is over.
  void leave();
  void refuse_to_delete(std::string_view path, const Error& why);
  Result<Planned> on_root(const wire::Entry& entry);
  Result<Planned> on_entry(std::string path, const wire::Entry& entry, Level& parent);
  Result<Judgement> judge_there(const wire::Entry& entry, Level& parent);
  Judgement judge_directory(const platform::Directory& parent, const std::string& name) const;
  Judgement judge_symlink(const platform::Directory& parent, const wire::Entry& entry,
                          MetFiles& met) const;

  const TakeOptions options_;
  const std::string requested_name_;
  std::optional<DirectoryTree> tree_;  // where the destination is there
  std::string shown_root_;
  bool is_file_ = false;
  bool is_virtual_ = false;  // several shares: the host names what is in it
  std::vector<Level> levels_;
  Result<Selector> selector_;
  std::vector<Planned> surplus_;
};

}  // namespace wormhole::transfer
