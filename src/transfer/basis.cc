#include "transfer/basis.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "transfer/chunk_scan.h"

namespace wormhole::transfer {

Basis::Basis(std::shared_ptr<const platform::File> file, const platform::FileStatus& status)
    : file_(std::move(file)), status_(status), is_scanned_(status.size_bytes == 0) {}

Result<std::unique_ptr<Basis>> Basis::open(const platform::Directory& directory,
                                           std::string_view name, bool uncached) {
  WH_ASSIGN(auto file, directory.open_file(name));
  WH_ASSIGN(const auto status, file.status());
  file.advise_sequential();
  if (uncached) file.keep_cache_as_found();
  return std::unique_ptr<Basis>(
      new Basis(std::make_shared<const platform::File>(std::move(file)), status));
}

Result<void> Basis::scan_some(const Sink& sink) {
  WH_CHECK(!is_scanned_);
  last_ = read_ahead().next();
  if (!last_.has_value()) {
    end_scan();
    return {};
  }
  const auto& [placed, bytes] = *last_;
  chunks_.push_back(placed);
  places_.emplace(placed.chunk.hash, placed.offset);
  scanned_bytes_ = placed.end();
  WH_TRY(sink(placed, bytes));
  if (scanned_bytes_ == size()) end_scan();
  return {};
}

void Basis::expect(const PlacedChunk& chunk) {
  if (!is_scanned_) read_ahead().expect(chunk);
}

ReadAhead& Basis::read_ahead() {
  if (!read_ahead_.has_value()) read_ahead_.emplace(file_, size());
  return *read_ahead_;
}

void Basis::end_scan() {
  is_scanned_ = true;
  last_.reset();
  read_ahead_.reset();
}

bool Basis::has_at(std::uint64_t offset, const Chunk& chunk) const {
  const auto found = std::ranges::lower_bound(chunks_, offset, {}, &PlacedChunk::offset);
  return found != chunks_.end() && found->offset == offset && found->chunk == chunk;
}

std::optional<std::size_t> Basis::index_of(const Chunk& chunk) const {
  const auto place = find(chunk);
  if (!place.has_value()) return std::nullopt;
  const auto found = std::ranges::lower_bound(chunks_, *place, {}, &PlacedChunk::offset);
  return static_cast<std::size_t>(found - chunks_.begin());
}

std::optional<std::uint64_t> Basis::find(const Chunk& chunk) const {
  const auto found = places_.find(chunk.hash);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

void Basis::forget_chunks() {
  end_scan();
  chunks_ = {};
  places_ = {};
}

std::vector<Chunk> Basis::fine_chunks(const RangeSet::Range& range) const {
  ChunkScan scan(file_, range, store::kFineChunkRule);
  ByteVector buffer(kBlockBytes);
  std::vector<Chunk> chunks;
  while (!scan.is_over() && scan.step(buffer, chunks).has_value()) {
  }
  return chunks;
}

bool Basis::read(std::uint64_t offset, MutableBytes out) const {
  const auto got = file_->read_at(out, offset);
  return got.has_value() && *got == out.size();
}

bool Basis::read(const Chunk& chunk, std::uint64_t offset, MutableBytes out) const {
  WH_CHECK(out.size() == chunk.length);
  if (last_.has_value() && last_->placed == PlacedChunk{offset, chunk}) {
    std::ranges::copy(last_->bytes, out.begin());
    return true;
  }
  return read(offset, out) && store::hash(out) == chunk.hash;
}

// Behind the look at its status. A change within the tick of the clock in which it was changed last
// would not be told from that one.
bool Basis::is_settled() const {
  return file_->finish_write_back() && status_.changed < platform::stamp_now();
}

bool Basis::is_unchanged() const {
  const auto now = file_->status();
  return now.has_value() && now->same_version(status_);
}

}  // namespace wormhole::transfer
