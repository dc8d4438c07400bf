#include "transfer/plan.h"

#include <utility>

namespace wormhole::transfer {
namespace {

using platform::FileType;
using wire::EntryType;

constexpr Judgement kNew{Action::kFetch, "new"};
constexpr Judgement kSame{Action::kKeep, "the same"};
constexpr Judgement kAnothersName{Action::kRefuse, kOneWithAnother};

// `path`: below the destination; "" for a directory that is the whole.
Planned planned(std::string path, const wire::Entry& entry, const Judgement& judged) {
  return {.path = std::move(path),
          .type = entry.type,
          .size = entry.size,
          .is_link = entry.link_of != 0,
          .action = judged.action,
          .reason = std::string(judged.reason)};
}

EntryType type_of(const platform::FileStatus& status) {
  if (status.type == FileType::kDirectory) return EntryType::kDirectory;
  return status.type == FileType::kSymlink ? EntryType::kSymlink : EntryType::kRegular;
}

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "list", .detail = std::string(why)};
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

Result<Planned> Plan::on_listing(const Listing& listing) {
  if (shown_root_.empty()) return on_root(listing.entry);
  // Depth first, so that its directory is the last one or above that.
  const std::string_view above = parent_of(listing.path);
  while (!levels_.empty() && levels_.back().path != above) leave();
  if (levels_.empty())
    return fail(broken("the other side listed an entry of a directory that is over"));
  levels_.back().known.add(listing.entry.name);
  const bool is_chosen_by_host = is_virtual_ && !options_.destination.path.has_value();
  if (above.empty() && is_chosen_by_host && listing.entry.name.starts_with('.')) {
    if (listing.entry.type == EntryType::kDirectory) {
      levels_.push_back({.path = listing.path, .node = nullptr, .is_refused = true});
    }
    return planned(listing.path, listing.entry,
                   {Action::kRefuse, "the other side chose a hidden name"});
  }
  return on_entry(listing.path, listing.entry, levels_.back());
}

void Plan::on_unlisted(const std::string& path) {
  const std::string_view above = parent_of(path);
  for (Level& level : levels_) {
    if (level.path != above) continue;
    const std::string_view name =
        above.empty() ? std::string_view(path) : std::string_view(path).substr(above.size() + 1);
    name.empty() ? level.known.give_up() : level.known.add(name);
  }
}

void Plan::finish() {
  while (!levels_.empty()) leave();
}

void Plan::leave() {
  Level level = std::move(levels_.back());
  levels_.pop_back();
  const bool is_whole = !(is_virtual_ || is_file_) || !level.path.empty();
  if (!options_.may_delete || !is_whole || level.node == nullptr || level.is_refused) return;
  const auto handle = tree_->open(level.node);
  if (!handle.has_value()) return refuse_to_delete(level.path, handle.error());
  level.known.settle();
  const SurplusEvents events{
      .on_surplus =
          [this](const platform::Directory&, const std::string&, const std::string& path,
                 const platform::FileStatus& status) {
            surplus_.push_back({.path = path,
                                .type = type_of(status),
                                .size = status.type == FileType::kRegular ? status.size_bytes : 0,
                                .action = Action::kDelete,
                                .reason = "not at the source"});
            return true;
          },
      .may_empty = [](const std::string&, const platform::FileStatus&) { return true; },
      .on_unseen = [this](const std::string& path,
                          const Error& error) { refuse_to_delete(path, error); }};
  visit_surplus(**handle, level.path.empty() ? "" : level.path + "/", level.known, *selector_,
                events);
}

void Plan::refuse_to_delete(std::string_view path, const Error& why) {
  if (path.ends_with('/')) path.remove_suffix(1);
  surplus_.push_back({.path = path.empty() ? "." : std::string(path),
                      .type = EntryType::kDirectory,
                      .action = Action::kRefuse,
                      .reason = "what would be deleted there cannot be told: " + why.detail});
}

Result<Planned> Plan::on_root(const wire::Entry& entry) {
  if (!selector_.has_value()) return fail(selector_.error());
  if (!requested_name_.empty() && entry.name != requested_name_) {
    return fail({.code = Code::kProtocol,
                 .operation = "list",
                 .object = entry.name,
                 .detail = "the other side listed something else than was asked for"});
  }
  WH_ASSIGN(const auto place, locate_root(options_.destination, entry,
                                          /*name_was_typed=*/!requested_name_.empty()));
  WH_ASSIGN(auto directory, find_root(options_.destination, place));
  shown_root_ = place.shown;
  is_virtual_ = entry.name.empty();
  is_file_ = entry.type != EntryType::kDirectory;
  const bool is_there = directory.has_value();
  if (is_there) tree_.emplace(std::move(*directory));
  levels_.push_back({.path = "", .node = is_there ? tree_->root() : nullptr});
  if (entry.type == EntryType::kDirectory) {
    return planned("", entry, is_there ? kSame : kNew);
  }
  wire::Entry single = entry;
  single.name = place.file;
  return on_entry(place.file, single, levels_.back());
}

Result<Planned> Plan::on_entry(std::string path, const wire::Entry& entry, Level& parent) {
  Judgement judged = kNew;
  NodePtr node;
  bool is_refused = parent.is_refused;
  if (is_refused) judged = {Action::kRefuse, "its directory cannot be made"};
  if (!is_refused && parent.node != nullptr) {
    const auto looked = judge_there(entry, parent);
    judged = looked.value_or(Judgement{Action::kRefuse, "what is there cannot be looked at"});
    if (entry.type == EntryType::kDirectory && judged.action == Action::kKeep) {
      node = DirectoryTree::child(parent.node, entry.name);
    }
    is_refused = judged.action == Action::kRefuse;
  }
  if (entry.link_of != 0 && judged.action == Action::kFetch) judged.reason = "new, a hard link";
  if (entry.type == EntryType::kDirectory) {
    levels_.push_back({.path = path, .node = std::move(node), .is_refused = is_refused});
  }
  return planned(std::move(path), entry, judged);
}

Result<Judgement> Plan::judge_there(const wire::Entry& entry, Level& parent) {
  WH_ASSIGN(const auto handle, tree_->open(parent.node));
  if (entry.type == EntryType::kDirectory) return judge_directory(*handle, entry.name);
  if (entry.type == EntryType::kSymlink) return judge_symlink(*handle, entry, parent.met);
  PresentRules rules = options_.present_rules();
  rules.sync = false;  // nothing is done
  WH_ASSIGN(const auto standing, look(entry, *handle, rules));
  Judgement judged = judge(entry, standing, rules);
  std::optional<FileType> met_by;
  if (standing.status.has_value() && entry.link_of == 0) {
    met_by = parent.met.met_by(*handle, entry.name, *standing.status, FileType::kRegular);
  }
  if (met_by.has_value() && judged.action != Action::kLeave) return kAnothersName;
  // It may be what a power cut left, or just stored without its zeros.
  if (standing.present == Present::kHollow && judged.action == Action::kReplace) {
    return Judgement{Action::kKeep, "the same size and time; its content would be compared"};
  }
  if (judged.action != Action::kKeep) return judged;
  if (options_.checksum && entry.size > 0) {
    judged.reason = "the same size and time; its content would be compared";
  } else if (options_.overwrite && options_.keeps.any()) {
    judged.reason = "the same size and time; what else is kept of it would be compared";
  } else if (options_.overwrite && standing.status->mode != received_mode(entry.mode)) {
    judged.reason = "the same size and time; its mode would be set";
  }
  return judged;
}

Judgement Plan::judge_directory(const platform::Directory& parent, const std::string& name) const {
  const auto status = parent.status_of(name);
  if (!status.has_value()) return kNew;
  if (status->type == FileType::kDirectory) return kSame;
  return {Action::kRefuse, "something that is no directory is there"};
}

Judgement Plan::judge_symlink(const platform::Directory& parent, const wire::Entry& entry,
                              MetFiles& met) const {
  const auto status = parent.status_of(entry.name);
  if (!status.has_value()) return kNew;
  const auto met_by = met.met_by(parent, entry.name, *status, FileType::kSymlink);
  const auto target = parent.read_link(entry.name);
  if (target == entry.target && met_by != FileType::kRegular) return kSame;
  if (leaves_to_symlink(entry, *status, options_.leaves)) return {Action::kLeave, "it is there"};
  if (met_by.has_value()) return kAnothersName;
  if (status->type == FileType::kDirectory) return {Action::kRefuse, "a directory is there"};
  if (!options_.overwrite) return {Action::kRefuse, "something else is there"};
  return {Action::kReplace, "something else is there"};
}

}  // namespace wormhole::transfer
