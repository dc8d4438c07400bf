// The taking side's picture of one request: what was announced, what has arrived, and the tree
// it becomes on disk.
//
// on_entries() and on_listed() are called by the thread that reads the first connection, in
// order; the data calls by any stream's thread. A stream may be ahead of the announcements: its
// call waits for the entry. One mutex for the tables, never held over file I/O; each file has
// its own. Tables are bounded by the credit: what a giver announces beyond it is kProtocol.
//
// Errors returned here end the session: the peer broke the protocol (kProtocol, kUnsafeName), or
// this machine cannot go on (kNoSpace, kLocalIo). What concerns one entry is counted, reported
// by TakerEvents, and the rest goes on.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "store/index.h"
#include "transfer/archive_keeper.h"
#include "transfer/destination.h"
#include "transfer/directory_tree.h"
#include "transfer/events.h"
#include "transfer/folded_names.h"
#include "transfer/former_names.h"
#include "transfer/hard_links.h"
#include "transfer/local_work.h"
#include "transfer/present.h"
#include "transfer/reconstruction.h"
#include "transfer/selector.h"
#include "transfer/shown_deletions.h"
#include "transfer/surplus.h"
#include "transfer/taken_file.h"
#include "transfer/told_chunks.h"
#include "wire/messages.h"

namespace wormhole::transfer {

struct TakeOptions {
  Destination destination = {};
  bool overwrite = false;
  Leaves leaves = Leaves::kNone;
  // What was changed since then, by whomever, is never replaced. One for all attempts of a run.
  platform::Timestamp started = platform::stamp_now();
  std::shared_ptr<FormerNames> former = std::make_shared<FormerNames>();
  bool sync = false;
  // An earlier attempt of this run made the root: its mode and time are ours to set.
  bool owns_root = false;
  // The giver waits for Want: compare with what is there first.
  bool may_have = false;
  // The last part of the path that was asked for: the only name the root may have. Empty:
  // everything was, and the host names it.
  std::string requested_name = {};
  // A file that looks equal is compared by its content.
  bool checksum = false;
  // What stands in its directories and is not at the giver goes.
  bool may_delete = false;
  // Nothing else goes, and is reported. Null: anything does.
  std::shared_ptr<ShownDeletions> shown_deletions = nullptr;
  std::string shown_place = {};  // what this is there
  // What is there stays as it is in every respect, directories' modes and times included.
  bool only_adds = false;
  // Of a file that is there in another version, only what is different is asked for.
  bool reuse = true;
  // Of files that were fetched before, wherever they are now. Null: there is none. Outlives the
  // transfer.
  store::Index* index = nullptr;
  // Of its files only those whose path begins so are used.
  std::string index_below = {};
  // What of it is meant. The host goes by the same, and one that does not is not trusted.
  wire::Selection selection = {};
  // More than modes and times.
  wire::Keeps keeps = {};
  // What has more than this of it still to come is written past the system's cache
  // (platform::File::write_uncached_at).
  std::uint64_t cached_file_max_bytes = UINT64_MAX;

  [[nodiscard]] PresentRules present_rules() const {
    return {.overwrite = overwrite,
            .leaves = leaves,
            .reuse = reuse,
            .sync = sync,
            .only_adds = only_adds};
  }
};

// Files given up are remembered so that their late data is no offence; a host that makes us give
// up more than this is not worth talking to.
inline constexpr std::size_t kGivenUpMax = 1'000'000;

// Sizes of files in place whose copies are recognised.
inline constexpr std::size_t kOriginalsMax = kOpenEntriesMax;

// No further file is looked at while so many ranges are awaited of those before: a giver keeps
// kOpenEntriesMax of them, and a single file may add less than half of that.
inline constexpr std::size_t kAskedRangesMax = kOpenEntriesMax / 4;

class TreeBuilder {
 public:
  TreeBuilder(TakeOptions options, TakerEvents& events, TakenCounters& counters,
              const Clock& clock);
  ~TreeBuilder();
  TreeBuilder(const TreeBuilder&) = delete;
  TreeBuilder& operator=(const TreeBuilder&) = delete;

  // With may_have: what is to be asked for is appended to `wanted`.
  struct Wanted {
    std::vector<std::uint64_t> whole;  // ids
    // Without a request: of files that an earlier run began, or that are there in another version.
    std::vector<wire::WantRanges> parts;
    // For local_work(), once the giver was asked for all this: what that asks for comes after.
    std::vector<LocalWork> local = {};
    // Whose chunks are to be asked for at once, because others may have some of them.
    std::vector<std::uint64_t> chunks_of = {};
  };
  [[nodiscard]] Result<void> on_entries(const wire::Entries& entries, Wanted& wanted);
  [[nodiscard]] Result<void> on_listed(std::uint64_t entries);
  // Of a file of `chunks_of`, or of one that is worked on.
  [[nodiscard]] Result<void> on_chunks(const wire::Chunks& chunks);
  // The giver gave up a file, or could not announce one. Any stream.
  [[nodiscard]] Result<void> on_failed(const wire::Failed& failed, bool may_wait);

  // The file of an arriving frame. Null: data of a file that was given up, to be thrown away.
  // `may_wait` is false on the first connection, where announcements come in order.
  [[nodiscard]] Result<TakenFilePtr> find(std::uint64_t id, bool may_wait);
  // A range of a file, opened and authenticated.
  [[nodiscard]] Result<void> on_data(const TakenFilePtr& file, std::uint64_t offset, Bytes data);
  [[nodiscard]] Result<void> on_hole(const TakenFilePtr& file, std::uint64_t offset,
                                     std::uint64_t length);
  // An error of one file is reported and swallowed: its partial is removed, further data of it
  // thrown away. One that ends the session is passed on.
  [[nodiscard]] Result<void> absorb(const TakenFilePtr& file, Result<void> result);

  // What is to be done beside what arrives, by one thread: check_some() until that is false for a
  // file that was resumed, then rebuild_some() until it is over where there is a reconstruction.
  [[nodiscard]] LocalWorkQueue& local_work() { return local_work_; }
  // After the giver was told that the file is wanted in part.
  void begin_local_work(LocalWork work);
  // So many ranges of it were asked for by that thread.
  void asked_for(const TakenFilePtr& file, std::size_t ranges);
  // Put aside until the file that it borrows from is over, or all else of itself is there. False:
  // too many wait already that have begun to arrive.
  [[nodiscard]] bool wait_for_lender(const LocalWork& work);
  [[nodiscard]] bool may_wait_begun() const { return may_pause() && local_work_.may_wait_begun(); }
  // Waits while too many files stand half here, or in too many pieces: what is missing of those
  // must come at last.
  void wait_for_room();
  // There is room for another file that waits without that thread.
  [[nodiscard]] bool may_pause() const;
  // Compares what an earlier run left with its journal. `buffer`: a block. What turns out to be
  // damaged is put into `damaged` at the end.
  [[nodiscard]] Result<bool> check_some(const TakenFilePtr& file, MutableBytes buffer,
                                        std::vector<RangeSet::Range>& damaged);
  // `wanted`: Reconstruction::step().
  [[nodiscard]] Result<Reconstruction::Next> rebuild_some(const ReconstructionPtr& reconstruction,
                                                          std::vector<RangeSet::Range>& wanted);
  // Nobody gave it up, and it is not complete.
  [[nodiscard]] bool is_open(const TakenFilePtr& file) const;

  // Entries finished since the last call: credit to return.
  [[nodiscard]] std::uint32_t take_finished();
  // Files given up since the last call that the giver should stop sending.
  [[nodiscard]] std::vector<std::uint64_t> take_given_up();

  // Everything announced has been dealt with.
  [[nodiscard]] bool is_complete() const;
  // Where the root went; empty before it came.
  [[nodiscard]] std::string shown_root() const;
  // Removes what is half there, but for what another run can go on with if `keeps_partials`. No
  // data call may be running.
  void abandon(bool keeps_partials, bool is_disk_doubtful = false);
  void wake_all();

 private:
  struct OpenDirectory {
    NodePtr node;
    std::uint64_t parent = wire::kNoEntry;
    std::string name;
    std::uint32_t mode = 0;
    platform::Timestamp modified;
    std::shared_ptr<const wire::Archived> archived = nullptr;
    std::uint32_t cost = 1;  // of the credit
    // What was made, or was there: nothing else is given away.
    platform::FileId id;
    bool is_new = false;    // this run made it: nothing stood there, nor any partial
    bool sets_time = true;  // not of the virtual root, nor of the user's directory of one file
    bool sets_mode = true;  // nor of a DEST that was there: its mode is the user's choice
    bool may_refuse_time = false;  // a DEST that was there, perhaps another user's
    bool failed = false;
    bool ended = false;
    std::size_t depth = 0;                        // below the root
    std::uint64_t unfinished = 0;                 // entries directly in it
    std::unique_ptr<KnownNames> known = nullptr;  // where what is not among them goes
    MetFiles met = {};
  };

  // Waits (if it may) until the entry is announced; kProtocol when it never can be.
  Result<void> wait_for_entry(std::unique_lock<std::mutex>& lock, std::uint64_t id, bool may_wait);
  Result<void> on_entry(std::uint64_t id, const wire::Entry& entry, Wanted& wanted);
  [[nodiscard]] bool is_meant(const wire::Entry& entry, const std::string& path) const;
  Result<void> on_root(const wire::Entry& entry, Wanted& wanted);
  Result<void> on_directory(std::uint64_t id, const wire::Entry& entry, OpenDirectory& parent);
  // An entry that is not taken: reported. A directory stays known, for what is announced in it.
  Result<void> refuse(std::uint64_t id, const wire::Entry& entry, const OpenDirectory& parent,
                      const Error& error);
  Result<void> on_directory_end(std::uint64_t directory);
  Result<void> on_symlink(const wire::Entry& entry, OpenDirectory& parent);
  Result<void> on_regular(std::uint64_t id, const wire::Entry& entry, OpenDirectory& parent,
                          Wanted& wanted);
  // How a file is begun that may be here in part; true when `wanted` has it.
  Result<bool> begin_in_part(const TakenFilePtr& file, bool may_resume,
                             ReconstructionPtr reconstruction, std::uint64_t copy_of,
                             Wanted& wanted);
  Result<bool> resume(const TakenFilePtr& file);
  // A file that is not taken, and so none of its other names.
  Result<void> not_taken(std::uint64_t id, const wire::Entry& entry, const std::string& path,
                         const Error& why);
  // Others may have something of it, and it of them.
  void share(std::uint64_t id, const wire::Entry& entry, bool comes_by_itself, Wanted& wanted);
  // Another name of a file: made when that is in place (tree_builder_links.cc).
  Result<void> on_hard_link(const wire::Entry& entry, const OpenDirectory& parent);
  // The file is in place, or (nullopt) will not be: its other names that wait.
  Result<void> settle_links(std::uint64_t id, std::optional<HardLinks::Source> source);
  Result<void> finish_link(const HardLinks::Ready& ready);
  Result<void> make_link(const HardLinks::Ready& ready);
  void renew_place(const HardLinks::Source& source, const platform::FileStatus& status);
  Result<void> copy_data(const platform::File& from, const platform::File& to, std::uint64_t size);
  // What stands where another name is to go.
  Result<Judgement> judge_link(const HardLinks::Ready& ready, const Standing& standing,
                               const platform::Directory& directory);
  Result<bool> have_same_data(const platform::File& a, const platform::File& b, std::uint64_t size);
  // Opened by its name: it may have been changed since it was put in place.
  Result<platform::File> open_source(const HardLinks::Source& source);
  Result<void> match_copy(const HardLinks::Link& link, const HardLinks::Source& source);
  Result<void> copy_instead(const HardLinks::Link& link, const HardLinks::Source& source,
                            bool replaces);
  [[nodiscard]] std::optional<HardLinks::Source> link_source(const std::string& name,
                                                             const NodePtr& parent) const;
  // An entry that is there already, or that stays as it is.
  void skip(const wire::Entry& entry);
  Result<void> match_metadata(const wire::Entry& entry, const NodePtr& parent,
                              const platform::FileStatus& status);
  Result<void> match_open(const platform::File& file, const wire::Archived* archived,
                          std::uint32_t mode, const std::string& path);
  Result<void> match_symlink(const wire::Entry& entry, const platform::Directory& directory,
                             const std::string& path);
  // The giver has told of all that is in it: what else there is goes.
  void remove_surplus(OpenDirectory& directory);
  bool remove_one(const platform::Directory& parent, const std::string& name,
                  const std::string& path, const platform::FileStatus& status);
  // Whoever moved a directory here meanwhile has not lost what is in it.
  bool may_empty(const std::string& path, const platform::FileStatus& status);
  [[nodiscard]] bool is_woken() const;
  bool told_unshown_ = false;  // of whoever closes directories: one thread at a time
  // It was opened by its name once more, perhaps.
  static Result<void> check_is_itself(const OpenDirectory& directory,
                                      const platform::Directory& handle, std::string_view operation,
                                      const std::string& object);
  Result<void> set_metadata(const OpenDirectory& directory, const platform::Directory& handle);
  void leave(const wire::Entry& entry);
  // What stands there is the file already: its time is set.
  Result<void> keep(const Reconstruction& reconstruction);
  // The index knows that what stands there was fetched, and that nobody touched it since.
  [[nodiscard]] bool is_own(const wire::Entry& entry, const NodePtr& parent) const;
  // Of what stands there under that name; nullopt where that cannot be told.
  [[nodiscard]] std::optional<store::Place> place_in(const std::string& name,
                                                     const NodePtr& parent) const;
  // Null: it comes whole, whatever is there.
  ReconstructionPtr reconstruction_of(const TakenFilePtr& file, const wire::Entry& entry,
                                      Present present) const;
  // The same from a file that was fetched before and stands elsewhere.
  ReconstructionPtr reconstruction_from_elsewhere(const TakenFilePtr& file,
                                                  const wire::Entry& entry, Present present) const;
  Result<Standing> compare(const wire::Entry& entry, OpenDirectory& directory);
  Result<void> make_directory(OpenDirectory& made, const NodePtr& parent);
  Result<void> make_symlink(const wire::Entry& entry, OpenDirectory& in);

  // Something of the file arrives: kProtocol when too many are under way.
  Result<void> begin(const TakenFilePtr& file);
  // The same by ourselves: how many there are then; 0: it was counted before.
  std::size_t count_begun(const TakenFilePtr& file);
  Result<void> publish(const TakenFilePtr& file);
  void give_up(const TakenFilePtr& file, const Error& error);
  Result<void> entry_failed(const wire::Entry& entry, const std::string& path, const Error& error);
  void report(const std::string& path, const Error& error);
  // False when another thread did so already.
  bool forget(const TakenFilePtr& file);
  void release_copies_of(std::uint64_t original, std::uint64_t size_bytes);
  void remember(std::uint64_t id, const std::optional<store::Place>& place);
  // An entry directly in `parent` is dealt with; ends directories that are complete by it.
  // `cost`: what it took of the credit.
  void finished_in(std::uint64_t parent, std::uint32_t cost);
  void count_finished(std::uint32_t cost);    // with the mutex held
  void complete_directory(std::uint64_t id);  // likewise: if it is, and then those above
  void close_directories();

  const TakeOptions options_;
  const Result<Selector> selector_;
  TakerEvents& events_;
  TakenCounters& counters_;
  ArchiveKeeper keeper_;
  PublishRules rules_;

  std::unique_ptr<DirectoryTree> tree_;
  std::string shown_root_;
  bool refuses_hidden_ = false;  // the host's names land where the user stands

  CacheSpeed cache_speed_;
  LocalWorkQueue local_work_;
  ToldChunks told_chunks_;
  // Of files that are held back. The next three are the announcing thread's.
  bool shares_chunks_ = false;
  bool has_first_to_share_ = false;
  // The first file that may have something in common with those: it is not held back, and is asked
  // for its chunks when there is another.
  struct FirstToShare {
    std::uint64_t id;
    std::uint64_t size_bytes;
    std::uint64_t told_bytes = 0;
    bool is_asked = false;
  };
  std::optional<FirstToShare> first_to_share_;
  // Files in place of which others may be copies, by their sizes: the first of each.
  struct Original {
    std::uint64_t id;
    store::Place place;
  };
  std::unordered_map<std::uint64_t, Original> originals_;
  // Where an original came to nothing: the copy that was asked for in its place.
  std::unordered_map<std::uint64_t, std::uint64_t> successors_;
  mutable std::mutex mutex_;
  std::condition_variable announced_;
  std::uint64_t next_entry_ = 0;
  bool listed_ = false;
  bool woken_ = false;
  std::uint64_t open_entries_ = 0;  // announced, not finished, by their cost
  std::unordered_map<std::uint64_t, OpenDirectory> directories_;
  std::unordered_map<std::uint64_t, TakenFilePtr> files_;
  HardLinks hard_links_;
  std::unordered_set<std::uint64_t> given_up_;
  std::vector<std::uint64_t> newly_given_up_;
  std::deque<OpenDirectory> complete_directories_;  // whose metadata waits to be set
  bool closing_directories_ = false;                // one thread at a time sets it
  std::set<platform::FileId> made_directories_;     // to see colliding names
  std::size_t partials_ = 0;
  std::size_t resumed_ = 0;       // of them
  std::size_t asked_ranges_ = 0;  // by the thread that works on what is here, of files_
  std::condition_variable room_;  // these became less
  std::uint32_t finished_ = 0;
};

}  // namespace wormhole::transfer
