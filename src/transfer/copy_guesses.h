// Which files of one request may be copies of earlier ones: guessed from what a stat tells, before
// anything is read. The taker compares by chunks and says what came of it, so guessing stops where
// it does not pay: in a film of ten thousand pictures of one size, after a few.
//
// Sans-I/O. One thread at a time.
#pragma once

#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/file_system.h"

namespace wormhole::transfer {

// Sizes that are remembered, of the files that came first.
inline constexpr std::size_t kCopySizesMax = 4096;
// Guesses that were wrong, or are not yet answered, beyond those that were right: of files that
// have only the size in common, and of those that share the time or the name as well.
inline constexpr std::size_t kWeakGuessesMax = 8;
inline constexpr std::size_t kStrongGuessesMax = 256;

class CopyGuesses {
 public:
  // The earlier file of which this one may be a copy; 0: none. An answer is then awaited.
  [[nodiscard]] std::uint64_t guess(std::uint64_t id, const platform::FileStatus& status,
                                    std::string_view name);
  // Something of the original was of use to the taker, or nothing.
  void on_answer(std::uint64_t id, bool was_copy);
  // No answer will come: the taker has no need of these.
  void forget(std::uint64_t id) { pending_.erase(id); }
  // The same for all below `id` that `is_wanted` does not hold for.
  template <typename IsWanted>
  void forget_below(std::uint64_t id, const IsWanted& is_wanted) {
    for (auto pending = pending_.begin(); pending != pending_.lower_bound(id);) {
      pending = is_wanted(*pending) ? std::next(pending) : pending_.erase(pending);
    }
  }

 private:
  struct First {
    std::uint64_t id;
    platform::Timestamp modified;
    std::string name;
  };

  std::unordered_map<std::uint64_t, First> firsts_;  // by size
  std::set<std::uint64_t> pending_;
  std::size_t right_ = 0;
  std::size_t wrong_ = 0;
};

}  // namespace wormhole::transfer
