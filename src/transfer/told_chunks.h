// Which chunks the giver has told in this transfer, where each came first, and what became of that
// file: what stands in two of them, or twice in one, crosses once.
//
// Any thread. Chunks of files that failed stay here: who looks for their bytes finds no place.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/limits.h"
#include "store/chunker.h"
#include "store/place.h"
#include "transfer/basis.h"

namespace wormhole::transfer {

// What is told beyond these is not remembered: 256 GB in chunks of 2 MiB, 13 MB to find them by.
inline constexpr std::size_t kToldChunksMax = 128 * 1024;
// Likewise files in place.
inline constexpr std::size_t kToldPlacesMax = kOpenEntriesMax;

class ToldChunks {
 public:
  struct Source {
    std::uint64_t file;
    std::uint64_t offset;
  };

  // The file is on its way.
  void begin(std::uint64_t file);
  // It is there, or came to nothing. Once there it stays so.
  void end(std::uint64_t file, std::optional<store::Place> place);

  void on_told(std::uint64_t file, std::uint64_t offset, const std::vector<Chunk>& chunks);
  // The first place of all that were told; nullopt for one that was not.
  [[nodiscard]] std::optional<Source> first(const Chunk& chunk) const;

  [[nodiscard]] bool is_coming(std::uint64_t file) const;
  [[nodiscard]] std::optional<store::Place> place(std::uint64_t file) const;

 private:
  struct Told {
    Source source;
    std::uint32_t length;
  };

  mutable std::mutex mutex_;
  std::unordered_map<store::Hash, Told, HashOfHash> chunks_;
  std::unordered_set<std::uint64_t> coming_;
  std::unordered_map<std::uint64_t, store::Place> places_;
};

}  // namespace wormhole::transfer
