// A set of byte ranges of one file: what has arrived, or is wanted.
//
// Not thread-safe. Memory is bounded by the number of separate ranges, which the caller bounds:
// add() refuses to create more than `ranges_max` of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace wormhole {

class RangeSet {
 public:
  explicit RangeSet(std::size_t ranges_max) : ranges_max_(ranges_max) {}

  // Another limit, not below ranges().
  void allow_ranges(std::size_t ranges_max) { ranges_max_ = ranges_max; }

  enum class Added { kOk, kOverlaps, kTooMany };

  // Adds [offset, offset + length), merged with its neighbours. Leaves the set as it was unless
  // it returns kOk. Precondition: the sum does not overflow (kFileMaxBytes). A length of 0 is
  // kOk and adds nothing.
  [[nodiscard]] Added add(std::uint64_t offset, std::uint64_t length);

  // Takes [offset, offset + length) out again. Precondition: it is wholly in the set.
  void remove(std::uint64_t offset, std::uint64_t length);

  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::size_t ranges() const { return ends_.size(); }
  [[nodiscard]] bool contains(std::uint64_t offset, std::uint64_t length) const;

  struct Range {
    std::uint64_t offset;
    std::uint64_t length;
    friend bool operator==(const Range&, const Range&) = default;
  };
  // In order.
  [[nodiscard]] std::vector<Range> all() const;
  // What of [begin, end) is not in the set, in order.
  [[nodiscard]] std::vector<Range> missing(std::uint64_t begin, std::uint64_t end) const;
  // Only the so many longest ranges stay.
  void keep_longest(std::size_t ranges);

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;  // start -> end, disjoint and not adjacent
  std::uint64_t total_bytes_ = 0;
  std::size_t ranges_max_;
};

// To ranges in order, one that stands behind them: neighbours become one.
void append(std::vector<RangeSet::Range>& ranges, const RangeSet::Range& next);

}  // namespace wormhole
