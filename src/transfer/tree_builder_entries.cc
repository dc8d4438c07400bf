// What was announced becomes a tree: the thread of the first connection.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "store/hash.h"
#include "transfer/failure.h"
#include "transfer/tree_builder.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;
using wire::EntryType;

constexpr std::uint32_t kOwnerAll = 0700;
constexpr std::uint32_t kOthersWrite = 0022;

constexpr std::size_t kFewOfOneSize = 4;
static_assert(kFewOfOneSize < store::kCandidatesMax);

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

Error one_with_another(std::string path) {
  return {.code = Code::kExists,
          .operation = "fetch",
          .object = std::move(path),
          .detail = std::string(kOneWithAnother),
          .advice = "give one of them another name at the source"};
}

}  // namespace

Result<void> TreeBuilder::on_entries(const wire::Entries& entries, Wanted& wanted) {
  {
    std::scoped_lock lock(mutex_);
    if (listed_ || entries.first_id != next_entry_) {
      return fail(broken("the other side announced entries out of order"));
    }
  }
  std::uint64_t id = entries.first_id;
  for (const wire::Entry& entry : entries.entries) {
    WH_TRY(on_entry(id, entry, wanted));
    ++id;
    std::scoped_lock lock(mutex_);
    next_entry_ = id;
  }
  announced_.notify_all();
  close_directories();
  return {};
}

Result<void> TreeBuilder::on_entry(std::uint64_t id, const wire::Entry& entry, Wanted& wanted) {
  if (entry.type == EntryType::kDirectoryEnd) return on_directory_end(entry.parent);
  if (id == 0) return on_root(entry, wanted);

  WH_TRY(platform::check_name(entry.name));
  WH_TRY(keeper_.check(entry));
  OpenDirectory* parent = nullptr;
  {
    std::scoped_lock lock(mutex_);
    const auto found = directories_.find(entry.parent);
    if (found == directories_.end() || found->second.ended) {
      return fail(broken("the other side announced an entry of no directory"));
    }
    parent = &found->second;  // stays put: only this thread inserts, and it is not complete
    open_entries_ += entry.cost();
    if (open_entries_ > kOpenEntriesMax) {
      return fail(broken("the other side announced more than it may"));
    }
    ++parent->unfinished;
    if (parent->known != nullptr) parent->known->add(entry.name);
  }
  const std::string path = DirectoryTree::path_of(parent->node, entry.name);
  if (!is_meant(entry, path)) return fail(broken("the other side announced what was excluded"));
  if (parent->failed) {
    return refuse(id, entry, *parent,
                  {.code = Code::kLocalIo,
                   .operation = "fetch",
                   .object = path,
                   .detail = "its directory could not be made"});
  }
  if (store::is_partial_name(entry.name) ||
      (refuses_hidden_ && entry.parent == 0 && entry.name.starts_with('.'))) {
    return refuse(id, entry, *parent,
                  {.code = Code::kUnsafeName,
                   .operation = "fetch",
                   .object = path,
                   .detail = "the other side chose a hidden name",
                   .advice = "name a destination"});
  }
  switch (entry.type) {
    case EntryType::kDirectory:
      return on_directory(id, entry, *parent);
    case EntryType::kSymlink:
      return on_symlink(entry, *parent);
    case EntryType::kRegular:
      return on_regular(id, entry, *parent, wanted);
    case EntryType::kDirectoryEnd:
      break;
  }
  return fail(broken("unknown entry"));
}

bool TreeBuilder::is_meant(const wire::Entry& entry, const std::string& path) const {
  if (entry.type == EntryType::kDirectory) return selector_->takes_path(path + "/");
  return selector_->takes_path(path) &&
         (entry.type != EntryType::kRegular || selector_->takes_size(entry.size));
}

Result<void> TreeBuilder::on_root(const wire::Entry& entry, Wanted& wanted) {
  if (!selector_.has_value()) return fail(selector_.error());
  if (entry.parent != wire::kNoEntry) return fail(broken("the other side sent no root"));
  WH_TRY(keeper_.check(entry));
  if (!options_.requested_name.empty() && entry.name != options_.requested_name) {
    return fail({.code = Code::kProtocol,
                 .operation = "fetch",
                 .object = entry.name,
                 .detail = "the other side sent something else than was asked for"});
  }
  WH_ASSIGN(auto placed, place_root(options_.destination, entry,
                                    /*name_was_typed=*/!options_.requested_name.empty()));
  if (store::is_partial_name(placed.name)) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .object = placed.name,
                 .detail = "that name is kept for unfinished downloads"});
  }
  rules_.flushes_all = placed.directory.finds_room_late();
  tree_ = std::make_unique<DirectoryTree>(std::move(placed.directory));
  if (placed.made && !entry.name.empty() && entry.type == EntryType::kDirectory) {
    // At once: a run that goes on after this one was interrupted finds a directory that was there.
    WH_ASSIGN(const auto handle, tree_->open(tree_->root()));
    // Others may write when all of it is there, as in any directory below.
    WH_TRY(handle->set_mode((received_mode(entry.mode) & ~kOthersWrite) | kOwnerAll));
  }
  refuses_hidden_ = entry.name.empty() && !options_.destination.path.has_value();
  const bool is_directory = entry.type == EntryType::kDirectory;
  {
    std::scoped_lock lock(mutex_);
    shown_root_ = placed.shown;
    OpenDirectory root;
    root.node = tree_->root();
    root.mode = entry.mode;
    root.modified = modified_of(entry);
    root.archived = entry.archived;
    root.cost = entry.cost();
    root.sets_time = is_directory && !entry.name.empty();
    if (options_.may_delete && root.sets_time) root.known = std::make_unique<KnownNames>();
    root.is_new = placed.made;
    counters_.made_root = placed.made || options_.owns_root;
    root.sets_mode = root.sets_time && counters_.made_root;
    if (options_.only_adds && !counters_.made_root) root.sets_time = false;
    root.may_refuse_time = !counters_.made_root;
    open_entries_ += entry.cost();
    // A single file's directory is the user's own: it ends with the file.
    root.ended = !is_directory;
    root.unfinished = is_directory ? 0 : 1;
    directories_.emplace(is_directory ? 0 : wire::kNoEntry, std::move(root));
  }
  if (is_directory) {
    ++counters_.directories;
    return {};
  }
  wire::Entry single = entry;
  single.name = placed.name;
  OpenDirectory& parent = directories_.at(wire::kNoEntry);
  if (entry.type == EntryType::kSymlink) return on_symlink(single, parent);
  return on_regular(0, single, parent, wanted);
}

Result<void> TreeBuilder::on_directory(std::uint64_t id, const wire::Entry& entry,
                                       OpenDirectory& parent) {
  OpenDirectory made;
  made.node = DirectoryTree::child(parent.node, entry.name);
  made.parent = entry.parent;
  made.name = entry.name;
  made.mode = entry.mode;
  made.modified = modified_of(entry);
  made.archived = entry.archived;
  made.cost = entry.cost();
  made.depth = parent.depth + 1;
  if (options_.may_delete) made.known = std::make_unique<KnownNames>();
  if (made.depth >= kDepthMax) return fail(broken("the other side's tree is too deep"));
  auto result = make_directory(made, parent.node);
  if (!result.has_value()) {
    if (ends_session(result.error())) return result;
    return refuse(id, entry, parent, result.error());
  }
  ++counters_.directories;
  std::scoped_lock lock(mutex_);
  directories_.emplace(id, std::move(made));
  return {};
}

Result<void> TreeBuilder::refuse(std::uint64_t id, const wire::Entry& entry,
                                 const OpenDirectory& parent, const Error& error) {
  Error named = error;
  named.object = DirectoryTree::path_of(parent.node, entry.name);
  if (entry.type != EntryType::kDirectory) {
    if (entry.type == EntryType::kRegular && !options_.may_have) {
      // Its data is on its way unasked: no offence, but to be stopped.
      std::scoped_lock lock(mutex_);
      if (given_up_.size() >= kGivenUpMax) return fail(broken("too many files failed"));
      given_up_.insert(id);
      newly_given_up_.push_back(id);
    }
    WH_TRY(entry_failed(entry, named.object, named));
    if (entry.link_of != 0) {
      std::scoped_lock lock(mutex_);
      hard_links_.drop(entry.link_of);
    }
    if (entry.names == 0) return {};
    {
      std::scoped_lock lock(mutex_);
      static_cast<void>(hard_links_.begin(id, entry));
    }
    return settle_links(id, std::nullopt);
  }
  report(named.object, named);
  OpenDirectory refused;
  refused.node = DirectoryTree::child(parent.node, entry.name);
  refused.parent = entry.parent;
  refused.name = entry.name;
  refused.cost = entry.cost();
  refused.failed = true;
  refused.sets_time = false;
  refused.sets_mode = false;
  refused.depth = parent.depth + 1;
  if (refused.depth >= kDepthMax) return fail(broken("the other side's tree is too deep"));
  std::scoped_lock lock(mutex_);
  directories_.emplace(id, std::move(refused));
  return {};
}

Result<void> TreeBuilder::make_directory(OpenDirectory& made, const NodePtr& parent) {
  WH_ASSIGN(const auto handle, tree_->open(parent));
  WH_ASSIGN(made.is_new, handle->make_directory(made.name, kOwnerAll));
  WH_ASSIGN(const auto own, tree_->open(made.node));
  WH_ASSIGN(const auto status, own->status());
  if (!made.is_new) {
    if (made_directories_.contains(status.id())) {
      return fail({.code = Code::kUnsafeName,
                   .operation = "make directory",
                   .object = made.name,
                   .detail = std::string(kOneWithAnother)});
    }
    made.sets_mode = made.sets_time = !options_.only_adds || options_.former->has_made(status.id());
    const bool is_closed = (status.mode & kOwnerAll) != kOwnerAll;
    if (is_closed && !options_.only_adds) WH_TRY(own->set_mode(status.mode | kOwnerAll));
  }
  if (made.is_new && options_.only_adds) options_.former->on_made(status.id());
  made.id = status.id();
  made_directories_.insert(made.id);
  return {};
}

Result<void> TreeBuilder::on_directory_end(std::uint64_t directory) {
  std::scoped_lock lock(mutex_);
  const auto found = directories_.find(directory);
  if (found == directories_.end() || found->second.ended) {
    return fail(broken("the other side ended a directory that is not open"));
  }
  found->second.ended = true;
  complete_directory(directory);
  return {};
}

Result<void> TreeBuilder::on_symlink(const wire::Entry& entry, OpenDirectory& parent) {
  const std::string path = DirectoryTree::path_of(parent.node, entry.name);
  auto made = make_symlink(entry, parent);
  if (!made.has_value()) {
    if (ends_session(made.error())) return made;
    return entry_failed(entry, path, made.error());
  }
  finished_in(entry.parent, entry.cost());
  return {};
}

Result<void> TreeBuilder::make_symlink(const wire::Entry& entry, OpenDirectory& in) {
  const NodePtr& parent = in.node;
  if (entry.target.empty() || entry.target.find('\0') != std::string::npos) {
    Error error = broken("the other side sent a symlink without a usable target");
    error.object = DirectoryTree::path_of(parent, entry.name);
    return fail(std::move(error));
  }
  WH_ASSIGN(const auto directory, tree_->open(parent));
  auto made = directory->make_symlink(entry.name, entry.target);
  if (!made.has_value()) {
    if (made.error().code != Code::kExists) return made;
    const auto status = directory->status_of(entry.name);
    std::optional<FileType> met_by;
    if (status.has_value() && !in.is_new) {
      met_by = in.met.met_by(*directory, entry.name, *status, FileType::kSymlink);
    }
    const auto present = directory->read_link(entry.name);
    const bool is_another_files = met_by == FileType::kRegular;
    if (present.has_value() && *present == entry.target && !is_another_files) {
      ++counters_.links;
      return match_symlink(entry, *directory, DirectoryTree::path_of(parent, entry.name));
    }
    if (status.has_value() && leaves_to_symlink(entry, *status, options_.leaves)) return {};
    if (met_by.has_value()) {
      return fail(one_with_another(DirectoryTree::path_of(parent, entry.name)));
    }
    const bool replaceable = options_.overwrite && status.has_value() &&
                             status->type != FileType::kDirectory &&
                             !options_.former->is_since(*status, rules_.started);
    if (!replaceable) {
      return fail({.code = Code::kExists,
                   .operation = "make symlink",
                   .object = DirectoryTree::path_of(parent, entry.name),
                   .detail = "something else is there",
                   .advice = options_.overwrite ? "" : "use --overwrite to replace it"});
    }
    const std::string partial = store::partial_name(entry.name);
    static_cast<void>(directory->remove_file(partial));
    WH_TRY(directory->make_symlink(partial, entry.target));
    options_.former->on_replace(*status);
    auto published = directory->publish(partial, entry.name, platform::Replace::kYes);
    if (!published.has_value()) {
      static_cast<void>(directory->remove_file(partial));
      return published;
    }
  }
  ++counters_.links;
  keeper_.keep(*directory, entry.name, entry.archived.get(),
               DirectoryTree::path_of(parent, entry.name));
  return directory->set_symlink_modified(entry.name, modified_of(entry),
                                         keeper_.accessed(entry.archived.get()));
}

Result<void> TreeBuilder::on_regular(std::uint64_t id, const wire::Entry& entry,
                                     OpenDirectory& parent, Wanted& wanted) {
  if (entry.link_of != 0) return on_hard_link(entry, parent);
  ++counters_.announced_files;
  counters_.announced_bytes += entry.size;
  if (entry.names > 1) {
    std::scoped_lock lock(mutex_);
    if (!hard_links_.begin(id, entry)) {
      return fail(broken("the other side named too many files of several names"));
    }
  }
  const std::string path = DirectoryTree::path_of(parent.node, entry.name);
  Present present = Present::kMissing;
  std::optional<platform::FileStatus> there;
  if (options_.may_have && !parent.is_new) {
    const auto compared = compare(entry, parent);
    if (!compared.has_value()) {
      if (ends_session(compared.error())) return fail(compared.error());
      return not_taken(id, entry, path, compared.error());
    }
    there = compared->status;
    const Judgement judged = judge(entry, *compared, options_.present_rules());
    if (judged.action == Action::kLeave) {
      leave(entry);
      return settle_links(id, std::nullopt);
    }
    if (compared->is_anothers) return not_taken(id, entry, path, one_with_another(path));
    present = compared->present;
    if (present == Present::kEqual && (!options_.checksum || entry.size == 0)) {
      if (entry.size >= kReusableMinBytes && !entry.sparse) {
        const auto place = place_in(entry.name, parent.node);
        remember(id, place);
        share(id, entry, /*comes_by_itself=*/true, wanted);
        told_chunks_.end(id, place);
      }
      const auto matched = match_metadata(entry, parent.node, *compared->status);
      if (!matched.has_value()) return not_taken(id, entry, path, matched.error());
      // Of a single file, the directory is over with it.
      std::optional<HardLinks::Source> source;
      if (entry.names > 1) source = link_source(entry.name, parent.node);
      skip(entry);
      return settle_links(id, std::move(source));
    }
    if (present == Present::kEqual && entry.size > kReconstructedMaxBytes) {
      return not_taken(id, entry, path,
                       {.code = Code::kLimit,
                        .operation = "compare",
                        .object = path,
                        .detail = "it is too long to be compared by its content",
                        .advice = "compare it by its size and time: without --checksum"});
    }
    if (judged.action == Action::kRefuse) {
      return not_taken(id, entry, path,
                       {.code = Code::kExists,
                        .operation = "fetch",
                        .object = path,
                        .detail = std::string(judged.reason),
                        .advice = options_.overwrite ? "" : "use --overwrite to replace it"});
    }
  }
  auto file = std::make_shared<TakenFile>(id, entry.parent, parent.node, entry,
                                          options_.cached_file_max_bytes, cache_speed_);
  if (const auto owner = keeper_.owner(entry.archived.get())) file->will_be_given_to(*owner);
  if (parent.is_new) file->expect_nothing_there();
  if (present == Present::kEmptied) {
    file->may_replace();
    present = Present::kMissing;
  } else if (present == Present::kHollow && is_own(entry, parent.node)) {
    file->may_replace();
    if (entry.names > 1) options_.former->on_mended(there->id());
  }
  auto reconstruction = reconstruction_of(file, entry, present);
  std::uint64_t copy_of = 0;
  if (entry.copy_of != 0 || entry.held) {
    const bool may_be_held = options_.reuse && !entry.sparse && is_comparable_length(entry.size);
    if (!may_be_held) {
      return fail(broken("the other side held back a file that is to come as it is"));
    }
    if (reconstruction == nullptr && entry.copy_of != 0) {
      reconstruction = Reconstruction::of_copy(file);
      copy_of = entry.copy_of;
    }
  }
  share(id, entry, /*comes_by_itself=*/reconstruction == nullptr, wanted);
  if (entry.held && reconstruction == nullptr) {
    reconstruction = Reconstruction::among_others(file, told_chunks_);
  } else if (entry.held && reconstruction->is_elsewhere()) {
    reconstruction->find_among_others(told_chunks_);
  }
  {
    std::scoped_lock lock(mutex_);
    files_.emplace(id, file);
    if (const auto original = files_.find(copy_of); copy_of != 0 && original != files_.end()) {
      original->second->expect_clone();
    }
  }
  if (entry.size == 0) return absorb(file, publish(file));
  if (!options_.may_have && entry.copy_of == 0 && !entry.held) return {};
  // Not what may turn out to be there already, or not to be ours to replace.
  const bool may_resume =
      present != Present::kEqual &&
      (present != Present::kHollow || options_.overwrite || file->replaces_its_own());
  const auto begun = begin_in_part(file, may_resume, std::move(reconstruction), copy_of, wanted);
  if (!begun.has_value()) return absorb(file, fail(begun.error()));
  if (!*begun) wanted.whole.push_back(id);
  return {};
}

Result<void> TreeBuilder::not_taken(std::uint64_t id, const wire::Entry& entry,
                                    const std::string& path, const Error& why) {
  counters_.refused_bytes += entry.size;
  WH_TRY(entry_failed(entry, path, why));
  return settle_links(id, std::nullopt);
}

void TreeBuilder::share(std::uint64_t id, const wire::Entry& entry, bool comes_by_itself,
                        Wanted& wanted) {
  if (entry.held) {
    shares_chunks_ = true;
    told_chunks_.begin(id);
    if (first_to_share_.has_value() && !std::exchange(first_to_share_->is_asked, true)) {
      wanted.chunks_of.push_back(first_to_share_->id);
    }
    return;
  }
  const bool may_lend =
      options_.reuse && entry.copy_of == 0 && !entry.sparse && is_comparable_length(entry.size);
  if (!may_lend || std::exchange(has_first_to_share_, true)) return;
  told_chunks_.begin(id);
  // Else its chunks are asked for anyway.
  if (comes_by_itself) first_to_share_ = {.id = id, .size_bytes = entry.size};
}

// What is asked to be as at the host is so in its mode too, although its bytes need not come.
Result<void> TreeBuilder::match_metadata(const wire::Entry& entry, const NodePtr& parent,
                                         const platform::FileStatus& status) {
  const bool is_as_it_is = status.mode == received_mode(entry.mode) && !options_.keeps.any();
  if (!options_.overwrite || is_as_it_is) return {};
  WH_ASSIGN(const auto directory, tree_->open(parent));
  // Its owner may change what nobody may read: but not by a handle, and so it is told.
  WH_ASSIGN(const auto file, directory->open_file(entry.name));
  WH_ASSIGN(const auto opened, file.status());
  if (opened.id() != status.id()) {
    return fail({.code = Code::kChanged,
                 .operation = "compare",
                 .object = entry.name,
                 .detail = "another file took its place meanwhile",
                 .advice = "run the same command again"});
  }
  return match_open(file, entry.archived.get(), received_mode(entry.mode),
                    DirectoryTree::path_of(parent, entry.name));
}

Result<void> TreeBuilder::match_open(const platform::File& file, const wire::Archived* archived,
                                     std::uint32_t mode, const std::string& path) {
  WH_ASSIGN(const auto before, file.status());
  options_.former->on_replace(before);
  mode = keeper_.keep(file, archived, mode, path);
  // After that: owners and ACLs change it.
  WH_ASSIGN(const auto now, file.status());
  if (now.mode != mode) WH_TRY(file.set_mode(mode));
  const auto accessed = keeper_.accessed(archived);
  if (!accessed.has_value() || *accessed == now.accessed) return {};
  return file.set_modified(now.modified, accessed);
}

Result<void> TreeBuilder::match_symlink(const wire::Entry& entry,
                                        const platform::Directory& directory,
                                        const std::string& path) {
  if (!options_.overwrite) return {};
  keeper_.keep(directory, entry.name, entry.archived.get(), path);
  const auto accessed = keeper_.accessed(entry.archived.get());
  if (!accessed.has_value()) return {};
  return directory.set_symlink_modified(entry.name, modified_of(entry), accessed);
}

void TreeBuilder::skip(const wire::Entry& entry) {
  ++counters_.skipped_files;
  counters_.skipped_bytes += entry.size;
  finished_in(entry.parent, entry.cost());
}

void TreeBuilder::leave(const wire::Entry& entry) {
  ++counters_.left_files;
  counters_.left_bytes += entry.size;
  finished_in(entry.parent, entry.cost());
}

std::optional<store::Place> TreeBuilder::place_in(const std::string& name,
                                                  const NodePtr& parent) const {
  const auto directory = tree_->open(parent);
  if (!directory.has_value()) return std::nullopt;
  const auto status = (*directory)->status_of(name);
  if (!status.has_value()) return std::nullopt;
  return store::place_of(**directory, name, *status);
}

bool TreeBuilder::is_own(const wire::Entry& entry, const NodePtr& parent) const {
  if (options_.index == nullptr) return false;
  const auto there = place_in(entry.name, parent);
  if (!there.has_value()) return false;
  const auto place = options_.index->at(there->path);
  return place.has_value() && store::standing_of(*place) != store::Standing::kGone;
}

ReconstructionPtr TreeBuilder::reconstruction_of(const TakenFilePtr& file, const wire::Entry& entry,
                                                 Present present) const {
  using IfDifferent = Reconstruction::IfDifferent;
  const bool replaces = options_.overwrite || file->replaces_its_own();
  const auto if_different = replaces ? IfDifferent::kReplace : IfDifferent::kRefuse;
  if (entry.size > kReconstructedMaxBytes) return nullptr;
  if (present == Present::kEqual || present == Present::kHollow) {
    return std::make_shared<Reconstruction>(file, if_different);
  }
  // Of a file with holes it would take longer to read them than to be told of them.
  if (!options_.reuse || entry.size < kReusableMinBytes || entry.sparse) return nullptr;
  if (auto elsewhere = reconstruction_from_elsewhere(file, entry, present)) return elsewhere;
  if (present == Present::kMissing) return nullptr;
  return std::make_shared<Reconstruction>(file, if_different);
}

ReconstructionPtr TreeBuilder::reconstruction_from_elsewhere(const TakenFilePtr& file,
                                                             const wire::Entry& entry,
                                                             Present present) const {
  if (options_.index == nullptr || !options_.may_have) return nullptr;
  using store::Standing;
  const auto standing_of = [&](const store::Place& place) {
    if (!place.path.starts_with(options_.index_below)) return Standing::kGone;  // for this transfer
    const Standing standing = store::standing_of(place);
    if (standing == Standing::kGone) options_.index->remove(place.path);
    return standing;
  };
  for (auto& place : options_.index->of_version(entry.version)) {
    if (place.size_bytes != entry.size) continue;
    const Standing standing = standing_of(place);
    if (standing == Standing::kGone) continue;
    return std::make_shared<Reconstruction>(file, std::move(place),
                                            /*is_certain=*/standing == Standing::kSafe);
  }
  // Another version is likelier to have something of it.
  if (present != Present::kMissing) return nullptr;
  // Renamed, moved or copied at the host. Files of one size are many where each is a picture of a
  // film: then only one of the same time or name is worth a look.
  auto places = options_.index->of_size(entry.size, modified_of(entry));
  // What has only the size in common is less likely than what the host takes for the original.
  const bool may_be_of_others = entry.copy_of != 0 || entry.held;
  const bool are_few = places.size() <= kFewOfOneSize && !may_be_of_others;
  for (auto& place : places) {
    const bool is_like_it =
        are_few || place.modified == modified_of(entry) || place.path.ends_with("/" + entry.name);
    if (is_like_it && standing_of(place) != Standing::kGone) {
      return std::make_shared<Reconstruction>(file, std::move(place), /*is_certain=*/false);
    }
  }
  if (!may_be_of_others) options_.index->count(/*found=*/false, 0);
  return nullptr;
}

Result<bool> TreeBuilder::begin_in_part(const TakenFilePtr& file, bool may_resume,
                                        ReconstructionPtr reconstruction, std::uint64_t copy_of,
                                        Wanted& wanted) {
  bool is_resumed = false;
  if (may_resume) {
    WH_ASSIGN(is_resumed, resume(file));
  }
  if (!is_resumed && reconstruction == nullptr) return false;
  // Of what a reconstruction may find here, nothing is wanted yet.
  auto missing = reconstruction == nullptr ? file->missing() : std::vector<RangeSet::Range>();
  wanted.parts.push_back({0, file->id(), std::move(missing)});
  wanted.local.push_back({file, is_resumed, std::move(reconstruction), copy_of});
  return true;
}

Result<bool> TreeBuilder::resume(const TakenFilePtr& file) {
  {
    std::scoped_lock lock(mutex_);
    if (resumed_ >= kResumedMax) return false;
  }
  WH_ASSIGN(const bool resumed, file->resume(*tree_));
  if (!resumed) return false;
  {
    std::scoped_lock lock(mutex_);
    file->begun = file->was_resumed = true;
    ++partials_;
    ++resumed_;
  }
  events_.on_file(file->path());
  return true;
}

// The first of two names that are one is what the destination has: the other would be put in its
// place, and it in the other's the next time.
Result<Standing> TreeBuilder::compare(const wire::Entry& entry, OpenDirectory& directory) {
  WH_ASSIGN(const auto handle, tree_->open(directory.node));
  WH_ASSIGN(auto standing, look(entry, *handle, options_.present_rules()));
  if (standing.status.has_value()) {
    standing.is_anothers =
        directory.met.met_by(*handle, entry.name, *standing.status, FileType::kRegular).has_value();
  }
  return standing;
}

Result<void> TreeBuilder::on_listed(std::uint64_t entries) {
  std::scoped_lock lock(mutex_);
  if (listed_ || entries != next_entry_ || entries == 0) {
    return fail(broken("the other side's count of entries is wrong"));
  }
  for (const auto& [id, directory] : directories_) {
    if (!directory.ended) return fail(broken("the other side left a directory open"));
  }
  listed_ = true;
  counters_.all_announced = true;
  announced_.notify_all();
  return {};
}

}  // namespace wormhole::transfer
