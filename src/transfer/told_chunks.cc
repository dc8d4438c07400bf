#include "transfer/told_chunks.h"

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace wormhole::transfer {
namespace {

std::array<std::uint64_t, 4> random_factors() {
  std::random_device device;
  std::array<std::uint64_t, 4> factors{};
  for (std::uint64_t& factor : factors) {
    factor = (std::uint64_t{device()} << 32 | device()) | 1;
  }
  return factors;
}

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

}  // namespace

Result<void> count_told(std::uint64_t& told_bytes, std::uint64_t size_bytes,
                        const wire::Chunks& chunks) {
  if (chunks.offset != told_bytes) return fail(broken("the other side told chunks out of order"));
  for (const Chunk& chunk : chunks.chunks) {
    if (chunk.length > size_bytes - told_bytes) {
      return fail(broken("the other side told chunks behind the end of the file"));
    }
    told_bytes += chunk.length;
    if (chunk.length < kChunkMinBytes && told_bytes != size_bytes) {
      return fail(broken("the other side told a chunk that is too short"));
    }
  }
  return {};
}

ToldChunks::ToldChunks() : chunks_(0, ByChance{random_factors()}) {}

std::size_t ToldChunks::ByChance::operator()(const store::Hash& hash) const {
  std::array<std::uint64_t, 4> words{};
  static_assert(sizeof words == sizeof hash);
  std::memcpy(words.data(), hash.data(), sizeof words);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    // By the upper half of each word as well: the lower bits of a product know nothing of it.
    sum += (words[i] ^ words[i] >> 32) * factors[i];
  }
  return sum ^ sum >> 32;
}

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
  if (order_.size() < kToldChunksMax) order_.try_emplace(file, order_.size());
  for (const Chunk& chunk : chunks) {
    const Told told{{file, offset}, chunk.length};
    offset += chunk.length;
    const auto found = chunks_.find(chunk.hash);
    if (found != chunks_.end()) {
      if (came_to_nothing(found->second.source.file)) found->second = told;
    } else if (chunks_.size() < kToldChunksMax) {
      chunks_.emplace(chunk.hash, told);
    }
  }
}

bool ToldChunks::came_to_nothing(std::uint64_t file) const {
  return !coming_.contains(file) && !places_.contains(file);
}

std::size_t ToldChunks::order_of(std::uint64_t file) const {
  const auto found = order_.find(file);
  return found == order_.end() ? kToldChunksMax : found->second;
}

std::optional<ToldChunks::Source> ToldChunks::first(const Chunk& chunk,
                                                    std::uint64_t borrower) const {
  std::scoped_lock lock(mutex_);
  const auto found = chunks_.find(chunk.hash);
  // A host may give one name to chunks of several lengths; it is the name of one of them.
  if (found == chunks_.end() || found->second.length != chunk.length) return std::nullopt;
  const Source& source = found->second.source;
  if (source.file != borrower && order_of(source.file) >= order_of(borrower)) return std::nullopt;
  return source;
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
