#include "transfer/copy_guesses.h"

#include "transfer/reconstruction.h"

namespace wormhole::transfer {

std::uint64_t CopyGuesses::guess(std::uint64_t id, const platform::FileStatus& status,
                                 std::string_view name) {
  const std::uint64_t size = status.size_bytes;
  if (!is_comparable_length(size)) return 0;
  const auto found = sizes_.find(size);
  if (found == sizes_.end()) {
    if (sizes_.size() < kCopySizesMax) {
      sizes_.emplace(size, OfOneSize{id, status.modified, std::string(name)});
    }
    return 0;
  }
  OfOneSize& others = found->second;
  const bool shares_time = others.modified == status.modified && status.modified.nanoseconds != 0;
  const std::size_t most = shares_time || others.name == name ? kStrongGuessesMax : kWeakGuessesMax;
  const bool pays = others.wrong < kWeakGuessesMax + others.right;
  if (!pays || others.pending + others.wrong >= most + others.right) return 0;
  ++others.pending;
  pending_.emplace(id, size);
  return others.first;
}

CopyGuesses::OfOneSize* CopyGuesses::answered(std::uint64_t id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return nullptr;
  OfOneSize& others = sizes_.at(found->second);
  pending_.erase(found);
  --others.pending;
  return &others;
}

void CopyGuesses::on_answer(std::uint64_t id, bool was_copy) {
  OfOneSize* others = answered(id);
  if (others != nullptr) ++(was_copy ? others->right : others->wrong);
}

void CopyGuesses::forget(std::uint64_t id) { answered(id); }

}  // namespace wormhole::transfer
