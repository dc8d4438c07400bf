// A partial that an earlier run left: which ranges its journal names, and whether each is still
// what was written.
//
// open() reads the journal once and touches no data, so that what is missing can be asked for at
// once. check_next() then goes through the ranges one by one while that is under way: nothing
// counts as there before its checksum fits. The journal is read from its end, so that what was
// fetched anew supersedes what a crash had damaged; a portion of it at a time, whose ranges are
// then read as they lie on the disk. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/range_set.h"
#include "platform/file_system.h"
#include "store/partial_journal.h"

namespace wormhole::transfer {

// What the journal in `partial` says from now on of where all of it was written; 0: the next run is
// to look at it.
[[nodiscard]] Result<void> set_journal_mount(const platform::File& partial,
                                             store::JournalHeader header, std::uint64_t mount);

class ResumedPartial {
 public:
  // Separate ranges that are gone on with; what else there is comes anew. An interrupted run leaves
  // one for each stream.
  static constexpr std::size_t kRangesMax = kStreamsMax;

  // Null when the file has no journal, or one of another source. `now`: what is to be gone on with,
  // and the mount it is on.
  [[nodiscard]] static Result<std::unique_ptr<ResumedPartial>> open(
      std::shared_ptr<const platform::File> file, const store::JournalHeader& now);

  // What the journal names, before anything of it is checked.
  [[nodiscard]] const RangeSet& held() const { return held_; }
  // Whole records of the journal.
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::shared_ptr<const platform::File> file() const { return file_; }

  struct Checked {
    RangeSet::Range range;
    bool is_intact;
  };
  // The next range of held() that no call has returned yet; nullopt when all were. `buffer`: at
  // least store::kJournalRangeMaxBytes. What cannot be read is not intact. Where nothing can have
  // been lost (the file system stood all the while, and nobody wrote there since), nothing is read.
  [[nodiscard]] std::optional<Checked> check_next(MutableBytes buffer);
  // After check_next() found all of held() intact: the next run need not look again on this mount.
  // Only while the file is a partial with its journal.
  void confirm() const;

 private:
  ResumedPartial(std::shared_ptr<const platform::File> file, const store::JournalHeader& now,
                 std::uint64_t records)
      : file_(std::move(file)), now_(now), records_(records), portion_end_(records) {}
  [[nodiscard]] std::uint64_t journal_begins() const {
    return store::journal_offset(now_.source.size_bytes);
  }
  // What the journal says is so, without looking.
  [[nodiscard]] bool is_certain(const store::JournalHeader& then,
                                const platform::FileStatus& status) const;
  // The records before the last ones that were read; false at the journal's beginning.
  [[nodiscard]] bool read_portion();
  // Calls use(record) for the portion's records, newest first.
  template <typename Use>
  void for_each_in_portion(const Use& use) const;
  // Fills in what is to be compared next; false when nothing is left in the journal.
  [[nodiscard]] bool next_batch();

  const std::shared_ptr<const platform::File> file_;
  const store::JournalHeader now_;
  const std::uint64_t records_;
  bool is_certain_ = false;
  bool holds_all_ = true;  // that the journal names: nothing of it stays uncompared
  RangeSet held_{kRangesMax};
  RangeSet unchecked_{kRangesMax};
  ByteVector portion_;                       // whole records
  std::uint64_t portion_end_;                // records before it are still to be read
  std::vector<store::JournalRecord> batch_;  // of a portion, what is not superseded, last first
};

}  // namespace wormhole::transfer
