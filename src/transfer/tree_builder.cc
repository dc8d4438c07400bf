#include "transfer/tree_builder.h"

#include "base/check.h"
#include "transfer/failure.h"

namespace wormhole::transfer {
namespace {

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

}  // namespace

TreeBuilder::TreeBuilder(TakeOptions options, TakerEvents& events, TakenCounters& counters,
                         const Clock& clock)
    : options_(std::move(options)),
      selector_(Selector::compile(options_.selection)),
      events_(events),
      counters_(counters),
      keeper_(options_.keeps, events, counters),
      cache_speed_(clock) {
  rules_.overwrite = options_.overwrite;
  rules_.sync = options_.sync;
  rules_.started = options_.started;
  rules_.former = options_.former;
  if (options_.keeps.any()) rules_.keeper = &keeper_;
  rules_.is_recorded = options_.index != nullptr || options_.reuse;
}

TreeBuilder::~TreeBuilder() = default;

// --- data (any stream) -------------------------------------------------------------------------

Result<void> TreeBuilder::wait_for_entry(std::unique_lock<std::mutex>& lock, std::uint64_t id,
                                         bool may_wait) {
  while (id >= next_entry_) {
    if (!may_wait || listed_) return fail(broken("the other side sent what it has not announced"));
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
  return fail(broken("the other side sent a file that was not asked for, or twice"));
}

Result<void> TreeBuilder::begin(const TakenFilePtr& file) {
  if (count_begun(file) <= kOpenPartialsMax) return {};
  return fail(broken("the other side began too many files at once"));
}

std::size_t TreeBuilder::count_begun(const TakenFilePtr& file) {
  bool begins = false;
  std::size_t partials = 0;
  {
    std::scoped_lock lock(mutex_);
    // Given up by another thread meanwhile: it takes no room any more.
    begins = !file->begun && files_.contains(file->id());
    if (begins) {
      file->begun = true;
      partials = ++partials_;
    }
  }
  if (begins && file->size() > kPackedFileMaxBytes) events_.on_file(file->path());
  return partials;
}

Result<void> TreeBuilder::on_data(const TakenFilePtr& file, std::uint64_t offset, Bytes data) {
  WH_TRY(file->claim(offset, data.size()));
  WH_TRY(begin(file));
  counters_.bytes += data.size();
  local_work_.progressed();
  const auto complete = file->write(*tree_, data, offset);
  if (!complete.has_value()) return absorb(file, fail(complete.error()));
  if (file->lacks_only_rest()) local_work_.release(file->id());
  return *complete ? absorb(file, publish(file)) : Result<void>();
}

Result<void> TreeBuilder::on_hole(const TakenFilePtr& file, std::uint64_t offset,
                                  std::uint64_t length) {
  if (!file->is_sparse()) return fail(broken("the other side sent a hole in a file without any"));
  WH_TRY(file->claim(offset, length));
  WH_TRY(begin(file));
  local_work_.progressed();
  const auto complete = file->leave_empty(*tree_, offset, length);
  if (!complete.has_value()) return absorb(file, fail(complete.error()));
  counters_.hole_bytes += length;
  if (file->lacks_only_rest()) local_work_.release(file->id());
  return *complete ? absorb(file, publish(file)) : Result<void>();
}

Result<void> TreeBuilder::publish(const TakenFilePtr& file) {
  WH_TRY(file->publish(*tree_, rules_));
  // First, so that what is remembered of the file holds with these.
  if (file->has_other_names()) {
    WH_TRY(settle_links(file->id(), link_source(file->name(), file->directory())));
  }
  auto place = file->place(*tree_, rules_);
  if (!file->is_sparse()) remember(file->id(), place);
  told_chunks_.end(file->id(), place);
  if (!forget(file)) return {};  // given up by another thread at the last moment
  if (place.has_value() && options_.index != nullptr) options_.index->add(std::move(*place));
  ++counters_.files;
  counters_.file_bytes += file->size();
  if (file->size() <= kPackedFileMaxBytes) events_.on_file(file->path());
  finished_in(file->parent(), file->cost());
  close_directories();
  return {};
}

Result<void> TreeBuilder::on_chunks(const wire::Chunks& chunks) {
  // Before they are looked for.
  if (shares_chunks_) told_chunks_.on_told(chunks.file, chunks.offset, chunks.chunks);
  if (!first_to_share_.has_value() || first_to_share_->id != chunks.file) {
    return local_work_.on_chunks(chunks);
  }
  FirstToShare& first = *first_to_share_;
  if (!first.is_asked) return fail(broken("the other side told chunks that were not asked for"));
  return count_told(first.told_bytes, first.size_bytes, chunks);
}

// --- what is here already (a thread of its own) --------------------------------------------

void TreeBuilder::wait_for_room() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] {
    return woken_ || (partials_ < kOpenPartialsMax / 2 && asked_ranges_ < kAskedRangesMax);
  });
}

bool TreeBuilder::may_pause() const {
  std::scoped_lock lock(mutex_);
  return partials_ < kOpenPartialsMax / 4 && asked_ranges_ < kAskedRangesMax / 2;
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
  // What is copied, or was asked for: it takes its room among those under way.
  if (reused > 0 || *next == Reconstruction::Next::kOver ||
      *next == Reconstruction::Next::kAskFiner) {
    static_cast<void>(count_begun(file));
  }
  if (*next == Reconstruction::Next::kOver || *next == Reconstruction::Next::kComplete) {
    if (reconstruction->is_elsewhere() && !reconstruction->is_copy()) {
      options_.index->count(reconstruction->reused_bytes() > 0, reconstruction->reused_bytes());
    }
  }
  if (*next == Reconstruction::Next::kIdentical) WH_TRY(absorb(file, keep(*reconstruction)));
  if (*next == Reconstruction::Next::kComplete) WH_TRY(absorb(file, publish(file)));
  return *next;
}

void TreeBuilder::begin_local_work(LocalWork work) {
  const std::uint64_t original = work.copy_of;
  const TakenFilePtr file = work.file;
  local_work_.add(std::move(work));
  // A host may have sent it unasked in between.
  if (!is_open(file) && local_work_.forget(file->id())) {
    release_copies_of(file->id(), file->size());
  }
  if (original != 0) release_copies_of(original, file->size());
}

bool TreeBuilder::wait_for_lender(const LocalWork& work) {
  const std::uint64_t lender = work.reconstruction->lender();
  const bool is_begun = work.reconstruction->is_file_begun();
  if (is_begun && !may_pause()) return false;
  LocalWork rest{.file = work.file, .reconstruction = work.reconstruction};
  if (!local_work_.wait_for_lender(std::move(rest), lender, is_begun)) return false;
  // Both orders are met, as with copies.
  const bool is_over =
      lender == work.file->id() ? work.file->lacks_only_rest() : !told_chunks_.is_coming(lender);
  if (is_over) local_work_.release(lender);
  return true;
}

// The first one, as the host names it.
void TreeBuilder::remember(std::uint64_t id, const std::optional<store::Place>& place) {
  if (!place.has_value() || !options_.reuse || place->size_bytes < kReusableMinBytes) return;
  std::scoped_lock lock(mutex_);
  const auto found = originals_.find(place->size_bytes);
  if (found == originals_.end()) {
    if (originals_.size() < kOriginalsMax) {
      originals_.emplace(place->size_bytes, Original{id, *place});
    }
  } else if (id < found->second.id) {
    found->second = {id, *place};
  }
}

// Both orders are met: who waits is added before it is looked whether the original is still on its
// way, and whoever forgets the original looks for who waits after that.
void TreeBuilder::release_copies_of(std::uint64_t original, std::uint64_t size_bytes) {
  const std::uint64_t named = original;
  while (true) {
    std::optional<store::Place> place;
    std::uint64_t successor = 0;
    {
      std::scoped_lock lock(mutex_);
      if (files_.contains(original)) return;
      const auto found = originals_.find(size_bytes);
      const auto next = successors_.find(original);
      if (found != originals_.end()) {
        place = found->second.place;
      } else if (next != successors_.end()) {
        successor = next->second;
      }
    }
    if (successor == 0) {
      const std::uint64_t first = local_work_.release_copies(original, place);
      std::scoped_lock lock(mutex_);
      if (first != 0) successors_.emplace(original, first);
      // Whoever names it next need not go the whole way.
      if (original != named) successors_[named] = original;
      return;
    }
    local_work_.redirect_copies(original, successor);
    original = successor;
  }
}

Result<void> TreeBuilder::keep(const Reconstruction& reconstruction) {
  const TakenFilePtr& file = reconstruction.file();
  WH_ASSIGN(const auto directory, tree_->open(file->directory()));
  const auto named = directory->status_of(file->name());
  if (!reconstruction.basis()->is_unchanged() || !named.has_value() ||
      !named->same_version(reconstruction.basis()->status())) {
    return fail({.code = Code::kChanged,
                 .operation = "compare",
                 .object = file->path(),
                 .detail = "it changed meanwhile",
                 .advice = "run the same command again"});
  }
  const platform::File& here = reconstruction.basis()->file();
  options_.former->on_replace(*named);
  // Else it would not be as the index has it any more.
  if (named->modified != file->modified()) WH_TRY(here.set_modified(file->modified()));
  if (options_.overwrite) {
    WH_TRY(match_open(here, file->archived(), file->mode(), file->path()));
  }
  if (options_.sync) WH_TRY(here.sync());
  const auto place = place_in(file->name(), file->directory());
  if (!file->is_sparse()) remember(file->id(), place);
  told_chunks_.end(file->id(), place);
  if (!forget(file)) return {};
  ++counters_.skipped_files;
  counters_.skipped_bytes += file->size();
  finished_in(file->parent(), file->cost());
  if (file->has_other_names()) {
    WH_TRY(settle_links(file->id(), link_source(file->name(), file->directory())));
  }
  close_directories();
  return {};
}

void TreeBuilder::asked_for(const TakenFilePtr& file, std::size_t ranges) {
  std::scoped_lock lock(mutex_);
  if (!files_.contains(file->id())) return;
  file->asked_ranges += ranges;
  asked_ranges_ += ranges;
}

bool TreeBuilder::is_open(const TakenFilePtr& file) const {
  std::scoped_lock lock(mutex_);
  return files_.contains(file->id());
}

// --- failures ----------------------------------------------------------------------------------

Result<void> TreeBuilder::absorb(const TakenFilePtr& file, Result<void> result) {
  if (result.has_value() || ends_session(result.error())) return result;
  {
    std::scoped_lock lock(mutex_);
    if (given_up_.size() >= kGivenUpMax) {
      return fail({.code = Code::kLimit,
                   .operation = "fetch",
                   .detail = "too many files failed: a million, the last one because: " +
                             to_sentence(result.error())});
    }
  }
  give_up(file, result.error());
  return {};
}

void TreeBuilder::give_up(const TakenFilePtr& file, const Error& error) {
  {
    std::scoped_lock lock(mutex_);
    given_up_.insert(file->id());
    newly_given_up_.push_back(file->id());
  }
  if (!forget(file)) return;
  file->abandon(*tree_);
  report(file->path(), of_announced(error, file->path()));
  finished_in(file->parent(), file->cost());
  // Nothing is made of what did not come, so that nothing can go wrong.
  static_cast<void>(settle_links(file->id(), std::nullopt));
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
      if (KnownNames* known = parent->second.known.get(); known != nullptr) {
        // Of the directory itself: nobody knows what else is in it.
        failed.name.empty() ? known->give_up() : known->add(failed.name);
      }
    }
  }
  if (path.empty()) path = ".";
  report(path, remote_failure(failed.code, path, failed.reason));
  return {};
}

Result<void> TreeBuilder::entry_failed(const wire::Entry& entry, const std::string& path,
                                       const Error& error) {
  report(path, of_announced(error, path));
  finished_in(entry.parent, entry.cost());
  return {};
}

void TreeBuilder::report(const std::string& path, const Error& error) {
  ++(error.code == Code::kSkippedSpecial ? counters_.specials : counters_.failed);
  events_.on_failed(path, error);
}

// --- bookkeeping -------------------------------------------------------------------------------

bool TreeBuilder::forget(const TakenFilePtr& file) {
  {
    std::scoped_lock lock(mutex_);
    if (files_.erase(file->id()) == 0) return false;
    if (file->begun) --partials_;
    room_.notify_one();
    if (file->was_resumed) --resumed_;
    asked_ranges_ -= file->asked_ranges;
  }
  told_chunks_.end(file->id(), std::nullopt);
  // After that: it wakes who looks whether the file is still open.
  if (local_work_.forget(file->id())) release_copies_of(file->id(), file->size());
  return true;
}

void TreeBuilder::finished_in(std::uint64_t parent, std::uint32_t cost) {
  std::scoped_lock lock(mutex_);
  const auto found = directories_.find(parent);
  WH_CHECK(found != directories_.end() && found->second.unfinished > 0);
  --found->second.unfinished;
  count_finished(cost);
  complete_directory(parent);
}

void TreeBuilder::count_finished(std::uint32_t cost) {
  WH_CHECK(open_entries_ >= cost);
  open_entries_ -= cost;
  finished_ += cost;
}

void TreeBuilder::complete_directory(std::uint64_t id) {
  while (true) {
    const auto found = directories_.find(id);
    WH_CHECK(found != directories_.end());
    if (!found->second.ended || found->second.unfinished > 0) return;
    const std::uint64_t above = found->second.parent;
    const std::uint32_t cost = found->second.cost;
    complete_directories_.push_back(std::move(found->second));
    directories_.erase(found);
    if (id == wire::kNoEntry) return;  // the user's directory around a single file: no entry
    count_finished(cost);
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
  // Of one that is interrupted, nothing more goes.
  while (!complete_directories_.empty() && !woken_) {
    OpenDirectory directory = std::move(complete_directories_.front());
    complete_directories_.pop_front();
    if (directory.known != nullptr) {
      lock.unlock();
      remove_surplus(directory);
      lock.lock();
    }
    // The names in it are on disk only when it is, whosever its time.
    const bool syncs = options_.sync && !directory.failed;
    if (!directory.sets_time && !syncs) continue;
    lock.unlock();
    const auto set = [&]() -> Result<void> {
      WH_ASSIGN(const auto handle, tree_->open(directory.node));
      WH_TRY(set_metadata(directory, *handle));
      return syncs ? handle->sync() : Result<void>();
    }();
    if (!set.has_value()) {
      report(DirectoryTree::path_of(directory.node->parent(), directory.name), set.error());
    }
    lock.lock();
  }
  closing_directories_ = false;
}

Result<void> TreeBuilder::check_is_itself(const OpenDirectory& directory,
                                          const platform::Directory& handle,
                                          std::string_view operation, const std::string& object) {
  if (directory.node->parent() == nullptr) return {};  // its handle is kept
  WH_ASSIGN(const auto now, handle.status());
  if (now.id() == directory.id) return {};
  return fail({.code = Code::kChanged,
               .operation = std::string(operation),
               .object = object,
               .detail = "another directory took its place meanwhile",
               .advice = "run the same command again"});
}

Result<void> TreeBuilder::set_metadata(const OpenDirectory& directory,
                                       const platform::Directory& handle) {
  const bool is_root = directory.node->parent() == nullptr;
  if (options_.keeps.archive) {
    WH_TRY(check_is_itself(directory, handle, "set the owner and mode of", directory.name));
  }
  if (directory.sets_mode) {
    const auto others =
        options_.overwrite ? ArchiveKeeper::Others::kGo : ArchiveKeeper::Others::kStay;
    const std::string path =
        is_root ? shown_root() : DirectoryTree::path_of(directory.node->parent(), directory.name);
    WH_TRY(handle.set_mode(keeper_.keep(handle, directory.archived.get(),
                                        received_mode(directory.mode), path, others)));
  }
  if (!directory.sets_time) return {};
  const auto timed =
      handle.set_modified(directory.modified, keeper_.accessed(directory.archived.get()));
  return directory.may_refuse_time ? Result<void>() : timed;
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

bool TreeBuilder::is_woken() const {
  std::scoped_lock lock(mutex_);
  return woken_;
}

void TreeBuilder::wake_all() {
  std::scoped_lock lock(mutex_);
  woken_ = true;
  announced_.notify_all();
  room_.notify_all();
  local_work_.stop();
}

void TreeBuilder::abandon(bool keeps_partials, bool is_disk_doubtful) {
  std::scoped_lock lock(mutex_);
  for (auto& [id, file] : files_) {
    if (keeps_partials) {
      counters_.kept_bytes += file->suspend(*tree_, is_disk_doubtful);
    } else {
      file->abandon(*tree_);
    }
  }
  files_.clear();
}

}  // namespace wormhole::transfer
