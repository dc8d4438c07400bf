#include "transfer/told_chunks.h"

#include <utility>

namespace wormhole::transfer {

void ToldChunks::begin(std::uint64_t file) {
  std::scoped_lock lock(mutex_);
  coming_.insert(file);
}

void ToldChunks::end(std::uint64_t file, std::optional<store::Place> place) {
  std::scoped_lock lock(mutex_);
  if (coming_.erase(file) == 0 || !place.has_value()) return;
  if (places_.size() < kToldPlacesMax) places_.emplace(file, std::move(*place));
}

void ToldChunks::on_told(std::uint64_t file, std::uint64_t offset,
                         const std::vector<Chunk>& chunks) {
  std::scoped_lock lock(mutex_);
  for (const Chunk& chunk : chunks) {
    if (chunks_.size() >= kToldChunksMax) return;
    chunks_.try_emplace(chunk.hash, Told{{file, offset}, chunk.length});
    offset += chunk.length;
  }
}

std::optional<ToldChunks::Source> ToldChunks::first(const Chunk& chunk) const {
  std::scoped_lock lock(mutex_);
  const auto found = chunks_.find(chunk.hash);
  // A host may give one name to chunks of several lengths; it is the name of one of them.
  if (found == chunks_.end() || found->second.length != chunk.length) return std::nullopt;
  return found->second.source;
}

bool ToldChunks::is_coming(std::uint64_t file) const {
  std::scoped_lock lock(mutex_);
  return coming_.contains(file);
}

std::optional<store::Place> ToldChunks::place(std::uint64_t file) const {
  std::scoped_lock lock(mutex_);
  const auto found = places_.find(file);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

}  // namespace wormhole::transfer
