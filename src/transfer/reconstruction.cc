#include "transfer/reconstruction.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace wormhole::transfer {
namespace {

// A chunk that the basis has no further than so far behind its new place is always found: so many
// times the file's size, which takes less time than a file comes in over most links, and about two
// seconds' reading at most. What is missing of a longer file, but for the ends of what is new, need
// not wait until all of the basis was read.
constexpr std::uint64_t kLookedAheadTimes = 4;
constexpr std::uint64_t kLookedAheadMaxBytes = 4 * kGiB;

// Chunks that are not found yet and may still be: further ones are looked at when more of the basis
// was read.
constexpr std::size_t kUnresolvedMax = 4096;

// A file is in so many separate pieces at most before what is missing between them is asked for and
// waited for. What is still to be looked at more finely is no such piece.
constexpr std::size_t kPiecesMax = 512;

// Chunks are expected so far ahead of the scan: more than can be read before the next one is.
constexpr std::uint64_t kExpectedMaxBytes = std::uint64_t{4} * kChunkMaxBytes;

// Blocks are shared when so much was found, or nothing follows: each time, whoever claims a part of
// the file waits for it (a millisecond). Less than so much is copied.
constexpr std::uint64_t kSharedMaxBytes = 64 * kMiB;
constexpr std::uint64_t kSharedMinBytes = 256 * kKiB;

// Fine chunks that are written in one step.
constexpr std::size_t kRefinedTogether = 64;

bool is_zero(Bytes data) {
  return std::ranges::all_of(data, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<void> Reconstruction::on_chunks(const wire::Chunks& chunks) {
  std::scoped_lock lock(mutex_);
  WH_TRY(count_told(told_bytes_, file_->size(), chunks));
  if (!is_ended_) told_.insert(told_.end(), chunks.chunks.begin(), chunks.chunks.end());
  return {};
}

void Reconstruction::end() {
  basis_.reset();
  buffer_ = {};
  unresolved_.clear();
  unresolved_places_.clear();
  refinement_.end();
  borrowed_.clear();
  lender_.reset();
  std::scoped_lock lock(mutex_);
  is_ended_ = true;
  told_ = {};
}

std::optional<Chunk> Reconstruction::told(std::size_t index) const {
  std::scoped_lock lock(mutex_);
  if (index >= told_.size()) return std::nullopt;
  return told_[index];
}

std::uint64_t Reconstruction::looked_ahead_bytes() const {
  return std::min(kLookedAheadTimes * file_->size(), kLookedAheadMaxBytes);
}

bool Reconstruction::has_scanned_enough() const {
  return !can_scan() || basis_->scanned_bytes() > file_->size() + looked_ahead_bytes();
}

bool Reconstruction::is_behind() const {
  std::scoped_lock lock(mutex_);
  const std::uint64_t scanned = basis_->scanned_bytes();
  if (followed_.place > scanned) return true;
  const std::uint64_t next = followed_.place == scanned ? followed_.offset : scanned;
  return next + kChunkMinBytes <= told_bytes_;
}

void Reconstruction::follow(const Followed& found) {
  if (found.place != basis_->scanned_bytes()) return;
  if (!followed_.goes_on_from(found)) followed_ = found;
  expect_more();
}

void Reconstruction::follow_one_of(const PlacedChunk& placed) {
  const auto [first, last] = unresolved_places_.equal_range(placed.chunk.hash);
  std::optional<Followed> next;
  for (auto found = first; found != last; ++found) {
    const std::uint64_t offset = found->second;
    const Unresolved& unresolved = unresolved_.at(offset);
    if (unresolved.chunk != placed.chunk) continue;
    const Followed behind = {unresolved.index + 1, offset + placed.chunk.length, placed.end()};
    if (followed_.goes_on_from(behind)) return expect_more();
    if (!next.has_value() || offset < next->offset) next = behind;
  }
  if (next.has_value()) return follow(*next);
  expect_more();
}

void Reconstruction::expect_more() {
  const std::uint64_t scanned = basis_->scanned_bytes();
  while (followed_.place >= scanned && followed_.place - scanned < kExpectedMaxBytes) {
    const auto chunk = told(followed_.next);
    if (!chunk.has_value()) return;
    const std::uint64_t end = followed_.place + chunk->length;
    if (end > basis_->size()) return;
    basis_->expect({followed_.place, *chunk});
    followed_ = {followed_.next + 1, followed_.offset + chunk->length, end};
  }
}

Result<std::unique_ptr<Basis>> Reconstruction::open_basis(DirectoryTree& tree) const {
  if (!elsewhere_.has_value()) {
    WH_ASSIGN(const auto directory, tree.open(file_->directory()));
    return Basis::open(*directory, file_->name(), file_->is_uncached());
  }
  return open_at(*elsewhere_);
}

Result<std::unique_ptr<Basis>> Reconstruction::open_at(const store::Place& place) const {
  const std::size_t slash = place.path.rfind('/');
  WH_ASSIGN(const auto directory, platform::Directory::open_path(place.path.substr(0, slash + 1)));
  WH_ASSIGN(auto basis, Basis::open(directory, place.path.substr(slash + 1), file_->is_uncached()));
  if (store::is_untouched(place, basis->status())) return basis;
  return fail({.code = Code::kChanged, .operation = "open", .object = place.path});
}

Result<void> Reconstruction::begin(DirectoryTree& tree) {
  is_begun_ = true;
  if (is_among_others_) {
    file_->allow_ranges(kRangesMax + kPiecesMax + kUnresolvedMax);
    if (!is_elsewhere()) return {};
  }
  auto basis = open_basis(tree);
  if (!basis.has_value()) return {};  // it is gone: everything is asked for
  compare_with(std::move(*basis));
  is_same_so_far_ = !is_certain_ && file_->ranges() == 0 && basis_->size() == file_->size();
  if (!is_same_so_far_) begin_writing();
  return {};
}

void Reconstruction::compare_with(std::unique_ptr<Basis> basis) {
  basis_ = std::move(basis);
  // Not where holes are to stay.
  may_share_ = !file_->is_sparse() && basis_->may_share();
  // What this run has put there nobody has written to before, and of what is certain nothing is
  // read: it goes to disk meanwhile.
  if (may_share_ && !is_copy_ && !is_certain_) may_share_ = basis_->is_settled();
}

void Reconstruction::begin_writing() {
  is_same_so_far_ = false;
  file_->allow_ranges(kRangesMax + kPiecesMax + kRefinedChunksMax + kUnresolvedMax);
  // Found in the basis once more.
  next_ = 0;
  offset_ = 0;
}

Result<Reconstruction::Next> Reconstruction::copy_some(DirectoryTree& tree, Ranges& wanted) {
  const std::uint64_t rest = file_->size() - offset_;
  if (may_share_) {
    WH_ASSIGN(const bool is_shared, share(tree, {offset_, offset_, rest}));
    if (is_shared) return is_complete_ ? Next::kComplete : Next::kOver;
    may_share_ = false;
  }
  const auto length = std::min<std::uint64_t>(rest, kChunkMaxBytes);
  WH_ASSIGN(const bool is_copied, copy(tree, {offset_, offset_, length}));
  if (!is_copied) {
    want(offset_, rest, wanted);
    return Next::kOver;
  }
  offset_ += length;
  if (is_complete_) return Next::kComplete;
  return length == rest ? Next::kOver : Next::kStep;
}

Reconstruction::Next Reconstruction::want_everything(Ranges& wanted) const {
  want(0, file_->size(), wanted);
  return Next::kOver;
}

Result<Reconstruction::Next> Reconstruction::step(DirectoryTree& tree, Ranges& wanted) {
  if (!is_begun_) WH_TRY(begin(tree));
  if (is_elsewhere() && basis_ == nullptr) return want_everything(wanted);
  if (is_certain_) return copy_some(tree, wanted);
  const bool is_all_taken = offset_ == file_->size();
  if (is_all_taken && !borrowed_.empty()) return take_borrowed(tree, wanted);
  if (file_->ranges() >= kPiecesMax + refinement_.pending() + borrowed_.size()) {
    want_unresolved(file_->size(), wanted);
    return Next::kWait;
  }
  if (refinement_.is_begun()) return refine(tree, wanted);
  const std::optional<Chunk> chunk = told(next_);
  if (chunk.has_value() && is_same_so_far_) return compare(*chunk, wanted);
  if (is_all_taken && unresolved_.empty() && (refinement_.pending() == 0 || has_scanned_enough())) {
    WH_TRY(put_shareable(tree, wanted));
    return begin_refining(wanted);
  }
  if (chunk.has_value() && (unresolved_.size() < kUnresolvedMax || !can_scan())) {
    WH_TRY(take(tree, *chunk, wanted));
  } else if (can_scan() && (chunk.has_value() || is_all_taken || is_behind())) {
    WH_TRY(scan(tree, wanted));
  } else {
    return Next::kWait;
  }
  return is_complete_ ? Next::kComplete : Next::kStep;
}

Reconstruction::Next Reconstruction::begin_refining(Ranges& wanted) {
  if (is_complete_) return Next::kComplete;
  if (refinement_.pending() == 0) return Next::kOver;
  if (basis_ != nullptr) {
    buffer_ = {};
    std::scoped_lock lock(mutex_);
    const bool is_begun = refinement_.begin(*basis_, std::exchange(told_, {}));
    basis_->forget_chunks();
    if (is_begun) return Next::kAskFiner;
  }
  for (const RangeSet::Range& range : refinement_.missed()) {
    want(range.offset, range.length, wanted);
  }
  return Next::kOver;
}

Result<Reconstruction::Next> Reconstruction::refine(DirectoryTree& tree, Ranges& wanted) {
  if (!refinement_.is_told()) return Next::kWait;
  if (refinement_.index_some(*basis_)) return Next::kStep;
  if (buffer_.empty()) buffer_.resize(kFineChunkMaxBytes);
  for (std::size_t done = 0; done < kRefinedTogether; ++done) {
    const auto next = refinement_.next();
    if (!next.has_value()) {
      WH_TRY(put_shareable(tree, wanted));
      return is_complete_ ? Next::kComplete : Next::kOver;
    }
    const MutableBytes bytes = MutableBytes(buffer_).first(next->chunk.length);
    if (file_->missing(next->offset, bytes.size()).empty()) continue;
    if (!next->place.has_value() || !basis_->read(next->chunk, *next->place, bytes)) {
      want(next->offset, bytes.size(), wanted);
    } else if (is_shareable(next->offset, *next->place)) {
      WH_TRY(note_shareable(tree, next->offset, {*next->place, next->chunk}, wanted));
    } else {
      WH_TRY(put(tree, next->offset, bytes));
    }
  }
  return is_complete_ ? Next::kComplete : Next::kStep;
}

Result<Reconstruction::Next> Reconstruction::compare(const Chunk& chunk, Ranges& wanted) {
  const Chunk* here = basis_->chunk(next_);
  if (here == nullptr && can_scan()) {
    expect_more();
    WH_TRY(basis_->scan_some([](const PlacedChunk&, Bytes) { return Result<void>(); }));
    return Next::kStep;
  }
  if (here != nullptr && *here == chunk) {
    ++next_;
    offset_ += chunk.length;
    if (offset_ != file_->size()) return Next::kStep;
    if (!is_elsewhere()) return Next::kIdentical;
    is_certain_ = true;  // as long as nobody touches it, which is asked before each write
    begin_writing();
    return Next::kStep;
  }
  if (is_elsewhere()) {
    is_same_so_far_ = false;
    if (!is_among_others_) return want_everything(wanted);
    // It is another, or was touched since. What it has in common with any other is still found.
    basis_.reset();
    elsewhere_.reset();
    next_ = 0;
    offset_ = 0;
    followed_ = {};
    return Next::kStep;
  }
  if (if_different_ == IfDifferent::kRefuse) {
    return fail({.code = Code::kExists,
                 .operation = "fetch",
                 .object = file_->path(),
                 .detail = "a file of the same size and time is there, with other content",
                 .advice = "use --overwrite to replace it"});
  }
  begin_writing();
  return Next::kStep;
}

Result<void> Reconstruction::take(DirectoryTree& tree, const Chunk& chunk, Ranges& wanted) {
  const std::uint64_t offset = offset_;
  ++next_;
  offset_ += chunk.length;
  if (file_->missing(offset, chunk.length).empty()) return {};
  if (basis_ == nullptr) {
    if (!borrow(offset, chunk)) want(offset, chunk.length, wanted);
    return {};
  }
  if (may_share_ && basis_->has_at(offset, chunk)) {
    follow({next_, offset_, offset_});
    return note_shareable(tree, offset, {offset, chunk}, wanted);
  }
  if (const auto place = basis_->find(chunk)) {
    follow({next_, offset_, *place + chunk.length});
    // A host may give one name to chunks of several lengths.
    if (is_shareable(offset, *place) && basis_->has_at(*place, chunk)) {
      return note_shareable(tree, offset, {*place, chunk}, wanted);
    }
    if (buffer_.empty()) buffer_.resize(kChunkMaxBytes);
    const MutableBytes bytes = MutableBytes(buffer_).first(chunk.length);
    if (basis_->read(chunk, *place, bytes)) return put(tree, offset, bytes);
    want(offset, chunk.length, wanted);
    return {};
  }
  if (basis_->is_scanned()) {
    miss(offset, chunk.length, wanted);
    return {};
  }
  unresolved_.emplace(offset, Unresolved{chunk, next_ - 1});
  unresolved_places_.emplace(chunk.hash, offset);
  expect_more();
  return {};
}

bool Reconstruction::borrow(std::uint64_t offset, const Chunk& chunk) {
  if (told_chunks_ == nullptr || borrowed_.size() >= kUnresolvedMax) return false;
  const auto source = told_chunks_->first(chunk, file_->id());
  if (!source.has_value()) return false;
  const bool is_own = source->file == file_->id();
  if (is_own && source->offset >= offset) return false;  // this is the first
  borrowed_.emplace(std::pair(is_own, offset), Borrowed{chunk, *source});
  return true;
}

Result<Reconstruction::Next> Reconstruction::take_borrowed(DirectoryTree& tree, Ranges& wanted) {
  const auto first = borrowed_.begin();
  const auto [is_own, offset] = first->first;
  const auto [chunk, source] = first->second;
  const bool is_missing = !file_->missing(offset, chunk.length).empty();
  if (is_missing && begin_as_copy()) return Next::kStep;
  const bool is_there =
      is_missing && (is_own ? has_all_but_own() : !told_chunks_->is_coming(source.file));
  if (is_missing && !is_there && may_wait_) return wait_for_lender();
  if (is_there) {
    if (buffer_.empty()) buffer_.resize(kChunkMaxBytes);
    const MutableBytes bytes = MutableBytes(buffer_).first(chunk.length);
    if (read_borrowed(tree, source, chunk, bytes)) WH_TRY(put(tree, offset, bytes));
  }
  want(offset, chunk.length, wanted);  // nothing, where it is there now
  borrowed_.erase(first);
  return is_complete_ ? Next::kComplete : Next::kStep;
}

Reconstruction::Next Reconstruction::wait_for_lender() {
  lender_.reset();
  buffer_ = {};
  return Next::kBorrow;
}

bool Reconstruction::begin_as_copy() {
  const ToldChunks::Source& first = borrowed_.begin()->second.source;
  const bool has_others = has_wanted_ || reused_bytes_ > 0 || file_->ranges() > 0;
  const bool is_copy =
      may_be_copy_ && !has_others && std::ranges::all_of(borrowed_, [&](const auto& item) {
        const auto& [place, borrowed] = item;
        return borrowed.source.file == first.file && borrowed.source.offset == place.second;
      });
  may_be_copy_ = is_copy;
  if (!is_copy || told_chunks_->is_coming(first.file)) return false;
  may_be_copy_ = false;
  const auto place = told_chunks_->place(first.file);
  if (!place.has_value() || place->size_bytes != file_->size()) return false;
  auto opened = open_at(*place);
  if (!opened.has_value()) return false;
  is_copy_ = true;
  compare_with(std::move(*opened));
  elsewhere_ = place;
  is_same_so_far_ = true;
  borrowed_.clear();
  next_ = 0;
  offset_ = 0;
  return true;
}

bool Reconstruction::has_all_but_own() {
  if (lacks_only_own_) return true;
  std::uint64_t rest = 0;
  for (const auto& [place, own] : borrowed_) {
    for (const auto& range : file_->missing(place.second, own.chunk.length)) rest += range.length;
  }
  file_->expect_rest(rest);
  return lacks_only_own_ = file_->lacks_only_rest();
}

bool Reconstruction::read_borrowed(DirectoryTree& tree, const ToldChunks::Source& source,
                                   const Chunk& chunk, MutableBytes out) {
  if (source.file == file_->id()) {
    return file_->read_back(tree, source.offset, out) && store::hash(out) == chunk.hash;
  }
  if (lender_ == nullptr || lender_id_ != source.file) {
    const auto place = told_chunks_->place(source.file);
    if (!place.has_value()) return false;
    auto opened = open_at(*place);
    if (!opened.has_value()) return false;
    lender_ = std::move(*opened);
    lender_id_ = source.file;
  }
  return lender_->read(chunk, source.offset, out);
}

Result<void> Reconstruction::scan(DirectoryTree& tree, Ranges& wanted) {
  const auto on_chunk = [&](const PlacedChunk& placed, Bytes bytes) -> Result<void> {
    // Before it is written: the next one is read meanwhile.
    follow_one_of(placed);
    const auto& [at, chunk] = placed;
    const auto [first, last] = unresolved_places_.equal_range(chunk.hash);
    for (auto found = first; found != last; ++found) {
      const auto unresolved = unresolved_.find(found->second);
      // A host may give one name to chunks of several lengths; it is the name of one of them.
      if (unresolved->second.chunk != chunk) {
        want(unresolved->first, unresolved->second.chunk.length, wanted);
      } else if (is_shareable(unresolved->first, at)) {
        WH_TRY(note_shareable(tree, unresolved->first, placed, wanted));
      } else {
        WH_TRY(put(tree, unresolved->first, bytes));
      }
      unresolved_.erase(unresolved);
    }
    unresolved_places_.erase(first, last);
    return {};
  };
  WH_TRY(basis_->scan_some(on_chunk));
  const std::uint64_t scanned = basis_->scanned_bytes();
  if (basis_->is_scanned()) {
    want_unresolved(file_->size(), wanted);
  } else if (scanned > looked_ahead_bytes()) {
    want_unresolved(scanned - looked_ahead_bytes(), wanted);
  }
  return {};
}

Result<void> Reconstruction::put(DirectoryTree& tree, std::uint64_t offset, Bytes bytes) {
  for (const RangeSet::Range& range : file_->missing(offset, bytes.size())) {
    const std::uint64_t end = range.offset + range.length;
    for (std::uint64_t at = range.offset; at < end;) {
      // As it would have come: in blocks, of which the journal speaks.
      const auto length =
          static_cast<std::size_t>(std::min(end - at, kBlockBytes - at % kBlockBytes));
      const Bytes data = bytes.subspan(at - offset, length);
      WH_TRY(file_->claim(at, length));
      if (file_->is_sparse() && is_zero(data)) {
        WH_ASSIGN(is_complete_, file_->leave_empty(tree, at, length));
      } else {
        WH_ASSIGN(is_complete_, file_->write(tree, data, at));
      }
      reused_bytes_ += length;
      at += length;
    }
  }
  return {};
}

bool Reconstruction::is_shareable(std::uint64_t offset, std::uint64_t place) const {
  return may_share_ && offset % platform::kSharedUnitBytes == place % platform::kSharedUnitBytes;
}

Result<void> Reconstruction::note_shareable(DirectoryTree& tree, std::uint64_t offset,
                                            const PlacedChunk& found, Ranges& wanted) {
  const bool goes_on =
      offset == noted_.offset + noted_.length && found.offset == noted_.place + noted_.length;
  // The first one by itself: it may turn out that nothing can be shared.
  if (!goes_on || !has_shared_ || noted_.length >= kSharedMaxBytes) {
    WH_TRY(put_shareable(tree, wanted));
    noted_ = {.offset = offset, .place = found.offset};
  }
  noted_.length += found.chunk.length;
  return {};
}

Result<void> Reconstruction::put_shareable(DirectoryTree& tree, Ranges& wanted) {
  const Shareable part = std::exchange(noted_, {});
  if (part.length == 0) return {};
  if (may_share_) {
    WH_ASSIGN(may_share_, share(tree, part));
    if (may_share_) return {};
  }
  WH_ASSIGN(const bool is_copied, copy(tree, part));
  if (!is_copied) want(part.offset, part.length, wanted);
  return {};
}

// Of each range that is missing of it the whole blocks; where it begins and ends within one, that
// is copied.
Result<bool> Reconstruction::share(DirectoryTree& tree, const Shareable& part) {
  constexpr std::uint64_t kUnit = platform::kSharedUnitBytes;
  const auto place_of = [&](std::uint64_t offset) { return part.place + (offset - part.offset); };
  for (const auto& [offset, length] : file_->missing(part.offset, part.length)) {
    std::uint64_t begin = (offset + kUnit - 1) / kUnit * kUnit;
    std::uint64_t end = (offset + length) / kUnit * kUnit;
    if (end < begin + kSharedMinBytes) begin = end = offset;
    if (begin < end) {
      WH_ASSIGN(const bool is_shared,
                file_->share(tree, basis_->file(), place_of(begin), {begin, end - begin},
                             [&] { return basis_->is_unchanged(); }));
      if (!is_shared) return false;
      has_shared_ = true;
      reused_bytes_ += end - begin;
      WH_ASSIGN(is_complete_, file_->skip(tree, end - begin));
    }
    for (const auto& [from, to] : {std::pair(offset, begin), std::pair(end, offset + length)}) {
      WH_ASSIGN(const bool is_copied, copy(tree, {from, place_of(from), to - from}));
      if (!is_copied) return false;
    }
  }
  return true;
}

Result<bool> Reconstruction::copy(DirectoryTree& tree, const Shareable& part) {
  if (buffer_.empty()) buffer_.resize(kChunkMaxBytes);
  for (std::uint64_t done = 0; done < part.length;) {
    const MutableBytes bytes = MutableBytes(buffer_).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(part.length - done, buffer_.size())));
    // Asked each time, before it is written: an interrupted run's bytes are believed by the next.
    if (!basis_->read(part.place + done, bytes) || !basis_->is_unchanged()) return false;
    WH_TRY(put(tree, part.offset + done, bytes));
    done += bytes.size();
  }
  return true;
}

void Reconstruction::want(std::uint64_t offset, std::uint64_t length, Ranges& wanted) const {
  for (const RangeSet::Range& range : file_->missing(offset, length)) {
    append(wanted, range);
    has_wanted_ = true;
  }
}

void Reconstruction::miss(std::uint64_t offset, std::uint64_t length, Ranges& wanted) {
  Ranges inside;
  refinement_.miss({offset, length}, inside);
  for (const RangeSet::Range& range : inside) want(range.offset, range.length, wanted);
}

void Reconstruction::want_unresolved(std::uint64_t end, Ranges& wanted) {
  while (!unresolved_.empty() && unresolved_.begin()->first < end) {
    const std::uint64_t offset = unresolved_.begin()->first;
    const Chunk chunk = unresolved_.begin()->second.chunk;
    miss(offset, chunk.length, wanted);
    unresolved_.erase(unresolved_.begin());
    const auto [first, last] = unresolved_places_.equal_range(chunk.hash);
    for (auto found = first; found != last; ++found) {
      if (found->second != offset) continue;
      unresolved_places_.erase(found);
      break;
    }
  }
}

}  // namespace wormhole::transfer
