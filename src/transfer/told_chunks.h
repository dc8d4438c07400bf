// Which chunks the giver has told in this transfer, where each came first, and what became of that
// file: what stands in two of them, or twice in one, crosses once.
//
// Any thread. The names are the host's choice: where they are kept is a matter of chance.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "store/chunker.h"
#include "store/place.h"
#include "wire/messages.h"

namespace wormhole::transfer {

// What is told beyond these is not remembered: 256 GB in chunks of 2 MiB, 13 MB to find them by.
inline constexpr std::size_t kToldChunksMax = std::size_t{128} * 1024;
// Likewise files in place.
inline constexpr std::size_t kToldPlacesMax = kOpenEntriesMax;

// Counts `told_bytes` on by the next chunks of a file so long. kProtocol when they do not follow,
// leave the file, or are too short: that would make its list longer than a file can need.
[[nodiscard]] Result<void> count_told(std::uint64_t& told_bytes, std::uint64_t size_bytes,
                                      const wire::Chunks& chunks);

class ToldChunks {
 public:
  ToldChunks();

  struct Source {
    std::uint64_t file;
    std::uint64_t offset;
  };

  // The file is on its way.
  void begin(std::uint64_t file);
  // It is there, or came to nothing. Once there it stays so.
  void end(std::uint64_t file, std::optional<store::Place> place);

  void on_told(std::uint64_t file, std::uint64_t offset, const std::vector<Chunk>& chunks);
  // The first place of all that were told and did not come to nothing; nullopt where that is in a
  // file whose chunks came later than those of `borrower`, so that no two wait for each other.
  [[nodiscard]] std::optional<Source> first(const Chunk& chunk, std::uint64_t borrower) const;

  [[nodiscard]] bool is_coming(std::uint64_t file) const;
  [[nodiscard]] std::optional<store::Place> place(std::uint64_t file) const;

 private:
  struct Told {
    Source source;
    std::uint32_t length;
  };
  // Multilinear: of names that were chosen without knowing the factors, few fall together.
  struct ByChance {
    std::array<std::uint64_t, 4> factors;
    std::size_t operator()(const store::Hash& hash) const;
  };
  // With the mutex held, the next two.
  [[nodiscard]] bool came_to_nothing(std::uint64_t file) const;
  [[nodiscard]] std::size_t order_of(std::uint64_t file) const;

  mutable std::mutex mutex_;
  std::unordered_map<store::Hash, Told, ByChance> chunks_;
  std::unordered_map<std::uint64_t, std::size_t> order_;  // in which files were told
  std::unordered_set<std::uint64_t> coming_;
  std::unordered_map<std::uint64_t, store::Place> places_;
};

}  // namespace wormhole::transfer
