// A new version of a file that stands at the destination already: what the two have in common is
// copied from there, and only the rest is asked for.
//
// The giver tells the chunks of the new version in order (on_chunks(), by the thread that reads
// control messages). step(), by one thread of the taker, reads the basis behind what was told, so
// that a chunk is written while it is still in memory; told chunks that are not found wait until
// the scan is far past their place. The chunks that are new at the ends of a change are told once
// more, finer (transfer/refinement.h). Where both turn out to be the same file, nothing is written
// at all. Where the file system can share blocks, what stays in place or was moved by whole ones is
// not even copied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/range_set.h"
#include "store/place.h"
#include "transfer/basis.h"
#include "transfer/directory_tree.h"
#include "transfer/refinement.h"
#include "transfer/taken_file.h"
#include "transfer/told_chunks.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// Longer files come whole: both ends hold a list of their chunks, and it must fit (at 2 MiB a chunk
// 5 MB of names, and 12 MB to find them by).
inline constexpr std::uint64_t kReconstructedMaxBytes = 256 * kGiB;

// What files of this length have in common with others is looked for.
[[nodiscard]] constexpr bool is_comparable_length(std::uint64_t size_bytes) {
  return size_bytes >= kReusableMinBytes && size_bytes <= kReconstructedMaxBytes;
}

class Reconstruction {
 public:
  // What is different may replace what is there, or not: then a difference is kExists.
  enum class IfDifferent { kReplace, kRefuse };

  Reconstruction(TakenFilePtr file, IfDifferent if_different)
      : file_(std::move(file)), if_different_(if_different) {}
  // From a file that stands elsewhere and has the same size. If it is certain that it is the same,
  // no chunks are needed; else it is compared, and given up at the first difference.
  Reconstruction(TakenFilePtr file, store::Place elsewhere, bool is_certain)
      : file_(std::move(file)),
        if_different_(IfDifferent::kReplace),
        elsewhere_(std::move(elsewhere)),
        is_certain_(is_certain) {}

  // From a file that is on its way, once original_is_at() says where it came to stand; what is
  // wanted is all of it if nothing does.
  [[nodiscard]] static std::shared_ptr<Reconstruction> of_copy(TakenFilePtr file) {
    auto made =
        std::make_shared<Reconstruction>(std::move(file), store::Place(), /*is_certain=*/false);
    made->is_copy_ = true;
    return made;
  }
  // From what other files of this transfer have in common with it, or it with itself, by the chunks
  // that are told: where nothing is there to make it from. `told` outlives this.
  [[nodiscard]] static std::shared_ptr<Reconstruction> among_others(TakenFilePtr file,
                                                                    ToldChunks& told) {
    auto made = std::make_shared<Reconstruction>(std::move(file), IfDifferent::kReplace);
    made->find_among_others(told);
    return made;
  }
  // If it is not the same as the one elsewhere. Before the first step().
  void find_among_others(ToldChunks& told) {
    told_chunks_ = &told;
    is_among_others_ = true;
  }
  // Before the first step().
  void original_is_at(const store::Place& place) {
    if (place.size_bytes == file_->size()) elsewhere_ = place;
  }

  [[nodiscard]] bool needs_chunks() const { return !is_certain_ && !has_nothing(); }
  [[nodiscard]] bool is_copy() const { return is_copy_; }
  [[nodiscard]] bool is_elsewhere() const { return elsewhere_.has_value(); }

  // kProtocol when they do not follow each other or leave the file.
  [[nodiscard]] Result<void> on_chunks(const wire::Chunks& chunks);

  enum class Next {
    kStep,       // there is more to do
    kWait,       // until chunks are told, or until what was asked for has come
    kAskFiner,   // fine_ranges() are to be asked for, once; nothing to do before is_fine_told()
    kBorrow,     // nothing to do before lender() is in place, or all else of that file is there
    kIdentical,  // it stands there as it should: over, nothing was written
    kComplete,   // copied to the last byte, nothing is missing: over, to be published
    kOver,       // what is missing was asked for
  };
  // Appends to `wanted` what is to be asked for. Errors are the file's, but for kProtocol and what
  // ends a session.
  [[nodiscard]] Result<Next> step(DirectoryTree& tree, std::vector<RangeSet::Range>& wanted);

  [[nodiscard]] const std::vector<RangeSet::Range>& fine_ranges() const {
    return refinement_.asked();
  }
  // kProtocol when they were not asked for or cannot be.
  [[nodiscard]] Result<void> on_fine_chunks(const wire::FineChunks& chunks) {
    return refinement_.on_told(chunks);
  }
  [[nodiscard]] std::uint64_t fine_bytes() const { return refinement_.asked_bytes(); }
  [[nodiscard]] bool is_fine_told() const { return refinement_.is_told(); }

  // After kBorrow.
  [[nodiscard]] std::uint64_t lender() const { return borrowed_.begin()->second.source.file; }
  // What it keeps in memory while it waits.
  [[nodiscard]] std::size_t kept_chunks() const { return borrowed_.size() + told_.size(); }
  [[nodiscard]] bool is_among_others() const { return is_among_others_; }
  // Something of it was asked for, or written.
  [[nodiscard]] bool is_file_begun() const { return is_file_asked_for_ || reused_bytes_ > 0; }
  void file_is_asked_for() { is_file_asked_for_ = true; }
  // What is wanted stays here while it waits for its lender, so that nothing of it has begun.
  void put_off(std::vector<RangeSet::Range> wanted) { put_off_ = std::move(wanted); }
  [[nodiscard]] std::vector<RangeSet::Range> take_put_off() { return std::exchange(put_off_, {}); }
  // What is not there yet to be borrowed is asked for.
  void stop_waiting() { may_wait_ = false; }

  [[nodiscard]] const TakenFilePtr& file() const { return file_; }
  // What was taken over from the basis, copied or not.
  [[nodiscard]] std::uint64_t reused_bytes() const { return reused_bytes_; }
  // Which file it was compared with, once step() was called; may be null.
  [[nodiscard]] const Basis* basis() const { return basis_.get(); }

  // After step() said that it is over, or will not be called again: gives all memory back. What is
  // still told is thrown away.
  void end();

  // The giver was asked for its chunks (guarded by the queue's mutex).
  bool is_asked_for = false;

 private:
  using Ranges = std::vector<RangeSet::Range>;
  [[nodiscard]] bool has_nothing() const {
    return elsewhere_.has_value() && elsewhere_->path.empty();
  }

  [[nodiscard]] std::optional<Chunk> told(std::size_t index) const;
  // The scan is: what it comes to next is told already.
  [[nodiscard]] bool is_behind() const;
  // What is further on is not looked for.
  [[nodiscard]] std::uint64_t looked_ahead_bytes() const;
  [[nodiscard]] bool has_scanned_enough() const;
  [[nodiscard]] bool can_scan() const { return basis_ != nullptr && !basis_->is_scanned(); }

  // Where chunks of the new version are expected next, in the basis.
  struct Followed {
    std::size_t next = 0;      // of told_
    std::uint64_t offset = 0;  // its place in the new version
    std::uint64_t place = 0;   // in the basis

    // Of what was followed from there.
    [[nodiscard]] bool goes_on_from(const Followed& other) const {
      return place >= other.place && place - other.place == offset - other.offset;
    }
  };
  // A chunk was found in front of these places; where the scan stands, it goes on from there.
  void follow(const Followed& found);
  // What was scanned last, and may be told for several places.
  void follow_one_of(const PlacedChunk& placed);
  // Of what is followed, what was told, as far ahead as it is of use.
  void expect_more();

  Result<void> begin(DirectoryTree& tree);
  Result<std::unique_ptr<Basis>> open_basis(DirectoryTree& tree) const;
  Result<std::unique_ptr<Basis>> open_at(const store::Place& place) const;
  void compare_with(std::unique_ptr<Basis> basis);
  // The two are different: from here on the new version is written.
  void begin_writing();
  // While all was the same so far.
  Result<Next> compare(const Chunk& chunk, Ranges& wanted);
  // A chunk of the new version, in order.
  Result<void> take(DirectoryTree& tree, const Chunk& chunk, Ranges& wanted);
  Result<void> scan(DirectoryTree& tree, Ranges& wanted);
  // The bytes of the new version at `offset`, from the basis; those that nobody has claimed.
  Result<void> put(DirectoryTree& tree, std::uint64_t offset, Bytes bytes);
  // What stands in the basis, and by whole blocks from where it is to be, if not there.
  struct Shareable {
    std::uint64_t offset = 0;  // in the new version
    std::uint64_t place = 0;   // in the basis
    std::uint64_t length = 0;
  };
  [[nodiscard]] bool is_shareable(std::uint64_t offset, std::uint64_t place) const;
  // Noted, as what follows is likely to follow there, too.
  Result<void> note_shareable(DirectoryTree& tree, std::uint64_t offset, const PlacedChunk& found,
                              Ranges& wanted);
  // What was noted is shared, or copied where it cannot be.
  Result<void> put_shareable(DirectoryTree& tree, Ranges& wanted);
  // False: not all of it, which is to be copied.
  Result<bool> share(DirectoryTree& tree, const Shareable& part);
  // What was compared before. False: the basis has changed meanwhile.
  Result<bool> copy(DirectoryTree& tree, const Shareable& part);
  // A part of what is certain.
  Result<Next> copy_some(DirectoryTree& tree, Ranges& wanted);
  // Nothing of the basis is left to be looked at, chunk by chunk.
  Next begin_refining(Ranges& wanted);
  // Some of what was told more finely.
  Result<Next> refine(DirectoryTree& tree, Ranges& wanted);
  // True: it stands in another file, or elsewhere in this one, and is taken from there at the end.
  bool borrow(std::uint64_t offset, const Chunk& chunk);
  // The next one of those.
  Result<Next> take_borrowed(DirectoryTree& tree, Ranges& wanted);
  // It is a copy of its first lender, as far as was told, and begins to be compared with that.
  [[nodiscard]] bool begin_as_copy();
  // Waiting takes no more than the list of what it waits for.
  Next wait_for_lender();
  // Once nothing but what this file lends itself is left to be borrowed.
  [[nodiscard]] bool has_all_but_own();
  [[nodiscard]] bool read_borrowed(DirectoryTree& tree, const ToldChunks::Source& source,
                                   const Chunk& chunk, MutableBytes out);
  // A chunk that the basis has not.
  void miss(std::uint64_t offset, std::uint64_t length, Ranges& wanted);
  // Nothing of the basis is used any more.
  Next want_everything(Ranges& wanted) const;
  void want(std::uint64_t offset, std::uint64_t length, Ranges& wanted) const;
  // Those that stand before `end`.
  void want_unresolved(std::uint64_t end, Ranges& wanted);
  const TakenFilePtr file_;
  const IfDifferent if_different_;
  std::optional<store::Place> elsewhere_;
  bool is_certain_ = false;
  bool is_copy_ = false;

  mutable std::mutex mutex_;  // of what the giver told
  std::vector<Chunk> told_;
  std::uint64_t told_bytes_ = 0;
  bool is_ended_ = false;

  // Of the stepping thread.
  bool is_begun_ = false;
  std::unique_ptr<Basis> basis_;
  ByteVector buffer_;            // to read chunks of the basis once more
  bool is_same_so_far_ = false;  // chunk by chunk, at the same places
  bool may_share_ = false;       // blocks of the basis, as far as is known
  bool has_shared_ = false;
  bool is_complete_ = false;  // this thread wrote the last byte
  std::size_t next_ = 0;      // of told_
  std::uint64_t offset_ = 0;  // its place
  std::uint64_t reused_bytes_ = 0;
  // Told, and not found in what was scanned of the basis.
  struct Unresolved {
    Chunk chunk;
    std::size_t index;  // of told_
  };
  std::map<std::uint64_t, Unresolved> unresolved_;  // by their place
  std::unordered_multimap<store::Hash, std::uint64_t, HashOfHash> unresolved_places_;
  Followed followed_;
  Shareable noted_;
  Refinement refinement_;  // of chunks that were missed

  ToldChunks* told_chunks_ = nullptr;
  bool is_among_others_ = false;
  bool may_be_copy_ = true;  // all of it may stand in one other file, at the same places
  bool may_wait_ = true;
  mutable bool has_wanted_ = false;
  bool is_file_asked_for_ = false;
  Ranges put_off_;
  struct Borrowed {
    Chunk chunk;
    ToldChunks::Source source;
  };
  // By their places; those that this file lends itself come behind all others'.
  std::map<std::pair<bool, std::uint64_t>, Borrowed> borrowed_;
  bool lacks_only_own_ = false;  // all else of this file is there
  std::unique_ptr<Basis> lender_;
  std::uint64_t lender_id_ = 0;
};
using ReconstructionPtr = std::shared_ptr<Reconstruction>;

}  // namespace wormhole::transfer
