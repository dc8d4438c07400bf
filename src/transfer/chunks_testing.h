// Random files, their chunks, and chunks that no scan of them would cut, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/noise_testing.h"
#include "store/chunker.h"

namespace wormhole::transfer::testing {

inline ByteVector random_bytes(std::size_t size, std::uint64_t seed) {
  const std::string noise = wormhole::testing::noise(size, seed);
  const Bytes bytes = as_bytes(noise);
  return {bytes.begin(), bytes.end()};
}

// As one sequential scan cuts it.
inline std::vector<Chunk> chunks_of(Bytes data, const store::CutRule& rule = store::kChunkRule) {
  store::Chunker chunker(rule);
  std::vector<Chunk> chunks;
  chunker.add(data, chunks);
  chunker.finish(chunks);
  return chunks;
}

// Of the chunks of `data`, two each where they are short enough: their ends are cuts, but no scan
// passes over those within them.
inline std::vector<Chunk> joined(Bytes data, const std::vector<Chunk>& chunks) {
  std::vector<Chunk> out;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < chunks.size();) {
    std::uint32_t length = chunks[i++].length;
    if (i < chunks.size() && length + chunks[i].length <= kChunkMaxBytes) {
      length += chunks[i++].length;
    }
    out.push_back({length, store::hash(data.subspan(offset, length))});
    offset += length;
  }
  return out;
}

}  // namespace wormhole::transfer::testing
