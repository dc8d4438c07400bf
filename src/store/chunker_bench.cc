// How fast one core finds chunks and names them, over blocks as they come from a file.
#include <benchmark/benchmark.h>

#include <random>

#include "base/limits.h"
#include "store/chunker.h"

namespace wormhole::store {
namespace {

constexpr std::size_t kBytes = 128 * kMiB;

// As a scan sees them: read into the same block again and again.
const ByteVector& data() {
  static const ByteVector bytes = [] {
    ByteVector made(kBytes);
    std::mt19937_64 generator(1);
    for (std::size_t i = 0; i < made.size(); i += 8) store_le(made.data() + i, generator());
    return made;
  }();
  return bytes;
}

template <typename Use>
void for_each_block(benchmark::State& state, const Use& use) {
  const Bytes all = data();
  for (auto _ : state) {
    for (std::size_t at = 0; at < all.size(); at += kBlockBytes) {
      use(all.subspan(at, std::min(kBlockBytes, all.size() - at)));
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * all.size()));
}

void find_cuts(benchmark::State& state) {
  CutFinder cuts;
  for_each_block(state, [&](Bytes block) {
    while (!block.empty()) block = block.subspan(cuts.next(block).bytes);
  });
}
BENCHMARK(find_cuts);

void cut_and_hash_by(benchmark::State& state, const CutRule& rule) {
  Chunker chunker(rule);
  std::vector<Chunk> chunks;
  for_each_block(state, [&](Bytes block) {
    chunks.clear();
    chunker.add(block, chunks);
    benchmark::DoNotOptimize(chunks.data());
  });
}
void cut_and_hash(benchmark::State& state) { cut_and_hash_by(state, kChunkRule); }
BENCHMARK(cut_and_hash);
void cut_finely_and_hash(benchmark::State& state) { cut_and_hash_by(state, kFineChunkRule); }
BENCHMARK(cut_finely_and_hash);

void hash_alone(benchmark::State& state) {
  Hasher hasher;
  for_each_block(state, [&](Bytes block) { hasher.add(block); });
}
BENCHMARK(hash_alone);

}  // namespace
}  // namespace wormhole::store
