#include "transfer/tree_builder.h"

#include <cerrno>
#include <chrono>

#include "base/check.h"
#include "store/hash.h"
#include "transfer/failure.h"

namespace wormhole::transfer {
namespace {

using platform::FileType;
using wire::EntryType;

// Files given up are remembered so that their late data is no offence; a host that makes us give
// up more than this is not worth talking to.
constexpr std::size_t kGivenUpMax = 1'000'000;

// The kernel stamps files with a clock of up to 10 ms ticks, ours is finer.
constexpr std::chrono::milliseconds kClockSlack{10};

constexpr std::uint32_t kOwnerAll = 0700;

// What the giver may read ahead of the file that is being rebuilt, so that it need not wait for us
// to ask: its lists of chunks stand here meanwhile.
constexpr std::size_t kToldAheadMax = 64;
constexpr std::uint64_t kToldAheadMaxBytes = 1 * kGiB;

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

platform::Timestamp transfer_start() {
  const auto since_epoch = (std::chrono::system_clock::now() - kClockSlack).time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return {seconds.count(),
          static_cast<std::uint32_t>(
              std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch - seconds).count())};
}

// This machine cannot go on, whatever the entry.
bool ends_session(const Error& error) {
  switch (error.code) {
    case Code::kProtocol:
    case Code::kNoSpace:
    case Code::kCrypto:
      return true;
    case Code::kLocalIo:
      return error.os_errno == EIO || error.os_errno == EROFS || error.os_errno == EMFILE ||
             error.os_errno == ENFILE;
    default:
      return false;
  }
}

}  // namespace

TreeBuilder::TreeBuilder(TakeOptions options, TakerEvents& events, TakenCounters& counters)
    : options_(std::move(options)), events_(events), counters_(counters) {
  rules_.overwrite = options_.overwrite;
  rules_.sync = options_.sync;
}

TreeBuilder::~TreeBuilder() = default;

// --- announcements (the thread of the first connection) ----------------------------------------

Result<void> TreeBuilder::on_entries(const wire::Entries& entries, Wanted& wanted) {
  {
    std::scoped_lock lock(mutex_);
    if (listed_ || entries.first_id != next_entry_) {
      return fail(broken("the host announced entries out of order"));
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
  OpenDirectory* parent = nullptr;
  {
    std::scoped_lock lock(mutex_);
    const auto found = directories_.find(entry.parent);
    if (found == directories_.end() || found->second.ended) {
      return fail(broken("the host announced an entry of no directory"));
    }
    parent = &found->second;  // stays put: only this thread inserts, and it is not complete
    if (++open_entries_ > kOpenEntriesMax) {
      return fail(broken("the host announced more than it may"));
    }
    ++parent->unfinished;
  }
  const std::string path = DirectoryTree::path_of(parent->node, entry.name);
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
                   .detail = "the host chose a hidden name",
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

Result<void> TreeBuilder::on_root(const wire::Entry& entry, Wanted& wanted) {
  if (entry.parent != wire::kNoEntry) return fail(broken("the host sent no root"));
  if (!options_.requested_name.empty() && entry.name != options_.requested_name) {
    return fail({.code = Code::kProtocol,
                 .operation = "fetch",
                 .object = entry.name,
                 .detail = "the host sent something else than was asked for"});
  }
  WH_ASSIGN(auto placed, place_root(options_.destination, entry,
                                    /*name_was_typed=*/!options_.requested_name.empty()));
  if (store::is_partial_name(placed.name)) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "fetch",
                 .object = placed.name,
                 .detail = "that name is kept for unfinished downloads"});
  }
  rules_.started = transfer_start();
  tree_ = std::make_unique<DirectoryTree>(std::move(placed.directory));
  refuses_hidden_ = entry.name.empty() && !options_.destination.path.has_value();
  const bool is_directory = entry.type == EntryType::kDirectory;
  {
    std::scoped_lock lock(mutex_);
    shown_root_ = placed.shown;
    OpenDirectory root;
    root.node = tree_->root();
    root.mode = entry.mode;
    root.modified = modified_of(entry);
    root.sets_time = is_directory && !entry.name.empty();
    root.sets_mode = root.sets_time && placed.made;
    root.may_refuse_time = !placed.made;
    ++open_entries_;
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
  made.depth = parent.depth + 1;
  if (made.depth >= kDepthMax) return fail(broken("the host's tree is too deep"));
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
    return entry_failed(entry.parent, named.object, named);
  }
  report(named.object, named);
  OpenDirectory refused;
  refused.node = DirectoryTree::child(parent.node, entry.name);
  refused.parent = entry.parent;
  refused.name = entry.name;
  refused.failed = true;
  refused.sets_time = false;
  refused.sets_mode = false;
  refused.depth = parent.depth + 1;
  if (refused.depth >= kDepthMax) return fail(broken("the host's tree is too deep"));
  std::scoped_lock lock(mutex_);
  directories_.emplace(id, std::move(refused));
  return {};
}

Result<void> TreeBuilder::make_directory(const OpenDirectory& made, const NodePtr& parent) {
  WH_ASSIGN(const auto handle, tree_->open(parent));
  WH_ASSIGN(const bool is_new, handle->make_directory(made.name, kOwnerAll));
  WH_ASSIGN(const auto own, tree_->open(made.node));
  WH_ASSIGN(const auto status, own->status());
  if (!is_new) {
    if (made_directories_.contains({status.device, status.inode})) {
      return fail({.code = Code::kUnsafeName,
                   .operation = "make directory",
                   .object = made.name,
                   .detail = "its name is one with another's on this file system"});
    }
    if ((status.mode & kOwnerAll) != kOwnerAll) WH_TRY(own->set_mode(status.mode | kOwnerAll));
  }
  made_directories_.emplace(status.device, status.inode);
  return {};
}

Result<void> TreeBuilder::on_directory_end(std::uint64_t directory) {
  std::scoped_lock lock(mutex_);
  const auto found = directories_.find(directory);
  if (found == directories_.end() || found->second.ended) {
    return fail(broken("the host ended a directory that is not open"));
  }
  found->second.ended = true;
  complete_directory(directory);
  return {};
}

Result<void> TreeBuilder::on_symlink(const wire::Entry& entry, OpenDirectory& parent) {
  const std::string path = DirectoryTree::path_of(parent.node, entry.name);
  auto made = make_symlink(entry, parent.node);
  if (!made.has_value()) {
    if (ends_session(made.error())) return made;
    return entry_failed(entry.parent, path, made.error());
  }
  finished_in(entry.parent);
  return {};
}

Result<void> TreeBuilder::make_symlink(const wire::Entry& entry, const NodePtr& parent) {
  if (entry.target.empty() || entry.target.find('\0') != std::string::npos) {
    Error error = broken("the host sent a symlink without a usable target");
    error.object = DirectoryTree::path_of(parent, entry.name);
    return fail(std::move(error));
  }
  WH_ASSIGN(const auto directory, tree_->open(parent));
  auto made = directory->make_symlink(entry.name, entry.target);
  if (!made.has_value()) {
    if (made.error().code != Code::kExists) return made;
    const auto present = directory->read_link(entry.name);
    if (present.has_value() && *present == entry.target) {
      ++counters_.links;
      return {};
    }
    const auto status = directory->status_of(entry.name);
    const bool replaceable = options_.overwrite && status.has_value() &&
                             status->type != FileType::kDirectory &&
                             status->changed < rules_.started;
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
    auto published = directory->publish(partial, entry.name, platform::Replace::kYes);
    if (!published.has_value()) {
      static_cast<void>(directory->remove_file(partial));
      return published;
    }
  }
  ++counters_.links;
  return directory->set_symlink_modified(entry.name, modified_of(entry));
}

Result<void> TreeBuilder::on_regular(std::uint64_t id, const wire::Entry& entry,
                                     OpenDirectory& parent, Wanted& wanted) {
  ++counters_.announced_files;
  counters_.announced_bytes += entry.size;
  const std::string path = DirectoryTree::path_of(parent.node, entry.name);
  Present present = Present::kMissing;
  if (options_.may_have) {
    const auto compared = compare(entry, parent.node);
    if (!compared.has_value()) {
      if (ends_session(compared.error())) return fail(compared.error());
      return entry_failed(entry.parent, path, compared.error());
    }
    present = *compared;
    if (present == Present::kEqual && (!options_.checksum || entry.size == 0)) {
      skip(entry);
      return {};
    }
    if (present == Present::kEqual && entry.size > kReconstructedMaxBytes) {
      return entry_failed(entry.parent, path,
                          {.code = Code::kLimit,
                           .operation = "compare",
                           .object = path,
                           .detail = "it is too long to be compared by its content",
                           .advice = "compare it by its size and time: without --checksum"});
    }
    if (present == Present::kDifferent && !options_.overwrite) {
      return entry_failed(entry.parent, path,
                          {.code = Code::kExists,
                           .operation = "fetch",
                           .object = path,
                           .detail = "a different file is there",
                           .advice = "use --overwrite to replace it"});
    }
  }
  auto file = std::make_shared<TakenFile>(id, entry.parent, parent.node, entry,
                                          entry.size > options_.cached_file_max_bytes);
  auto reconstruction = reconstruction_of(file, entry, present);
  {
    std::scoped_lock lock(mutex_);
    files_.emplace(id, file);
    if (reconstruction != nullptr) reconstructions_.emplace(id, reconstruction);
  }
  if (entry.size == 0) return absorb(file, publish(file));
  if (!options_.may_have) return {};
  const auto begun = begin_in_part(file, /*may_resume=*/present != Present::kEqual,
                                   std::move(reconstruction), wanted);
  if (!begun.has_value()) return absorb(file, fail(begun.error()));
  if (!*begun) wanted.whole.push_back(id);
  return {};
}

void TreeBuilder::skip(const wire::Entry& entry) {
  ++counters_.skipped_files;
  counters_.skipped_bytes += entry.size;
  finished_in(entry.parent);
}

ReconstructionPtr TreeBuilder::reconstruction_of(const TakenFilePtr& file, const wire::Entry& entry,
                                                 Present present) const {
  using IfDifferent = Reconstruction::IfDifferent;
  const auto if_different = options_.overwrite ? IfDifferent::kReplace : IfDifferent::kRefuse;
  if (present == Present::kMissing || entry.size > kReconstructedMaxBytes) return nullptr;
  // Of a file with holes it would take longer to read them than to be told of them.
  const bool pays = options_.reuse && entry.size >= kReconstructedMinBytes && !entry.sparse;
  if (present == Present::kDifferent && !pays) return nullptr;
  return std::make_shared<Reconstruction>(file, if_different);
}

Result<bool> TreeBuilder::begin_in_part(const TakenFilePtr& file, bool may_resume,
                                        ReconstructionPtr reconstruction, Wanted& wanted) {
  bool is_resumed = false;
  if (may_resume) {
    WH_ASSIGN(is_resumed, resume(file));
  }
  if (!is_resumed && reconstruction == nullptr) return false;
  // Of what a reconstruction may find here, nothing is wanted yet.
  auto missing = reconstruction == nullptr ? file->missing() : std::vector<RangeSet::Range>();
  wanted.parts.push_back({0, file->id(), std::move(missing)});
  {
    std::scoped_lock lock(mutex_);
    local_work_.push_back({file, is_resumed, std::move(reconstruction)});
  }
  local_work_ready_.notify_one();
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

Result<TreeBuilder::Present> TreeBuilder::compare(const wire::Entry& entry,
                                                  const NodePtr& directory) {
  WH_ASSIGN(const auto handle, tree_->open(directory));
  const auto status = handle->status_of(entry.name);
  if (!status.has_value()) {
    if (status.error().code == Code::kNotFound) return Present::kMissing;
    return fail(status.error());
  }
  if (!looks_equal(entry, *status)) return Present::kDifferent;
  if (options_.sync) {
    WH_ASSIGN(const auto file, handle->open_file(entry.name));
    WH_TRY(file.sync());
  }
  return Present::kEqual;
}

Result<void> TreeBuilder::on_listed(std::uint64_t entries) {
  std::scoped_lock lock(mutex_);
  if (listed_ || entries != next_entry_ || entries == 0) {
    return fail(broken("the host's count of entries is wrong"));
  }
  for (const auto& [id, directory] : directories_) {
    if (!directory.ended) return fail(broken("the host left a directory open"));
  }
  listed_ = true;
  counters_.all_announced = true;
  announced_.notify_all();
  return {};
}

// --- data (any stream) -------------------------------------------------------------------------

Result<void> TreeBuilder::wait_for_entry(std::unique_lock<std::mutex>& lock, std::uint64_t id,
                                         bool may_wait) {
  while (id >= next_entry_) {
    if (!may_wait || listed_) return fail(broken("the host sent what it has not announced"));
    if (woken_) return fail({.code = Code::kLost, .operation = "fetch"});
    announced_.wait(lock);
  }
  return {};
}

Result<TakenFilePtr> TreeBuilder::find(std::uint64_t id, bool may_wait) {
  std::unique_lock lock(mutex_);
  WH_TRY(wait_for_entry(lock, id, may_wait));
  const auto found = files_.find(id);
  if (found != files_.end()) return found->second;
  if (given_up_.contains(id)) return TakenFilePtr();
  return fail(broken("the host sent a file that was not asked for, or twice"));
}

Result<void> TreeBuilder::begin(const TakenFilePtr& file) {
  bool begins = false;
  {
    std::scoped_lock lock(mutex_);
    begins = !file->begun;
    if (begins) {
      file->begun = true;
      if (++partials_ > kOpenPartialsMax) {
        return fail(broken("the host began too many files at once"));
      }
    }
  }
  if (begins && file->size() > kPackedFileMaxBytes) events_.on_file(file->path());
  return {};
}

Result<void> TreeBuilder::on_data(const TakenFilePtr& file, std::uint64_t offset, Bytes data) {
  WH_TRY(file->claim(offset, data.size()));
  WH_TRY(begin(file));
  counters_.bytes += data.size();
  progressed();
  const auto complete = file->write(*tree_, data, offset);
  if (!complete.has_value()) return absorb(file, fail(complete.error()));
  return *complete ? absorb(file, publish(file)) : Result<void>();
}

Result<void> TreeBuilder::on_hole(const TakenFilePtr& file, std::uint64_t offset,
                                  std::uint64_t length) {
  if (!file->is_sparse()) return fail(broken("the host sent a hole in a file without any"));
  WH_TRY(file->claim(offset, length));
  WH_TRY(begin(file));
  progressed();
  const auto complete = file->skip(*tree_, length);
  if (!complete.has_value()) return absorb(file, fail(complete.error()));
  return *complete ? absorb(file, publish(file)) : Result<void>();
}

Result<void> TreeBuilder::publish(const TakenFilePtr& file) {
  WH_TRY(file->publish(*tree_, rules_));
  if (!forget(file)) return {};  // given up by another thread at the last moment
  ++counters_.files;
  counters_.file_bytes += file->size();
  if (file->size() <= kPackedFileMaxBytes) events_.on_file(file->path());
  finished_in(file->parent());
  close_directories();
  return {};
}

// --- what is here already (a thread of its own) --------------------------------------------

bool TreeBuilder::has_local_work() const {
  std::scoped_lock lock(mutex_);
  return !local_work_.empty();
}

std::optional<TreeBuilder::LocalWork> TreeBuilder::next_local_work() {
  std::unique_lock lock(mutex_);
  // What is missing of those before must come at last, or too many stand half there.
  local_work_ready_.wait(
      lock, [&] { return woken_ || (!local_work_.empty() && partials_ < kOpenPartialsMax / 2); });
  if (woken_) return std::nullopt;
  LocalWork next = std::move(local_work_.front());
  local_work_.pop_front();
  return next;
}

std::vector<std::uint64_t> TreeBuilder::chunks_to_ask_for(const LocalWork& work) {
  std::vector<std::uint64_t> files;
  std::uint64_t ahead_bytes = 0;
  std::size_t ahead = 0;
  const auto ask = [&](const LocalWork& item) {
    if (item.reconstruction == nullptr) return;
    ahead_bytes += item.file->size();
    ++ahead;
    if (!std::exchange(item.reconstruction->is_asked_for, true)) files.push_back(item.file->id());
  };
  std::scoped_lock lock(mutex_);
  ask(work);
  for (const LocalWork& next : local_work_) {
    if (ahead >= kToldAheadMax || ahead_bytes + next.file->size() > kToldAheadMaxBytes) break;
    ask(next);
  }
  return files;
}

Result<bool> TreeBuilder::check_some(const TakenFilePtr& file, MutableBytes buffer,
                                     std::vector<RangeSet::Range>& damaged) {
  TakenFile::Checked checked = file->check_some(buffer);
  counters_.resumed_bytes += static_cast<std::uint64_t>(checked.intact_bytes);
  damaged = std::move(checked.damaged);
  if (checked.complete) WH_TRY(absorb(file, publish(file)));
  return !checked.over;
}

Result<Reconstruction::Next> TreeBuilder::rebuild_some(const ReconstructionPtr& reconstruction,
                                                       std::vector<RangeSet::Range>& wanted) {
  const TakenFilePtr& file = reconstruction->file();
  const std::uint64_t before = reconstruction->reused_bytes();
  const auto next = reconstruction->step(*tree_, wanted);
  const std::uint64_t reused = reconstruction->reused_bytes() - before;
  counters_.reused_bytes += reused;
  if (!next.has_value()) {
    WH_TRY(absorb(file, fail(next.error())));
    return Reconstruction::Next::kOver;
  }
  if (reused > 0) WH_TRY(begin(file));
  if (*next == Reconstruction::Next::kIdentical) WH_TRY(absorb(file, keep(*reconstruction)));
  if (*next == Reconstruction::Next::kComplete) WH_TRY(absorb(file, publish(file)));
  return *next;
}

Result<void> TreeBuilder::keep(const Reconstruction& reconstruction) {
  const TakenFilePtr& file = reconstruction.file();
  WH_ASSIGN(const auto directory, tree_->open(file->directory()));
  if (!reconstruction.basis()->is_unchanged(*directory, file->name())) {
    return fail({.code = Code::kChanged,
                 .operation = "compare",
                 .object = file->path(),
                 .detail = "it changed meanwhile",
                 .advice = "run the same command again"});
  }
  const platform::File& here = reconstruction.basis()->file();
  WH_TRY(here.set_modified(file->modified()));
  if (options_.sync) WH_TRY(here.sync());
  if (!forget(file)) return {};
  ++counters_.skipped_files;
  counters_.skipped_bytes += file->size();
  finished_in(file->parent());
  close_directories();
  return {};
}

void TreeBuilder::begin_wait() { waits_for_progress_ = true; }

void TreeBuilder::wait_for_progress() {
  std::unique_lock lock(mutex_);
  progressed_.wait(lock, [&] { return woken_ || !waits_for_progress_; });
}

void TreeBuilder::progressed() {
  if (!waits_for_progress_) return;
  std::scoped_lock lock(mutex_);
  waits_for_progress_ = false;
  progressed_.notify_one();
}

Result<void> TreeBuilder::on_chunks(const wire::Chunks& chunks) {
  ReconstructionPtr reconstruction;
  {
    std::scoped_lock lock(mutex_);
    const auto found = reconstructions_.find(chunks.file);
    if (found != reconstructions_.end()) reconstruction = found->second;
    if (reconstruction == nullptr && given_up_.contains(chunks.file)) return {};
    if (reconstruction == nullptr || !reconstruction->is_asked_for) {
      return fail(broken("the host told chunks that were not asked for"));
    }
  }
  WH_TRY(reconstruction->on_chunks(chunks));
  progressed();
  return {};
}

bool TreeBuilder::is_open(const TakenFilePtr& file) const {
  std::scoped_lock lock(mutex_);
  return files_.contains(file->id());
}

// --- failures ----------------------------------------------------------------------------------

Result<void> TreeBuilder::absorb(const TakenFilePtr& file, Result<void> result) {
  if (result.has_value() || ends_session(result.error())) return result;
  give_up(file, result.error());
  return {};
}

void TreeBuilder::give_up(const TakenFilePtr& file, const Error& error) {
  {
    std::scoped_lock lock(mutex_);
    given_up_.insert(file->id());
    newly_given_up_.push_back(file->id());
  }
  const bool was_open = forget(file);
  progressed();
  if (!was_open) return;
  file->abandon(*tree_);
  Error named = error;
  named.object = file->path();
  report(named.object, named);
  finished_in(file->parent());
  close_directories();
}

Result<void> TreeBuilder::on_failed(const wire::Failed& failed, bool may_wait) {
  if (failed.has_file) {
    TakenFilePtr file;
    {
      std::unique_lock lock(mutex_);
      WH_TRY(wait_for_entry(lock, failed.file, may_wait));
      if (given_up_.size() >= kGivenUpMax) return fail(broken("too many files failed"));
      const auto found = files_.find(failed.file);
      if (found == files_.end()) return {};
      file = found->second;
    }
    give_up(file, remote_failure(failed.code, file->path(), failed.reason));
    return {};
  }
  std::string path = failed.name;
  {
    std::scoped_lock lock(mutex_);
    const auto parent = directories_.find(failed.parent);
    if (parent != directories_.end()) {
      path = DirectoryTree::path_of(parent->second.node, failed.name);
    }
  }
  report(path, remote_failure(failed.code, path, failed.reason));
  return {};
}

Result<void> TreeBuilder::entry_failed(std::uint64_t parent, const std::string& path,
                                       const Error& error) {
  report(path, error);
  finished_in(parent);
  return {};
}

void TreeBuilder::report(const std::string& path, const Error& error) {
  ++(error.code == Code::kSkippedSpecial ? counters_.specials : counters_.failed);
  events_.on_failed(path, error);
}

// --- bookkeeping -------------------------------------------------------------------------------

bool TreeBuilder::forget(const TakenFilePtr& file) {
  std::scoped_lock lock(mutex_);
  if (files_.erase(file->id()) == 0) return false;
  reconstructions_.erase(file->id());
  if (file->begun) --partials_;
  local_work_ready_.notify_one();
  if (file->was_resumed) --resumed_;
  return true;
}

void TreeBuilder::finished_in(std::uint64_t parent) {
  std::scoped_lock lock(mutex_);
  const auto found = directories_.find(parent);
  WH_CHECK(found != directories_.end() && found->second.unfinished > 0);
  --found->second.unfinished;
  count_finished();
  complete_directory(parent);
}

void TreeBuilder::count_finished() {
  WH_CHECK(open_entries_ > 0);
  --open_entries_;
  ++finished_;
}

void TreeBuilder::complete_directory(std::uint64_t id) {
  while (true) {
    const auto found = directories_.find(id);
    WH_CHECK(found != directories_.end());
    if (!found->second.ended || found->second.unfinished > 0) return;
    const std::uint64_t above = found->second.parent;
    complete_directories_.push_back(std::move(found->second));
    directories_.erase(found);
    if (id == wire::kNoEntry) return;  // the user's directory around a single file: no entry
    count_finished();
    if (above == wire::kNoEntry) return;
    --directories_.at(above).unfinished;
    id = above;
  }
}

void TreeBuilder::close_directories() {
  std::unique_lock lock(mutex_);
  // In order, one thread at a time: a parent may end up unsearchable.
  if (closing_directories_) return;
  closing_directories_ = true;
  while (!complete_directories_.empty()) {
    OpenDirectory directory = std::move(complete_directories_.front());
    complete_directories_.pop_front();
    // The names in it are on disk only when it is, whosever its time.
    const bool syncs = options_.sync && !directory.failed;
    if (!directory.sets_time && !syncs) continue;
    lock.unlock();
    const auto set = [&]() -> Result<void> {
      WH_ASSIGN(const auto handle, tree_->open(directory.node));
      if (directory.sets_mode) WH_TRY(handle->set_mode(received_mode(directory.mode)));
      if (directory.sets_time) {
        const auto timed = handle->set_modified(directory.modified);
        if (!timed.has_value() && !directory.may_refuse_time) return timed;
      }
      return syncs ? handle->sync() : Result<void>();
    }();
    if (!set.has_value()) {
      report(DirectoryTree::path_of(directory.node->parent(), directory.name), set.error());
    }
    lock.lock();
  }
  closing_directories_ = false;
}

std::uint32_t TreeBuilder::take_finished() {
  std::scoped_lock lock(mutex_);
  return std::exchange(finished_, 0);
}

std::vector<std::uint64_t> TreeBuilder::take_given_up() {
  std::scoped_lock lock(mutex_);
  return std::exchange(newly_given_up_, {});
}

bool TreeBuilder::is_complete() const {
  std::scoped_lock lock(mutex_);
  return listed_ && open_entries_ == 0 && complete_directories_.empty() && !closing_directories_;
}

std::string TreeBuilder::shown_root() const {
  std::scoped_lock lock(mutex_);
  return shown_root_;
}

void TreeBuilder::wake_all() {
  std::scoped_lock lock(mutex_);
  woken_ = true;
  announced_.notify_all();
  local_work_ready_.notify_all();
  progressed_.notify_all();
}

void TreeBuilder::abandon(bool keeps_partials) {
  std::scoped_lock lock(mutex_);
  for (auto& [id, file] : files_) {
    if (keeps_partials) {
      counters_.kept_bytes += file->suspend(*tree_);
    } else {
      file->abandon(*tree_);
    }
  }
  files_.clear();
  reconstructions_.clear();
  local_work_.clear();
}

}  // namespace wormhole::transfer
