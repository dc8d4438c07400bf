#include "transfer/taken_file.h"

#include <array>
#include <chrono>

#include "base/check.h"
#include "base/limits.h"
#include "store/hash.h"
#include "transfer/archive_keeper.h"

namespace wormhole::transfer {
namespace {

constexpr std::uint32_t kSetIdBits = 06000;

Error refused_range(std::string path, std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "receive",
          .object = std::move(path),
          .detail = std::string(why)};
}

// As the kernel stamps files.
std::uint32_t seconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now).count());
}

using PortionBytes = std::array<std::byte, store::kJournalPortionMaxBytes>;

void write_journal(const platform::File& partial, const store::JournalWriter::Portion& portion) {
  // What it would have said is fetched once more: no reason to stop. (A full disk says so to the
  // data as well.)
  if (!portion.bytes.empty()) {
    static_cast<void>(partial.write_at(portion.bytes, portion.offset));
  }
}

}  // namespace

std::uint32_t received_mode(std::uint32_t mode) { return mode & 07777 & ~kSetIdBits; }

platform::Timestamp modified_of(const wire::Entry& entry) {
  return {entry.mtime_seconds, entry.mtime_nanoseconds};
}

bool looks_equal(const wire::Entry& entry, const platform::FileStatus& status) {
  return status.type == platform::FileType::kRegular && status.size_bytes == entry.size &&
         status.modified == modified_of(entry);
}

Result<void> TakenFile::claim(std::uint64_t offset, std::uint64_t length) {
  if (length == 0 || offset >= entry_.size || length > entry_.size - offset) {
    return fail(refused_range(path(), "the other side sent bytes outside the file"));
  }
  std::scoped_lock lock(mutex_);
  switch (claimed_.add(offset, length)) {
    case RangeSet::Added::kOk:
      return {};
    case RangeSet::Added::kOverlaps:
      return fail(refused_range(path(), "the other side sent the same bytes twice"));
    case RangeSet::Added::kTooMany:
      break;
  }
  return fail(refused_range(path(), "the other side sent too many scattered pieces"));
}

Result<void> TakenFile::unclaim(std::uint64_t offset, std::uint64_t length) {
  std::scoped_lock lock(mutex_);
  claimed_.remove(offset, length);
  if (repeated_.add(offset, length) != RangeSet::Added::kOk) {
    return fail({.code = Code::kChanged,
                 .operation = "receive",
                 .object = path(),
                 .detail = "unencrypted data arrived damaged twice",
                 .advice = "the link damages data or the file changes: fetch it encrypted"});
  }
  return {};
}

Result<TakenFile::FilePtr> TakenFile::open_partial(DirectoryTree& tree) {
  if (abandoned_ || partial_ != nullptr) return partial_;
  WH_ASSIGN(const auto directory, tree.open(directory_));
  if (may_be_nameless()) {
    if (auto nameless = directory->make_nameless(mode())) {
      is_nameless_ = true;
      partial_ = std::make_shared<const platform::File>(std::move(*nameless));
      return partial_;
    }
  }
  WH_ASSIGN(auto file, open_by_name(*directory, platform::Contents::kDrop));
  const auto prepared = prepare(*directory, file);
  if (!prepared.has_value()) {
    static_cast<void>(directory->remove_file(store::partial_name(entry_.name)));
    return fail(prepared.error());
  }
  partial_ = std::make_shared<const platform::File>(std::move(file));
  return partial_;
}

// Between its owner and its name a file can be left by a run that is killed: it is whole then, but
// nothing in it says so.
Result<platform::File> TakenFile::open_by_name(const platform::Directory& directory,
                                               platform::Contents contents) const {
  const std::string name = store::partial_name(entry_.name);
  auto opened = directory.open_partial(name, contents);
  if (opened.has_value() || opened.error().code != Code::kUnsafeName || !owner_.has_value()) {
    return opened;
  }
  const auto there = directory.status_of(name);
  const bool was_given_away = there.has_value() && there->type == platform::FileType::kRegular &&
                              there->links == 1 && there->owner == *owner_;
  // Only its name goes: had somebody else put it there, nothing is written to it.
  if (!was_given_away || !directory.remove_file(name).has_value()) return opened;
  return directory.open_partial(name, contents);
}

bool TakenFile::read_back(DirectoryTree& tree, std::uint64_t offset, MutableBytes out) {
  FilePtr file;
  {
    std::scoped_lock lock(mutex_);
    const auto opened = open_partial(tree);
    if (!opened.has_value() || *opened == nullptr) return false;
    file = *opened;
  }
  const auto got = file->read_at(out, offset);
  return got.has_value() && *got == out.size();
}

Result<void> TakenFile::prepare(const platform::Directory& directory,
                                const platform::File& partial) {
  if (entry_.size > kBlockBytes || entry_.sparse) WH_TRY(set_length(partial));
  if (!is_resumable()) return {};
  WH_ASSIGN(const auto header, journal_header(directory, partial));
  std::scoped_lock journal_lock(journal_mutex_);
  journal_.emplace(header, 0);
  return {};
}

Result<void> TakenFile::set_length(const platform::File& partial) const {
  // The journal will be cut off its end.
  const bool will_be_cut = is_resumable() && !entry_.sparse;
  return will_be_cut ? partial.preallocate(entry_.size) : partial.truncate(entry_.size);
}

Result<store::JournalHeader> TakenFile::journal_header(const platform::Directory& directory,
                                                       const platform::File& partial) const {
  WH_ASSIGN(const auto status, partial.status());
  return store::JournalHeader{
      .source = {entry_.size, entry_.version}, .mount = directory.mount_id(), .file = status.id()};
}

Result<bool> TakenFile::resume(DirectoryTree& tree) {
  if (!is_resumable()) return false;
  const std::string name = store::partial_name(entry_.name);
  WH_ASSIGN(const auto directory, tree.open(directory_));
  const auto there = directory->status_of(name);
  if (!there.has_value() || there->size_bytes <= store::journal_offset(entry_.size)) return false;
  WH_ASSIGN(auto opened, open_by_name(*directory, platform::Contents::kKeep));
  if (is_uncached()) opened.keep_cache_as_found();
  auto file = std::make_shared<const platform::File>(std::move(opened));
  WH_ASSIGN(const auto now, journal_header(*directory, *file));
  WH_ASSIGN(resumed_, ResumedPartial::open(file, now));
  if (resumed_ == nullptr || resumed_->held().total_bytes() == 0) {
    resumed_.reset();
    return false;
  }
  std::scoped_lock lock(mutex_);
  partial_ = std::move(file);
  is_old_ = true;
  noted_bytes_ = resumed_->held().total_bytes();
  writes_uncached_ = entry_.size - noted_bytes_ > cached_max_bytes_;
  for (const auto& range : resumed_->held().all()) {
    WH_CHECK(claimed_.add(range.offset, range.length) == RangeSet::Added::kOk);
  }
  std::scoped_lock journal_lock(journal_mutex_);
  journal_.emplace(now, resumed_->records());
  return true;
}

std::vector<RangeSet::Range> TakenFile::missing(std::uint64_t offset, std::uint64_t length) const {
  std::scoped_lock lock(mutex_);
  return claimed_.missing(offset, offset + length);
}

void TakenFile::allow_ranges(std::size_t ranges_max) {
  std::scoped_lock lock(mutex_);
  claimed_.allow_ranges(ranges_max);
}

std::size_t TakenFile::ranges() const {
  std::scoped_lock lock(mutex_);
  return claimed_.ranges();
}

platform::Timestamp TakenFile::modified() const { return modified_of(entry_); }

TakenFile::Checked TakenFile::check_some(MutableBytes buffer) {
  const auto next = resumed_->check_next(buffer);
  if (next.has_value() && next->is_intact) {
    intact_bytes_ += next->range.length;
    const bool complete = written(next->range.length);
    // Then nothing is left to compare either: what was not would not count.
    if (complete) resumed_.reset();
    return {.intact_bytes = static_cast<std::int64_t>(next->range.length),
            .complete = complete,
            .over = complete};
  }
  if (next.has_value() &&
      damaged_.add(next->range.offset, next->range.length) == RangeSet::Added::kOk) {
    return {};
  }
  Checked end{.over = true, .damaged = damaged_.all()};
  std::scoped_lock lock(mutex_);
  if (!next.has_value() && damaged_.total_bytes() == 0) {
    // Another thread may have put it in place meanwhile.
    if (partial_ != nullptr && has_journal()) resumed_->confirm();
  }
  if (next.has_value()) {
    // Damaged all over: the whole of it comes anew, in few ranges.
    end.damaged = resumed_->held().all();
    end.intact_bytes = -static_cast<std::int64_t>(intact_bytes_);
    written_bytes_ -= intact_bytes_;
  }
  for (const auto& range : end.damaged) {
    claimed_.remove(range.offset, range.length);
    noted_bytes_ -= range.length;
  }
  writes_uncached_ = entry_.size - noted_bytes_ > cached_max_bytes_;
  resumed_.reset();
  return end;
}

Result<bool> TakenFile::write(DirectoryTree& tree, Bytes data, std::uint64_t offset) {
  FilePtr file;
  bool uncached = false;
  {
    std::scoped_lock lock(mutex_);
    WH_ASSIGN(file, open_partial(tree));
    uncached = writes_uncached_;
  }
  if (file == nullptr) return false;
  WH_TRY(write_to(*file, data, offset, uncached));
  if (is_resumable()) note(*file, data, offset);
  return written(data.size());
}

Result<void> TakenFile::write_to(const platform::File& file, Bytes data, std::uint64_t offset,
                                 bool uncached) {
  if (uncached) return file.write_uncached_at(data, offset);
  if (entry_.size < kPastCacheMinBytes) return file.write_at(data, offset);
  if (cache_.is_slow()) {
    WH_ASSIGN(const bool is_written, file.try_write_uncached_at(data, offset));
    return is_written ? Result<void>() : file.write_at(data, offset);
  }
  const TimePoint since = cache_.now();
  WH_TRY(file.write_at(data, offset));
  cache_.on_written(data.size(), since);
  if (is_to_be_cloned()) file.begin_write_back(offset, data.size());
  return {};
}

void TakenFile::note(const platform::File& file, Bytes data, std::uint64_t offset) {
  const store::JournalRecord record{.offset = offset,
                                    .length = static_cast<std::uint32_t>(data.size()),
                                    .checksum = store::checksum(data, offset)};
  PortionBytes bytes;
  store::JournalWriter::Portion portion{};
  noted_bytes_ += data.size();
  {
    std::scoped_lock lock(journal_mutex_);
    const std::uint32_t now = seconds_now();
    if (!journal_->add(record, now)) return;
    portion = journal_->take(bytes, now);
  }
  write_journal(file, portion);
}

bool TakenFile::has_journal() {
  std::scoped_lock lock(journal_mutex_);
  return journal_.has_value() && journal_->is_begun();
}

Result<bool> TakenFile::share(DirectoryTree& tree, const platform::File& source,
                              std::uint64_t place, const RangeSet::Range& range,
                              const std::function<bool()>& is_right) {
  std::scoped_lock lock(mutex_);
  if (is_old_ ||
      claimed_.missing(range.offset, range.offset + range.length) != std::vector{range}) {
    return false;
  }
  WH_ASSIGN(const auto file, open_partial(tree));
  if (file == nullptr) return false;
  return file->clone_range(source, place, range.offset, range.length) && is_right() &&
         claimed_.add(range.offset, range.length) == RangeSet::Added::kOk;
}

Result<bool> TakenFile::leave_empty(DirectoryTree& tree, std::uint64_t offset,
                                    std::uint64_t length) {
  FilePtr file;
  bool is_old = false;
  {
    std::scoped_lock lock(mutex_);
    WH_ASSIGN(file, open_partial(tree));
    is_old = is_old_;
  }
  if (file == nullptr) return false;
  if (is_old) WH_TRY(file->clear(offset, length));
  return written(length);
}

Result<bool> TakenFile::skip(DirectoryTree& tree, std::uint64_t length) {
  std::scoped_lock lock(mutex_);
  WH_ASSIGN(const auto file, open_partial(tree));
  return file != nullptr && written(length);
}

Result<void> TakenFile::publish(DirectoryTree& tree, const PublishRules& rules) {
  std::scoped_lock lock(mutex_);
  WH_ASSIGN(const auto file, open_partial(tree));  // an empty file has had no range
  if (file == nullptr) return {};
  if (rules.flushes_all || entry_.size > kPackedFileMaxBytes) WH_TRY(file->flush());
  if (has_journal()) {
    // Last of all that may fail for want of room or be interrupted: until then the next run can go
    // on with it.
    if (rules.sync) WH_TRY(file->sync());
    WH_TRY(file->truncate(entry_.size));
    std::scoped_lock journal_lock(journal_mutex_);
    journal_.reset();
  }
  WH_TRY(finish(rules));
  WH_ASSIGN(const auto directory, tree.open(directory_));
  std::optional<platform::FileStatus> written;
  if (rules.is_recorded && entry_.size >= kReusableMinBytes) {
    WH_ASSIGN(written, partial_->status());
  }
  WH_TRY(put_in_place(*directory, rules));
  if (written.has_value()) {
    // After the renaming, which counts as a change. What somebody else changed at once under the
    // new name is not what was fetched.
    const auto status = partial_->status();
    if (status.has_value() && status->size_bytes == written->size_bytes &&
        status->modified == written->modified) {
      published_ = *status;
    }
  }
  partial_.reset();
  return {};
}

Result<void> TakenFile::finish(const PublishRules& rules) const {
  std::uint32_t mode = this->mode();
  std::optional<platform::Timestamp> accessed;
  if (rules.keeper != nullptr) {
    mode = rules.keeper->keep(*partial_, entry_.archived.get(), mode, path());
    accessed = rules.keeper->accessed(entry_.archived.get());
  }
  if (!has_mode(mode)) WH_TRY(partial_->set_mode(mode));
  WH_TRY(partial_->set_modified(modified_of(entry_), accessed));
  return rules.sync ? partial_->sync() : Result<void>();
}

// To look costs less than a change that is none.
bool TakenFile::has_mode(std::uint32_t mode) const {
  if (!is_nameless_) return false;  // 0600 until now
  const auto status = partial_->status();
  return status.has_value() && status->mode == mode;
}

std::optional<store::Place> TakenFile::place(DirectoryTree& tree, const PublishRules& rules) const {
  std::scoped_lock lock(mutex_);
  if (!published_.has_value()) return std::nullopt;
  const auto directory = tree.open(directory_);
  if (!directory.has_value()) return std::nullopt;
  platform::FileStatus status = *published_;
  if (has_other_names()) {
    // Those that were made since then are a change of the file.
    const auto now = (*directory)->status_of(entry_.name);
    if (now.has_value() && now->inode == status.inode) status.changed = now->changed;
  }
  auto place = store::place_of(**directory, entry_.name, status);
  if (!place.has_value()) return std::nullopt;
  if (!rules.sync) place->mount = (*directory)->mount_id();
  // Where it could not be told when it is not safe any more, nothing rests on a word alone.
  if (rules.sync || place->mount != 0) place->version = entry_.version;
  return place;
}

Result<void> TakenFile::put_in_place(const platform::Directory& directory,
                                     const PublishRules& rules) {
  auto published = give_final_name(directory, rules);
  if (published.has_value() || published.error().code != Code::kExists) return published;

  const auto there = directory.status_of(entry_.name);
  if (there.has_value() && rules.former->is_since(*there, rules.started)) {
    return fail({.code = Code::kExists,
                 .operation = "put in place",
                 .object = path(),
                 .detail = "a file of that name was made since this transfer began: another "
                           "program, or two names that are one on this file system",
                 .advice = "look at it, then run the same command again"});
  }
  if (!rules.overwrite && !may_replace_) {
    return fail({.code = Code::kExists,
                 .operation = "put in place",
                 .object = path(),
                 .detail = "a different file is there",
                 .advice = "use --overwrite to replace it"});
  }
  if (there.has_value()) rules.former->on_replace(*there);
  if (is_nameless_) WH_TRY(become_named(directory, rules));
  return directory.publish(store::partial_name(entry_.name), entry_.name, platform::Replace::kYes);
}

Result<void> TakenFile::give_final_name(const platform::Directory& directory,
                                        const PublishRules& rules) {
  if (is_nameless_) {
    WH_ASSIGN(const bool is_named, directory.give_name(*partial_, entry_.name));
    if (is_named) return {};
    WH_TRY(become_named(directory, rules));
  }
  return directory.publish(store::partial_name(entry_.name), entry_.name, platform::Replace::kNo);
}

Result<void> TakenFile::become_named(const platform::Directory& directory,
                                     const PublishRules& rules) {
  std::vector<std::byte> contents(entry_.size);
  WH_ASSIGN(const std::size_t got, partial_->read_at(contents, 0));
  WH_ASSIGN(auto named, open_by_name(directory, platform::Contents::kDrop));
  partial_ = std::make_shared<const platform::File>(std::move(named));
  is_nameless_ = false;
  WH_TRY(partial_->write_at(Bytes(contents).first(got), 0));
  if (rules.flushes_all) WH_TRY(partial_->flush());
  return finish(rules);
}

void TakenFile::abandon(DirectoryTree& tree) {
  std::scoped_lock lock(mutex_);
  abandoned_ = true;
  if (partial_ == nullptr) return;
  const auto directory = tree.open(directory_);
  if (directory.has_value() && !is_nameless_) {
    // Nothing to tell when that fails: the next run takes the partial over.
    static_cast<void>((*directory)->remove_file(store::partial_name(entry_.name)));
  }
  partial_.reset();
}

std::uint64_t TakenFile::suspend(DirectoryTree& tree, bool is_doubtful) {
  {
    std::scoped_lock lock(mutex_);
    if (partial_ == nullptr) return 0;
    if (journal_.has_value()) {
      PortionBytes bytes;
      std::scoped_lock journal_lock(journal_mutex_);
      write_journal(*partial_, journal_->take(bytes, seconds_now()));
      if (is_doubtful && journal_->is_begun()) {
        static_cast<void>(set_journal_mount(*partial_, journal_->header(), 0));
      }
    }
    if (has_journal()) {
      abandoned_ = true;
      partial_.reset();
      resumed_.reset();
      return noted_bytes_;
    }
  }
  abandon(tree);
  return 0;
}

}  // namespace wormhole::transfer
