#include "transfer/refinement.h"

#include <algorithm>

#include "base/check.h"

namespace wormhole::transfer {
namespace {

// At each end of a run. What is new in part is the first and the last one; behind a change, cuts
// may take a chunk more to be those of the basis again, as none is shorter than the minimum.
constexpr std::size_t kEndChunks = 2;

// Longer ranges of the basis are cut in several steps: in between, the end of a session is seen.
constexpr std::uint64_t kIndexedTogetherBytes = 16 * kMiB;

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

// What of the basis may hold parts of what is missing: the ends of its own runs that the new
// version has not taken, and what stands in it beside the neighbours of a missing run (where
// something old was repeated, the rest of that).
std::vector<RangeSet::Range> candidates(const Basis& basis, const std::vector<Chunk>& told) {
  const std::size_t count = basis.chunks();
  std::vector<bool> is_taken(count);
  std::vector<bool> is_candidate(count);
  const auto mark = [&](std::size_t begin, std::size_t end) {
    for (; begin < std::min(end, count); ++begin) is_candidate[begin] = true;
  };
  std::optional<std::size_t> before;
  bool was_missing = false;
  for (const Chunk& chunk : told) {
    const auto at = basis.index_of(chunk);
    if (at.has_value()) is_taken[*at] = true;
    if (at.has_value() && was_missing) mark(*at - std::min(*at, kEndChunks), *at);
    if (!at.has_value() && before.has_value()) mark(*before + 1, *before + 1 + kEndChunks);
    was_missing = !at.has_value();
    before = at;
  }
  // Of chunks that are alike, the first was found above.
  for (std::size_t i = 0; i < count; ++i) is_taken[i] = is_taken[*basis.index_of(*basis.chunk(i))];
  for (std::size_t begin = 0; begin < count; ++begin) {
    if (is_taken[begin]) continue;
    std::size_t end = begin;
    while (end < count && !is_taken[end]) ++end;
    mark(begin, std::min(begin + kEndChunks, end));
    mark(std::max(begin + kEndChunks, end) - kEndChunks, end);
    begin = end;
  }
  std::vector<RangeSet::Range> ranges;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t length = basis.chunk(i)->length;
    if (is_candidate[i] && bytes + length <= kRefinedMaxBytes) {
      if (!ranges.empty() && ranges.back().length >= kIndexedTogetherBytes) {
        ranges.push_back({offset, length});
      } else {
        append(ranges, {offset, length});
      }
      bytes += length;
    }
    offset += length;
  }
  return ranges;
}

}  // namespace

void RunEnds::add(const RangeSet::Range& chunk, std::vector<RangeSet::Range>& inside) {
  if (chunk.offset != run_end_) end_run();
  run_end_ = chunk.offset + chunk.length;
  if (bytes_ + chunk.length > kRefinedMaxBytes) return append(inside, chunk);
  ++chunks_;
  bytes_ += chunk.length;
  if (run_chunks_ < kEndChunks) {
    ++run_chunks_;
    append(ends_, chunk);
    return;
  }
  last_.push_back(chunk);
  if (last_.size() <= kEndChunks) return;
  append(inside, last_.front());
  --chunks_;
  bytes_ -= last_.front().length;
  last_.pop_front();
}

void RunEnds::end_run() {
  for (const RangeSet::Range& chunk : last_) append(ends_, chunk);
  last_.clear();
  run_chunks_ = 0;
}

const std::vector<RangeSet::Range>& RunEnds::take_all() {
  end_run();
  return ends_;
}

std::size_t Refinement::pending() const {
  return is_begun_ ? asked_.size() - next_range_ : missing_.chunks();
}

bool Refinement::begin(const Basis& basis, const std::vector<Chunk>& told) {
  to_index_ = candidates(basis, told);
  std::scoped_lock lock(mutex_);
  if (!to_index_.empty()) asked_ = missing_.take_all();
  is_begun_ = !asked_.empty();
  return is_begun_;
}

Result<void> Refinement::on_told(const wire::FineChunks& chunks) {
  std::scoped_lock lock(mutex_);
  if (is_ended_) return {};
  for (std::uint64_t offset = chunks.offset; const Chunk& chunk : chunks.chunks) {
    if (told_ranges_ == asked_.size()) {
      return fail(broken("the other side told fine chunks that were not asked for"));
    }
    const RangeSet::Range& range = asked_[told_ranges_];
    if (offset != range.offset + told_to_) {
      return fail(broken("the other side told fine chunks out of order"));
    }
    if (chunk.length > range.length - told_to_) {
      return fail(broken("the other side told fine chunks behind the end of their range"));
    }
    told_to_ += chunk.length;
    // What would make the list longer than it can need to be.
    if (chunk.length < kFineChunkMinBytes && told_to_ != range.length) {
      return fail(broken("the other side told a fine chunk that is too short"));
    }
    told_.push_back(chunk);
    offset += chunk.length;
    if (told_to_ == range.length) {
      ++told_ranges_;
      told_to_ = 0;
    }
  }
  is_told_ = told_ranges_ == asked_.size();
  return {};
}

bool Refinement::index_some(const Basis& basis) {
  if (indexed_ == to_index_.size()) return false;
  std::uint64_t offset = to_index_[indexed_].offset;
  for (const Chunk& chunk : basis.fine_chunks(to_index_[indexed_])) {
    places_.emplace(chunk.hash, offset);
    offset += chunk.length;
  }
  ++indexed_;
  return true;
}

std::optional<Refinement::Next> Refinement::next() {
  WH_CHECK(is_told_);
  if (next_ == told_.size()) return std::nullopt;
  const Chunk& chunk = told_[next_++];
  const RangeSet::Range& range = asked_[next_range_];
  Next next{.offset = range.offset + next_offset_, .chunk = chunk, .place = std::nullopt};
  if (const auto found = places_.find(chunk.hash); found != places_.end()) {
    next.place = found->second;
  }
  next_offset_ += chunk.length;
  if (next_offset_ == range.length) {
    ++next_range_;
    next_offset_ = 0;
  }
  return next;
}

void Refinement::end() {
  places_ = {};
  std::scoped_lock lock(mutex_);
  is_ended_ = true;
  told_ = {};
}

}  // namespace wormhole::transfer
