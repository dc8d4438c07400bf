#include "transfer/reconstruction.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace wormhole::transfer {
namespace {

// A chunk that the basis has no further than so far behind its new place is always found: about a
// second's reading.
constexpr std::uint64_t kLookedAheadBytes = 4 * kGiB;

// Gaps of what was asked for and has not come. More are not opened before some close: a file's
// ranges are counted, and bounded (kRangesMax).
constexpr std::size_t kGapsMax = kRangesMax / 4;

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

bool is_zero(Bytes data) {
  return std::ranges::all_of(data, [](std::byte byte) { return byte == std::byte{0}; });
}

void append(std::vector<RangeSet::Range>& ranges, const RangeSet::Range& next) {
  if (!ranges.empty() && ranges.back().offset + ranges.back().length == next.offset) {
    ranges.back().length += next.length;
  } else {
    ranges.push_back(next);
  }
}

}  // namespace

Result<void> Reconstruction::on_chunks(const wire::Chunks& chunks) {
  std::scoped_lock lock(mutex_);
  if (chunks.offset != told_bytes_) return fail(broken("the host told chunks out of order"));
  for (const Chunk& chunk : chunks.chunks) {
    if (chunk.length > file_->size() - told_bytes_) {
      return fail(broken("the host told chunks behind the end of the file"));
    }
    told_bytes_ += chunk.length;
    // What would make the list longer than a file can need.
    if (chunk.length < kChunkMinBytes && told_bytes_ != file_->size()) {
      return fail(broken("the host told a chunk that is too short"));
    }
    told_.push_back(chunk);
  }
  return {};
}

std::optional<Chunk> Reconstruction::told(std::size_t index) const {
  std::scoped_lock lock(mutex_);
  if (index >= told_.size()) return std::nullopt;
  return told_[index];
}

void Reconstruction::open_basis(DirectoryTree& tree) {
  const auto directory = tree.open(file_->directory());
  if (!directory.has_value()) return;
  auto basis = Basis::open(**directory, file_->name(), file_->is_uncached());
  if (basis.has_value()) basis_ = std::move(*basis);
}

Result<Reconstruction::Next> Reconstruction::step(DirectoryTree& tree, MutableBytes buffer,
                                                  std::vector<RangeSet::Range>& wanted) {
  WH_CHECK(buffer.size() >= kChunkMaxBytes);
  if (!std::exchange(is_begun_, true)) {
    open_basis(tree);
    is_same_so_far_ = basis_ != nullptr && file_->ranges() == 0;
  }
  if (file_->ranges() >= kGapsMax) return Next::kWait;
  const bool can_scan = basis_ != nullptr && !basis_->is_scanned();
  const std::optional<Chunk> chunk = told(next_);
  if (!chunk.has_value()) {
    if (!can_scan) return Next::kWait;
    basis_->scan_some(buffer.first(kBlockBytes));
    return Next::kStep;
  }
  if (is_same_so_far_) {
    const Chunk* here = basis_->chunk(next_);
    if (here == nullptr && can_scan) {
      basis_->scan_some(buffer.first(kBlockBytes));
      return Next::kStep;
    }
    const bool ends = offset_ + chunk->length == file_->size();
    if (here != nullptr && *here == *chunk && (!ends || basis_->size() == file_->size())) {
      ++next_;
      offset_ += chunk->length;
      return ends ? Next::kIdentical : Next::kStep;
    }
    if (if_different_ == IfDifferent::kRefuse) {
      return fail({.code = Code::kExists,
                   .operation = "fetch",
                   .object = file_->path(),
                   .detail = "a file of the same size and time is there, with other content",
                   .advice = "use --overwrite to replace it"});
    }
    // What was the same is to be copied now.
    is_same_so_far_ = false;
    next_ = 0;
    offset_ = 0;
    return Next::kStep;
  }
  const auto place = basis_ == nullptr ? std::nullopt : basis_->find(*chunk);
  if (!place.has_value() && can_scan && basis_->scanned_bytes() < offset_ + kLookedAheadBytes) {
    basis_->scan_some(buffer.first(kBlockBytes));
    return Next::kStep;
  }
  return take(tree, *chunk, place, buffer, wanted);
}

Result<Reconstruction::Next> Reconstruction::take(DirectoryTree& tree, const Chunk& chunk,
                                                  std::optional<std::uint64_t> place,
                                                  MutableBytes buffer,
                                                  std::vector<RangeSet::Range>& wanted) {
  const MutableBytes bytes = buffer.first(chunk.length);
  const auto missing = file_->missing(offset_, chunk.length);
  const bool is_here = place.has_value() && !missing.empty() && basis_->read(chunk, *place, bytes);
  bool is_complete = false;
  for (const RangeSet::Range& range : missing) {
    if (!is_here) {
      append(wanted, range);
      continue;
    }
    const std::uint64_t end = range.offset + range.length;
    for (std::uint64_t at = range.offset; at < end;) {
      // As it would have come: in blocks, of which the journal speaks.
      const auto length =
          static_cast<std::size_t>(std::min(end - at, kBlockBytes - at % kBlockBytes));
      const Bytes data = Bytes(bytes).subspan(at - offset_, length);
      WH_TRY(file_->claim(at, length));
      if (file_->is_sparse() && is_zero(data)) {
        WH_ASSIGN(is_complete, file_->skip(tree, length));
      } else {
        WH_ASSIGN(is_complete, file_->write(tree, data, at));
      }
      copied_bytes_ += length;
      at += length;
    }
  }
  ++next_;
  offset_ += chunk.length;
  if (is_complete) return Next::kComplete;
  return offset_ == file_->size() ? Next::kOver : Next::kStep;
}

}  // namespace wormhole::transfer
