#include "store/chunker.h"

#include <algorithm>

#include "store/cut_scan.h"

namespace wormhole::store {

bool may_end_chunk(Bytes data) {
  if (data.size() < kChunkRule.min_bytes) return false;
  std::uint64_t gear = 0;
  for (const std::byte next : data.last(kWindowBytes)) gear = roll(gear, next);
  return (gear & kChunkRule.mask) == 0;
}

CutFinder::Found CutFinder::next(Bytes data) {
  // A cut at the minimum is decided by the window that ends there: only that much is warmed up.
  const std::uint64_t skipped = rule_.min_bytes - kWindowBytes;
  std::size_t at = 0;
  if (chunk_bytes_ < skipped) {
    at = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), skipped - chunk_bytes_));
    chunk_bytes_ += at;
    gear_ = 0;
  }
  while (at < data.size() && chunk_bytes_ < rule_.min_bytes - 1) {
    gear_ = roll(gear_, data[at++]);
    ++chunk_bytes_;
  }
  const std::size_t to_max = static_cast<std::size_t>(
      std::min<std::uint64_t>(data.size() - at, rule_.max_bytes - chunk_bytes_));
  const auto cut = quickest_cut_kernel().find(data.subspan(at, to_max), gear_, rule_);
  const std::size_t scanned = cut.value_or(to_max);
  chunk_bytes_ += scanned;
  const bool is_cut = cut.has_value() || chunk_bytes_ == rule_.max_bytes;
  if (is_cut) chunk_bytes_ = 0;
  return {at + scanned, is_cut};
}

void Chunker::add(Bytes data, std::vector<Chunk>& out) {
  while (!data.empty()) {
    const CutFinder::Found found = cuts_.next(data);
    hasher_.add(data.first(found.bytes));
    length_ += static_cast<std::uint32_t>(found.bytes);
    if (found.is_cut) end_chunk(out);
    data = data.subspan(found.bytes);
  }
}

void Chunker::finish(std::vector<Chunk>& out) {
  if (length_ > 0) end_chunk(out);
  cuts_.begin_anew();
}

void Chunker::end_chunk(std::vector<Chunk>& out) {
  out.push_back({length_, hasher_.finish()});
  length_ = 0;
}

}  // namespace wormhole::store
