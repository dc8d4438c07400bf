// How fast one core finds chunks and names them, over blocks as they come from a file.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "base/limits.h"
#include "store/chunker.h"
#include "store/cut_scan.h"

namespace wormhole::store {
namespace {

constexpr std::size_t kBytes = 128 * kMiB;
static_assert(kBytes % kBlockBytes == 0);

const ByteVector& data() {
  static const ByteVector bytes = [] {
    ByteVector made(kBytes);
    std::mt19937_64 generator(1);
    for (std::size_t i = 0; i < made.size(); i += 8) store_le(made.data() + i, generator());
    return made;
  }();
  return bytes;
}

// As a scan sees them: read into the same block again and again. Reading takes no part in the time.
template <typename Use>
void for_each_block(benchmark::State& state, const Use& use) {
  using Clock = std::chrono::steady_clock;
  const Bytes all = data();
  ByteVector block(kBlockBytes);
  for (auto _ : state) {
    Clock::duration used{};
    for (std::size_t at = 0; at < all.size(); at += kBlockBytes) {
      std::ranges::copy(all.subspan(at, kBlockBytes), block.begin());
      const Clock::time_point began = Clock::now();
      use(Bytes(block));
      used += Clock::now() - began;
    }
    state.SetIterationTime(std::chrono::duration<double>(used).count());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * all.size()));
}

void find_cuts(benchmark::State& state) {
  CutFinder cuts;
  for_each_block(state, [&](Bytes block) {
    while (!block.empty()) block = block.subspan(cuts.next(block).bytes);
  });
}
BENCHMARK(find_cuts)->UseManualTime();

// The scan alone, nothing skipped, by each kernel.
void scan(benchmark::State& state) {
  const CutKernel& kernel = cut_kernels()[static_cast<std::size_t>(state.range(0))];
  state.SetLabel(kernel.name);
  std::uint64_t gear = 0;
  for_each_block(state, [&](Bytes block) {
    while (!block.empty()) {
      block = block.subspan(kernel.find(block, gear, kChunkRule).value_or(block.size()));
    }
  });
}
BENCHMARK(scan)->UseManualTime()->DenseRange(0, static_cast<int>(cut_kernels().size()) - 1);

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
BENCHMARK(cut_and_hash)->UseManualTime();
void cut_finely_and_hash(benchmark::State& state) { cut_and_hash_by(state, kFineChunkRule); }
BENCHMARK(cut_finely_and_hash)->UseManualTime();

void hash_alone(benchmark::State& state) {
  Hasher hasher;
  for_each_block(state, [&](Bytes block) { hasher.add(block); });
}
BENCHMARK(hash_alone)->UseManualTime();

}  // namespace
}  // namespace wormhole::store
