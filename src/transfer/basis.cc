#include "transfer/basis.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace wormhole::transfer {

Basis::Basis(std::shared_ptr<const platform::File> file, const platform::FileStatus& status)
    : file_(std::move(file)),
      status_(status),
      scan_(file_, {0, status.size_bytes}),
      is_scanned_(status.size_bytes == 0) {}

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
  if (buffer_.empty()) buffer_.resize(kChunkMaxBytes + kBlockBytes);
  const std::uint64_t before = scan_.position();
  ended_.clear();
  const auto step = scan_.step(MutableBytes(buffer_).subspan(buffered_, kBlockBytes), ended_);
  is_scanned_ = !step.has_value() || scan_.is_over();
  buffered_ += static_cast<std::size_t>(scan_.position() - before);
  Bytes rest = Bytes(buffer_).first(buffered_);
  for (const Chunk& chunk : ended_) {
    const std::uint64_t offset = scan_.position() - rest.size();
    chunks_.push_back({offset, chunk});
    places_.emplace(chunk.hash, offset);
    WH_TRY(sink(chunk, offset, rest.first(chunk.length)));
    rest = rest.subspan(chunk.length);
  }
  // Less than a block: it ended within the last one.
  if (!ended_.empty()) std::ranges::copy(rest, buffer_.begin());
  buffered_ = rest.size();
  return {};
}

bool Basis::has_at(std::uint64_t offset, const Chunk& chunk) const {
  const auto found = std::ranges::lower_bound(chunks_, offset, {}, &Placed::offset);
  return found != chunks_.end() && found->offset == offset && found->chunk == chunk;
}

std::optional<std::size_t> Basis::index_of(const Chunk& chunk) const {
  const auto place = find(chunk);
  if (!place.has_value()) return std::nullopt;
  const auto found = std::ranges::lower_bound(chunks_, *place, {}, &Placed::offset);
  return static_cast<std::size_t>(found - chunks_.begin());
}

std::optional<std::uint64_t> Basis::find(const Chunk& chunk) const {
  const auto found = places_.find(chunk.hash);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

void Basis::forget_chunks() {
  is_scanned_ = true;
  buffer_ = {};
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
  return read(offset, out) && store::hash(out) == chunk.hash;
}

bool Basis::is_unchanged() const {
  const auto now = file_->status();
  return now.has_value() && now->same_version(status_);
}

}  // namespace wormhole::transfer
