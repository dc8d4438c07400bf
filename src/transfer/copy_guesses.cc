#include "transfer/copy_guesses.h"

#include "base/limits.h"
#include "transfer/reconstruction.h"

namespace wormhole::transfer {

std::uint64_t CopyGuesses::guess(std::uint64_t id, const platform::FileStatus& status,
                                 std::string_view name) {
  if (status.size_bytes < kReusableMinBytes || status.size_bytes > kReconstructedMaxBytes) return 0;
  const auto found = firsts_.find(status.size_bytes);
  if (found == firsts_.end()) {
    if (firsts_.size() < kCopySizesMax) {
      firsts_.emplace(status.size_bytes, First{id, status.modified, std::string(name)});
    }
    return 0;
  }
  const First& first = found->second;
  const bool shares_time = first.modified == status.modified && status.modified.nanoseconds != 0;
  const bool is_strong = shares_time || first.name == name;
  const std::size_t most = is_strong ? kStrongGuessesMax : kWeakGuessesMax;
  // What was often right may go on being wrong now and then, but not for ever.
  if (pending_.size() + wrong_ >= most + right_ || wrong_ >= kWeakGuessesMax + right_) return 0;
  pending_.insert(id);
  return first.id;
}

void CopyGuesses::on_answer(std::uint64_t id, bool was_copy) {
  if (pending_.erase(id) == 0) return;
  ++(was_copy ? right_ : wrong_);
}

}  // namespace wormhole::transfer
