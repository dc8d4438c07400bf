// Of a new version, what its chunks do not find in the basis once more, a hundred times finer: a
// change costs some tens of kilobytes instead of the chunks around it.
//
// Changes leave runs of chunks that are new; what a run still has in common with the basis stands
// at its ends, and in the basis at the ends of what the new version has not taken, or beside what
// it took next to that run. So those are looked at, and what is inside a long run is not. Steps:
// miss(), begin(), on_told() until is_told(), index_some(), next().
//
// One thread, but for on_told() and is_told(): any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/chunk.h"
#include "base/limits.h"
#include "base/range_set.h"
#include "base/result.h"
#include "transfer/basis.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// What is missing beyond kRefinedMaxBytes comes whole.
inline constexpr std::size_t kRefinedChunksMax = kRefinedMaxBytes / kChunkMinBytes;
static_assert(kRefinedChunksMax <= wire::kRangesPerMessageMax);

// The chunks at both ends of each run.
class RunEnds {
 public:
  // The next chunk of any run, in order. Appends what is of no end to `inside`.
  void add(const RangeSet::Range& chunk, std::vector<RangeSet::Range>& inside);
  // Neighbours are one range. No add() after it.
  [[nodiscard]] const std::vector<RangeSet::Range>& take_all();
  [[nodiscard]] std::size_t chunks() const { return chunks_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void end_run();

  std::vector<RangeSet::Range> ends_;
  std::deque<RangeSet::Range> last_;  // of the run, behind its first ones
  std::size_t run_chunks_ = 0;
  std::uint64_t run_end_ = 0;
  std::size_t chunks_ = 0;   // in ends_ and last_
  std::uint64_t bytes_ = 0;  // of those
};

class Refinement {
 public:
  using Ranges = std::vector<RangeSet::Range>;

  // A chunk that the basis has not, in order. Appends to `wanted` what is not worth a closer look.
  void miss(const RangeSet::Range& chunk, Ranges& wanted) { missing_.add(chunk, wanted); }
  // Of what was missed, what is neither wanted nor resolved: gaps that will be filled.
  [[nodiscard]] std::size_t pending() const;

  // All was told of the new version, and the basis was read. False: there is nothing of the basis
  // that what was missed() may be in. Else asked() is to be asked for.
  [[nodiscard]] bool begin(const Basis& basis, const std::vector<Chunk>& told);
  [[nodiscard]] bool is_begun() const { return is_begun_; }
  [[nodiscard]] const Ranges& missed() { return missing_.take_all(); }
  [[nodiscard]] const Ranges& asked() const { return asked_; }
  [[nodiscard]] std::uint64_t asked_bytes() const { return missing_.bytes(); }

  // kProtocol when they were not asked for, do not follow each other, or leave their range.
  [[nodiscard]] Result<void> on_told(const wire::FineChunks& chunks);
  // All of them. Then:
  [[nodiscard]] bool is_told() const { return is_told_; }
  // Cuts a part of the basis. False: there was none left.
  [[nodiscard]] bool index_some(const Basis& basis);
  struct Next {
    std::uint64_t offset;  // of the new version
    Chunk chunk;
    std::optional<std::uint64_t> place;  // in the basis
  };
  // In order; nullopt at the end.
  [[nodiscard]] std::optional<Next> next();
  // Gives all memory back. What is still told is thrown away.
  void end();

 private:
  RunEnds missing_;
  bool is_begun_ = false;
  Ranges to_index_;
  std::size_t indexed_ = 0;  // of to_index_
  std::unordered_map<store::Hash, std::uint64_t, HashOfHash> places_;

  std::mutex mutex_;  // the next five, until is_told_
  Ranges asked_;
  std::size_t told_ranges_ = 0;
  std::uint64_t told_to_ = 0;  // of the range that is being told
  std::vector<Chunk> told_;
  bool is_ended_ = false;
  std::atomic<bool> is_told_ = false;
  std::size_t next_ = 0;  // of told_
  std::size_t next_range_ = 0;
  std::uint64_t next_offset_ = 0;
};

}  // namespace wormhole::transfer
