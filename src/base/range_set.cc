#include "base/range_set.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "base/check.h"

namespace wormhole {

RangeSet::Added RangeSet::add(std::uint64_t offset, std::uint64_t length) {
  WH_CHECK(length <= UINT64_MAX - offset);
  if (length == 0) return Added::kOk;
  const std::uint64_t end = offset + length;

  const auto next = ends_.lower_bound(offset);  // the first that starts at offset or behind it
  const auto previous = next == ends_.begin() ? ends_.end() : std::prev(next);
  if (next != ends_.end() && next->first < end) return Added::kOverlaps;
  if (previous != ends_.end() && previous->second > offset) return Added::kOverlaps;

  const bool joins_previous = previous != ends_.end() && previous->second == offset;
  const bool joins_next = next != ends_.end() && next->first == end;
  if (!joins_previous && !joins_next && ends_.size() >= ranges_max_) return Added::kTooMany;

  const std::uint64_t joined_end = joins_next ? next->second : end;
  if (joins_next) ends_.erase(next);
  if (joins_previous) {
    previous->second = joined_end;
  } else {
    ends_.emplace(offset, joined_end);
  }
  total_bytes_ += length;
  return Added::kOk;
}

void RangeSet::remove(std::uint64_t offset, std::uint64_t length) {
  WH_CHECK(contains(offset, length));
  if (length == 0) return;
  const std::uint64_t end = offset + length;
  const auto range = std::prev(ends_.upper_bound(offset));
  const std::uint64_t range_end = range->second;
  if (range->first == offset) {
    ends_.erase(range);
  } else {
    range->second = offset;
  }
  if (range_end > end) ends_.emplace(end, range_end);
  total_bytes_ -= length;
}

bool RangeSet::contains(std::uint64_t offset, std::uint64_t length) const {
  WH_CHECK(length <= UINT64_MAX - offset);
  if (length == 0) return true;
  const auto after = ends_.upper_bound(offset);
  return after != ends_.begin() && std::prev(after)->second >= offset + length;
}

std::vector<RangeSet::Range> RangeSet::all() const {
  std::vector<Range> ranges;
  ranges.reserve(ends_.size());
  for (const auto& [start, end] : ends_) ranges.push_back({start, end - start});
  return ranges;
}

std::vector<RangeSet::Range> RangeSet::missing(std::uint64_t begin, std::uint64_t end) const {
  std::vector<Range> gaps;
  std::uint64_t covered = begin;
  auto next = ends_.upper_bound(begin);
  if (next != ends_.begin()) covered = std::max(covered, std::prev(next)->second);
  for (; next != ends_.end() && next->first < end; ++next) {
    if (next->first > covered) gaps.push_back({covered, next->first - covered});
    covered = next->second;
  }
  if (covered < end) gaps.push_back({covered, end - covered});
  return gaps;
}

void RangeSet::keep_longest(std::size_t ranges) {
  if (ends_.size() <= ranges) return;
  std::vector<Range> by_length = all();
  std::ranges::sort(by_length, std::ranges::greater(), &Range::length);
  for (std::size_t i = ranges; i < by_length.size(); ++i) {
    remove(by_length[i].offset, by_length[i].length);
  }
}

void append(std::vector<RangeSet::Range>& ranges, const RangeSet::Range& next) {
  if (!ranges.empty() && ranges.back().offset + ranges.back().length == next.offset) {
    ranges.back().length += next.length;
  } else {
    ranges.push_back(next);
  }
}

}  // namespace wormhole
