// One file on its way in: ranges claimed as they arrive, written to a partial, published when
// every one was opened and written. Never by a message that says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/range_set.h"
#include "platform/file_system.h"
#include "store/partial_journal.h"
#include "store/place.h"
#include "transfer/cache_speed.h"
#include "transfer/directory_tree.h"
#include "transfer/former_names.h"
#include "transfer/resumed_partial.h"
#include "wire/messages.h"

namespace wormhole::transfer {

class ArchiveKeeper;

// Separate ranges of one file at once: every stream has one segment in hand, plus as many that
// were given back half sent.
inline constexpr std::size_t kRangesMax = 16 * kStreamsMax;

// What an earlier run left is fetched anew as a whole when more separate ranges of it than this are
// damaged. Together with what is under way they must stay below the limit above.
inline constexpr std::size_t kDamagedRangesMax = kRangesMax / 4;

// How a finished file is put in place.
struct PublishRules {
  bool overwrite = false;
  bool sync = false;         // --fsync: data on disk before the name
  bool is_recorded = false;  // place() will be asked for
  bool flushes_all = false;  // small files as well: the destination finds_room_late()
  // Files changed since then by anyone, this run included, are not replaced even so: two
  // entries whose names collide here, or another program's work.
  platform::Timestamp started;
  // But for those whose change was that this run took one of their names.
  std::shared_ptr<FormerNames> former = std::make_shared<FormerNames>();
  // Of more than mode and time. Null: nothing else was asked for.
  ArchiveKeeper* keeper = nullptr;
};

// The mode a received file or directory gets: set-user-ID and set-group-ID are dropped
// (threat 16), the rest is kept.
[[nodiscard]] std::uint32_t received_mode(std::uint32_t mode);

class TakenFile {
 public:
  // What is more than `cached_max_bytes` does not stay in the system's cache. `cache`: of all files
  // of a transfer; outlives this.
  TakenFile(std::uint64_t id, std::uint64_t parent, NodePtr directory, wire::Entry entry,
            std::uint64_t cached_max_bytes, CacheSpeed& cache)
      : id_(id),
        parent_(parent),
        directory_(std::move(directory)),
        entry_(std::move(entry)),
        cached_max_bytes_(cached_max_bytes),
        cache_(cache) {}

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::uint64_t parent() const { return parent_; }
  [[nodiscard]] std::uint64_t size() const { return entry_.size; }
  [[nodiscard]] std::uint32_t cost() const { return entry_.cost(); }
  [[nodiscard]] const NodePtr& directory() const { return directory_; }
  [[nodiscard]] const std::string& name() const { return entry_.name; }
  [[nodiscard]] platform::Timestamp modified() const;
  [[nodiscard]] const wire::Archived* archived() const { return entry_.archived.get(); }
  // What is already there of it is read past the system's cache.
  [[nodiscard]] bool is_uncached() const { return entry_.size > cached_max_bytes_; }
  [[nodiscard]] bool is_sparse() const { return entry_.sparse; }
  // As it is to be here.
  [[nodiscard]] std::uint32_t mode() const { return received_mode(entry_.mode); }
  // More than one name of it may be announced.
  [[nodiscard]] bool has_other_names() const { return entry_.names > 1; }
  [[nodiscard]] std::string path() const { return DirectoryTree::path_of(directory_, entry_.name); }

  // Goes on with what an earlier run left of the same version, if anything: true, and missing()
  // says what is to be asked for. Before any range is claimed.
  [[nodiscard]] Result<bool> resume(DirectoryTree& tree);
  [[nodiscard]] std::vector<RangeSet::Range> missing() const { return missing(0, size()); }
  // What of [offset, offset + length) nobody has claimed.
  [[nodiscard]] std::vector<RangeSet::Range> missing(std::uint64_t offset,
                                                     std::uint64_t length) const;
  // So many separate ranges may be claimed, instead of kRangesMax.
  void allow_ranges(std::size_t ranges_max);
  // Separate ranges that were claimed.
  [[nodiscard]] std::size_t ranges() const;
  // After resume() was true, by one thread: compares a part of what was left with its journal.
  // `buffer`: a block.
  struct Checked {
    std::int64_t intact_bytes = 0;              // so many more are there (or, all in all, fewer)
    bool complete = false;                      // it was the last range: this thread publishes
    bool over = false;                          // nothing is left to compare
    std::vector<RangeSet::Range> damaged = {};  // when over: to be asked for as well
  };
  [[nodiscard]] Checked check_some(MutableBytes buffer);

  // Reserves a range before it is written. kProtocol when it is outside the file or was there
  // before: then nothing of it may be written.
  [[nodiscard]] Result<void> claim(std::uint64_t offset, std::uint64_t length);
  // A claimed range that arrived damaged: it may come once more. kChanged when it did already.
  [[nodiscard]] Result<void> unclaim(std::uint64_t offset, std::uint64_t length);

  // Writes a claimed range, making the partial at the first call. True: that was the last one,
  // this thread publishes. Thread-safe for separate ranges.
  [[nodiscard]] Result<bool> write(DirectoryTree& tree, Bytes data, std::uint64_t offset);
  // Makes a range share the blocks of `source` from `place` on, and claims it: it may be skipped.
  // False where that cannot be done, a part of it was claimed already, an earlier run's journal may
  // speak of it, or `is_right` says afterwards that it must not stay. All in whole
  // kSharedUnitBytes.
  [[nodiscard]] Result<bool> share(DirectoryTree& tree, const platform::File& source,
                                   std::uint64_t place, const RangeSet::Range& range,
                                   const std::function<bool()>& is_right);
  // The same as write() for a claimed range of zeros.
  [[nodiscard]] Result<bool> leave_empty(DirectoryTree& tree, std::uint64_t offset,
                                         std::uint64_t length);
  // The same for one that is there already: shared.
  [[nodiscard]] Result<bool> skip(DirectoryTree& tree, std::uint64_t length);

  // So many bytes will be copied within the file once all else of it is there, which is to be asked
  // after this. Any thread may ask; each moment at which it becomes true is seen by the thread that
  // wrote last.
  void expect_rest(std::uint64_t bytes) { rest_bytes_ = bytes; }
  [[nodiscard]] bool lacks_only_rest() const {
    return rest_bytes_ != 0 && written_bytes_ + rest_bytes_ >= entry_.size;
  }
  // Of what was written. False: it cannot be read.
  [[nodiscard]] bool read_back(DirectoryTree& tree, std::uint64_t offset, MutableBytes out);

  // A file waits to become a clone of this one, and a clone waits until what it shares is on disk:
  // what is written from now on goes there at once. Any thread.
  void expect_clone() { is_to_be_cloned_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool is_to_be_cloned() const {
    return is_to_be_cloned_.load(std::memory_order_relaxed);
  }

  // Nothing stands there, nor a partial of it. Before any other thread knows of this one.
  void expect_nothing_there() { is_new_ = true; }
  // What stands there is what is left of this very file. Likewise.
  void may_replace() { may_replace_ = true; }
  [[nodiscard]] bool replaces_its_own() const { return may_replace_; }
  // It will be given to that user: a partial of his is one that an earlier run was about to put in
  // place. Likewise.
  void will_be_given_to(std::uint32_t owner) { owner_ = owner; }
  // Mode, time and the final name. kExists when a different file is there (and is kept). The
  // partial is gone either way.
  [[nodiscard]] Result<void> publish(DirectoryTree& tree, const PublishRules& rules);
  // Where it stands, after publish(); nullopt where that cannot be told, or is of no use to others.
  [[nodiscard]] std::optional<store::Place> place(DirectoryTree& tree,
                                                  const PublishRules& rules) const;
  // Removes the partial, unless it was published. Any thread, also while others write.
  void abandon(DirectoryTree& tree);
  // The same when nobody writes or compares any more, but what another run can go on with stays;
  // returns how many bytes of that the next run will find noted. `is_doubtful`: the disk failed, so
  // that it has to look at all of it.
  std::uint64_t suspend(DirectoryTree& tree, bool is_doubtful);

  // Data has begun to arrive; an earlier run began it (guarded by the tree builder's mutex).
  bool begun = false;
  bool was_resumed = false;
  std::size_t asked_ranges = 0;  // likewise: of what is missing, one by one

 private:
  using FilePtr = std::shared_ptr<const platform::File>;
  [[nodiscard]] bool is_resumable() const {
    return entry_.version != 0 && entry_.size >= kResumableMinBytes;
  }
  [[nodiscard]] Result<store::JournalHeader> journal_header(const platform::Directory& directory,
                                                            const platform::File& partial) const;
  // What has been written is noted in the journal.
  void note(const platform::File& file, Bytes data, std::uint64_t offset);
  // One stands in the partial.
  [[nodiscard]] bool has_journal();
  // By its name: what was given away already is made anew.
  [[nodiscard]] Result<platform::File> open_by_name(const platform::Directory& directory,
                                                    platform::Contents contents) const;
  // It comes in one piece: nobody would go on with a part of it, so nobody need find it.
  [[nodiscard]] bool may_be_nameless() const {
    return is_new_ && entry_.size <= kPackedFileMaxBytes && !entry_.sparse;
  }
  // Null when the file was abandoned: what still arrives is thrown away.
  Result<FilePtr> open_partial(DirectoryTree& tree);
  // A new one: its length, and where its journal is kept.
  Result<void> prepare(const platform::Directory& directory, const platform::File& partial);
  [[nodiscard]] Result<void> set_length(const platform::File& partial) const;
  Result<void> write_to(const platform::File& file, Bytes data, std::uint64_t offset,
                        bool uncached);
  [[nodiscard]] bool has_mode(std::uint32_t mode) const;
  // Mode, time and whatever else is kept; on disk where that is asked for.
  Result<void> finish(const PublishRules& rules) const;
  Result<void> put_in_place(const platform::Directory& directory, const PublishRules& rules);
  // kExists when the name is taken.
  Result<void> give_final_name(const platform::Directory& directory, const PublishRules& rules);
  // A nameless one gets the partial's name, where need be by becoming a copy of itself.
  Result<void> become_named(const platform::Directory& directory, const PublishRules& rules);
  bool written(std::uint64_t length) { return (written_bytes_ += length) == entry_.size; }

  const std::uint64_t id_;
  const std::uint64_t parent_;
  const NodePtr directory_;
  const wire::Entry entry_;
  const std::uint64_t cached_max_bytes_;
  CacheSpeed& cache_;
  bool is_new_ = false;
  bool may_replace_ = false;
  std::optional<std::uint32_t> owner_;  // will_be_given_to()

  mutable std::mutex mutex_;              // claims, the partial's making, publishing and end
  bool writes_uncached_ = is_uncached();  // by what is to come, not by what is there
  RangeSet claimed_{kRangesMax};
  RangeSet repeated_{kRangesMax};
  // Taken last; not held while others write the journal.
  std::mutex journal_mutex_;
  std::optional<store::JournalWriter> journal_;
  // The checking thread's, once resume() has returned.
  std::unique_ptr<ResumedPartial> resumed_;
  RangeSet damaged_{kDamagedRangesMax};
  std::uint64_t intact_bytes_ = 0;
  std::optional<platform::FileStatus> published_;
  FilePtr partial_;  // writers hold a reference of their own
  bool is_nameless_ = false;
  bool is_old_ = false;  // an earlier run may have left in it what it did not note
  bool abandoned_ = false;
  std::atomic<bool> is_to_be_cloned_ = false;
  std::atomic<std::uint64_t> written_bytes_ = 0;
  std::atomic<std::uint64_t> rest_bytes_ = 0;   // expect_rest()
  std::atomic<std::uint64_t> noted_bytes_ = 0;  // in the journal
};
using TakenFilePtr = std::shared_ptr<TakenFile>;

[[nodiscard]] platform::Timestamp modified_of(const wire::Entry& entry);
// Same size and modification time: the quick check.
[[nodiscard]] bool looks_equal(const wire::Entry& entry, const platform::FileStatus& status);

}  // namespace wormhole::transfer
