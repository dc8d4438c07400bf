// Which files of one request may be copies of earlier ones: guessed from what a stat tells, before
// anything is read. The taker compares by chunks and says what came of it, so guessing stops where
// it does not pay: among ten thousand pictures of one size, after a few.
//
// Sans-I/O. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "platform/file_system.h"

namespace wormhole::transfer {

// Sizes that are remembered, of the files that came first.
inline constexpr std::size_t kCopySizesMax = kOpenEntriesMax;
// Guesses of one size that were wrong, or are not yet answered, beyond those that were right: of
// files that have only the size in common, and of those that share the time or the name as well.
inline constexpr std::size_t kWeakGuessesMax = 8;
inline constexpr std::size_t kStrongGuessesMax = 256;

class CopyGuesses {
 public:
  // The earlier file of which this one may be a copy; 0: none. An answer is then awaited.
  [[nodiscard]] std::uint64_t guess(std::uint64_t id, const platform::FileStatus& status,
                                    std::string_view name);
  // Something of the original was of use to the taker, or nothing.
  void on_answer(std::uint64_t id, bool was_copy);
  // No answer will come: the taker has no need of it.
  void forget(std::uint64_t id);
  // The same for all below `id` that `is_wanted` does not hold for.
  template <typename IsWanted>
  void forget_below(std::uint64_t id, const IsWanted& is_wanted) {
    std::vector<std::uint64_t> unwanted;
    for (const auto& [pending, size] : pending_) {
      if (pending >= id) break;
      if (!is_wanted(pending)) unwanted.push_back(pending);
    }
    for (const std::uint64_t pending : unwanted) forget(pending);
  }

 private:
  struct OfOneSize {
    std::uint64_t first;
    platform::Timestamp modified;  // of the first
    std::string name;
    std::size_t pending = 0;
    std::size_t right = 0;
    std::size_t wrong = 0;
  };
  // Null: no answer was awaited.
  OfOneSize* answered(std::uint64_t id);

  std::unordered_map<std::uint64_t, OfOneSize> sizes_;
  std::map<std::uint64_t, std::uint64_t> pending_;  // files and their sizes
};

}  // namespace wormhole::transfer
