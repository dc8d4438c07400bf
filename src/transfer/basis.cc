#include "transfer/basis.h"

#include <algorithm>

#include "base/check.h"

namespace wormhole::transfer {

Result<std::unique_ptr<Basis>> Basis::open(const platform::Directory& directory,
                                           std::string_view name, bool uncached) {
  WH_ASSIGN(auto file, directory.open_file(name));
  WH_ASSIGN(const auto status, file.status());
  file.advise_sequential();
  return std::unique_ptr<Basis>(
      new Basis(std::make_shared<const platform::File>(std::move(file)), status, uncached));
}

void Basis::scan_some(MutableBytes buffer) {
  WH_CHECK(!is_scanned_);
  const std::size_t before = chunks_.size();
  const auto step = scan_.step(buffer, chunks_);
  for (std::size_t i = before; i < chunks_.size(); ++i) {
    places_.emplace(chunks_[i].hash, noted_bytes_);
    noted_bytes_ += chunks_[i].length;
  }
  is_scanned_ = !step.has_value() || scan_.is_over();
}

std::optional<std::uint64_t> Basis::find(const Chunk& chunk) const {
  const auto found = places_.find(chunk.hash);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

bool Basis::read(const Chunk& chunk, std::uint64_t offset, MutableBytes out) const {
  WH_CHECK(out.size() == chunk.length);
  const auto got = uncached_ ? file_->read_uncached_at(out, offset) : file_->read_at(out, offset);
  return got.has_value() && *got == out.size() && store::hash(out) == chunk.hash;
}

bool Basis::is_unchanged(const platform::Directory& directory, std::string_view name) const {
  const auto opened = file_->status();
  const auto named = directory.status_of(name);
  return opened.has_value() && opened->same_version(status_) && named.has_value() &&
         named->same_version(status_);
}

}  // namespace wormhole::transfer
