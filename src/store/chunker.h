// Content-defined chunks of a file: the same bytes make the same chunks wherever they stand, so
// that an insertion changes the chunks around it and no others.
//
// A gear hash over the last 64 bytes cuts (Xia et al., FastCDC, USENIX ATC 2016): between 1 and
// 8 MiB, at about one position in a MiB, so that a chunk has 2 MiB on average. BLAKE3 names it.
// What is below the minimum is skipped, not scanned. Where a chunk is new in part, the same is done
// once more a hundred times finer (two levels: Kruus, Ungureanu, Dubnicki, Bimodal content defined
// chunking, FAST 2010). Cuts and names are part of the protocol and of the index:
// docs/formats/chunks.md has the rules, and vectors that tests hold.
//
// Sans-I/O, no allocation after construction but for `out`. One thread each. Time is linear in the
// bytes, whatever they are.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/chunk.h"
#include "store/cut_rule.h"
#include "store/hash.h"

namespace wormhole::store {

// By the last bytes of `data`, a chunk may end there (whether or not an earlier one does).
[[nodiscard]] bool may_end_chunk(Bytes data);

// Finds where chunks end.
class CutFinder {
 public:
  explicit CutFinder(const CutRule& rule = kChunkRule) : rule_(rule) {}

  struct Found {
    std::size_t bytes;  // so many of the front belong to the chunk in progress
    bool is_cut;        // which ends with them
  };
  // `data` follows what the calls before covered. Not everything is covered only at a cut.
  [[nodiscard]] Found next(Bytes data);
  // What comes next is the first of a file.
  void begin_anew() { chunk_bytes_ = gear_ = 0; }

 private:
  CutRule rule_;
  std::uint64_t chunk_bytes_ = 0;  // of the chunk in progress
  std::uint64_t gear_ = 0;
};

class Chunker {
 public:
  explicit Chunker(const CutRule& rule = kChunkRule) : cuts_(rule) {}

  // The file's next bytes. Appends what they complete.
  void add(Bytes data, std::vector<Chunk>& out);
  // The file's end. Appends the last chunk, unless the file was empty; then a new file may begin.
  void finish(std::vector<Chunk>& out);

 private:
  void end_chunk(std::vector<Chunk>& out);

  CutFinder cuts_;
  Hasher hasher_;
  std::uint32_t length_ = 0;
};

}  // namespace wormhole::store
