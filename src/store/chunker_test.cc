#include "store/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/corpus_testing.h"
#include "base/document_testing.h"
#include "store/chunker_fuzz.h"

namespace wormhole::store {
namespace {

// SplitMix64 from `seed` on, little-endian: as docs/formats/chunks.md describes it.
ByteVector splitmix_bytes(std::size_t size, std::uint64_t seed) {
  ByteVector bytes(size);
  std::uint64_t state = seed;
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    store_le(bytes.data() + at, z ^ (z >> 31));
  }
  return bytes;
}

std::vector<Chunk> chunks_of(Bytes data, std::size_t portion = 256 * kKiB,
                             const CutRule& rule = kChunkRule) {
  Chunker chunker(rule);
  std::vector<Chunk> chunks;
  for (std::size_t at = 0; at < data.size(); at += portion) {
    chunker.add(data.subspan(at, std::min(portion, data.size() - at)), chunks);
  }
  chunker.finish(chunks);
  return chunks;
}

std::uint64_t total(const std::vector<Chunk>& chunks) {
  std::uint64_t sum = 0;
  for (const Chunk& chunk : chunks) sum += chunk.length;
  return sum;
}

// Of `changed`, what `original` has not.
std::vector<Chunk> new_chunks(const std::vector<Chunk>& original,
                              const std::vector<Chunk>& changed) {
  std::set<Hash> known;
  for (const Chunk& chunk : original) known.insert(chunk.hash);
  std::vector<Chunk> fresh;
  std::ranges::copy_if(changed, std::back_inserter(fresh),
                       [&](const Chunk& chunk) { return !known.contains(chunk.hash); });
  return fresh;
}

TEST(Chunker, AnEmptyFileHasNoChunk) { EXPECT_TRUE(chunks_of({}).empty()); }

TEST(Chunker, AFileBelowTheMinimumIsOneChunk) {
  const ByteVector data = splitmix_bytes(kChunkMinBytes - 8, 7);
  const auto chunks = chunks_of(data);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0], (Chunk{kChunkMinBytes - 8, hash(data)}));
}

TEST(Chunker, TheDocumentedVectors) {
  const auto values = testing::documented_values("docs/formats/chunks.md");
  const auto chunks = chunks_of(splitmix_bytes(16 * kMiB, 42));
  ASSERT_EQ(std::to_string(chunks.size()), values.at("chunks"));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::string name = "chunk " + std::to_string(i);
    EXPECT_EQ(std::to_string(chunks[i].length) + to_hex(chunks[i].hash), values.at(name));
  }
}

TEST(Chunker, AChunkMayEndWhereTheRuleCuts) {
  const ByteVector data = splitmix_bytes(20 * kMiB, 1);
  Bytes rest = data;
  auto chunks = chunks_of(data);
  ASSERT_GT(chunks.size(), 3U);
  chunks.pop_back();  // which ends with the file
  for (const Chunk& chunk : chunks) {
    ASSERT_LT(chunk.length, kChunkMaxBytes);
    EXPECT_TRUE(may_end_chunk(rest.first(chunk.length)));
    EXPECT_FALSE(may_end_chunk(rest.first(chunk.length - 1)));
    EXPECT_FALSE(may_end_chunk(rest.subspan(1, chunk.length)));
    EXPECT_FALSE(may_end_chunk(rest.subspan(chunk.length - 64, 64))) << "below the minimum";
    rest = rest.subspan(chunk.length);
  }
}

TEST(Chunker, TheDocumentedVectorsOfFineChunks) {
  const auto values = testing::documented_values("docs/formats/chunks.md");
  const auto chunks = chunks_of(splitmix_bytes(128 * kKiB, 42), 256 * kKiB, kFineChunkRule);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::string name = "fine chunk " + std::to_string(i);
    const std::string value = std::to_string(chunks[i].length) + to_hex(chunks[i].hash);
    if (!values.contains(name))
      ADD_FAILURE() << "missing: " << name << " = " << value;
    else
      EXPECT_EQ(value, values.at(name));
  }
  ASSERT_EQ(std::to_string(chunks.size()), values.at("fine chunks"));
}

TEST(Chunker, FineChunksHaveTwentyKibibytesOnAverage) {
  const auto chunks = chunks_of(splitmix_bytes(16 * kMiB, 11), 77'777, kFineChunkRule);
  const double average = 16.0 * 1024 / static_cast<double>(chunks.size());
  EXPECT_GT(average, 18);
  EXPECT_LT(average, 21);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
    EXPECT_GE(chunks[i].length, kFineChunkMinBytes);
    EXPECT_LE(chunks[i].length, kFineChunkMaxBytes);
  }
}

TEST(Chunker, PortionsAreNeverCuts) {
  const ByteVector data = splitmix_bytes(24 * kMiB, 3);
  const auto whole = chunks_of(data, data.size());
  ASSERT_GT(whole.size(), 4U);
  EXPECT_EQ(total(whole), data.size());
  for (const std::size_t portion :
       {std::size_t{4096}, std::size_t{65'537}, 256 * kKiB, 1 * kMiB - 1, 64 * kMiB}) {
    EXPECT_EQ(chunks_of(data, portion), whole) << portion;
  }
  std::mt19937_64 generator(5);
  Chunker chunker;
  std::vector<Chunk> chunks;
  for (Bytes rest = data; !rest.empty();) {
    const auto portion = std::min<std::size_t>(rest.size(), generator() % 700'000);
    chunker.add(rest.first(portion), chunks);
    rest = rest.subspan(portion);
  }
  chunker.finish(chunks);
  EXPECT_EQ(chunks, whole);
}

TEST(Chunker, BeginsANewFileAfterTheEndOfOne) {
  const ByteVector data = splitmix_bytes(5 * kMiB, 3);
  Chunker chunker;
  std::vector<Chunk> first;
  std::vector<Chunk> second;
  chunker.add(data, first);
  chunker.finish(first);
  chunker.add(data, second);
  chunker.finish(second);
  EXPECT_EQ(first, second);
}

// Threat 13: what never cuts, and what cuts wherever it may.
TEST(Chunker, HostileDataIsCutAtTheLimits) {
  const auto zeros = chunks_of(ByteVector(20 * kMiB));
  ASSERT_EQ(zeros.size(), 3U);
  EXPECT_EQ(zeros[0].length, kChunkMaxBytes);
  EXPECT_EQ(zeros[1], zeros[0]);
  EXPECT_EQ(zeros[2].length, 4 * kMiB);

  // A window that cuts, everywhere a chunk may end at the earliest.
  const ByteVector random = splitmix_bytes(16 * kMiB, 42);
  const std::size_t cut = chunks_of(random)[0].length;
  ASSERT_LT(cut, kChunkMaxBytes);
  const Bytes window = Bytes(random).subspan(cut - 64, 64);
  ByteVector always(10 * kMiB);
  for (std::size_t end = kChunkMinBytes; end <= always.size(); end += kChunkMinBytes) {
    std::ranges::copy(window, always.begin() + static_cast<std::ptrdiff_t>(end - 64));
  }
  const auto smallest = chunks_of(always);
  ASSERT_EQ(smallest.size(), 10U);
  for (const Chunk& chunk : smallest) EXPECT_EQ(chunk, smallest[0]);
}

TEST(Chunker, ChunksHaveTwoMebibytesOnAverage) {
  const auto chunks = chunks_of(splitmix_bytes(256 * kMiB, 11));
  const double average = 256.0 / static_cast<double>(chunks.size());
  EXPECT_GT(average, 1.7);
  EXPECT_LT(average, 2.3);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
    EXPECT_GE(chunks[i].length, kChunkMinBytes);
    EXPECT_LE(chunks[i].length, kChunkMaxBytes);
  }
}

// How far a change spreads: 4 chunks beside what changed itself is what a transfer may cost.
TEST(Chunker, AChangeSpreadsToItsNeighboursOnly) {
  constexpr std::uint64_t kSeed = 20'261'127;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  const ByteVector original = splitmix_bytes(32 * kMiB, kSeed);
  const auto chunks = chunks_of(original);
  const auto at = [&](std::uint64_t place) {
    return original.begin() + static_cast<std::ptrdiff_t>(place);
  };
  std::size_t most = 0;
  std::size_t sum = 0;
  int edits = 0;
  const auto judge = [&](const ByteVector& changed, std::uint64_t changed_bytes) {
    const auto fresh = new_chunks(chunks, chunks_of(changed));
    const std::size_t spread = fresh.size();
    most = std::max(most, spread);
    sum += spread;
    ++edits;
    EXPECT_LE(total(fresh), changed_bytes + std::uint64_t{4} * kChunkMaxBytes);
  };
  for (int round = 0; round < 8; ++round) {
    const std::uint64_t place = generator() % (original.size() - kMiB);
    const std::uint64_t length = 1 + generator() % 1000;
    ByteVector inserted = original;
    const ByteVector addition = splitmix_bytes(8 * (1 + generator() % 100), generator());
    inserted.insert(inserted.begin() + static_cast<std::ptrdiff_t>(place), addition.begin(),
                    addition.end());
    judge(inserted, addition.size());
    ByteVector deleted(original.begin(), at(place));
    deleted.insert(deleted.end(), at(place + length), original.end());
    judge(deleted, 0);
    ByteVector overwritten = original;
    for (std::uint64_t i = 0; i < length; ++i) overwritten[place + i] ^= std::byte{0x55};
    judge(overwritten, length);
  }
  // Of a move, both places and the one it came from change.
  ByteVector moved(at(20 * kMiB), at(30 * kMiB));
  moved.insert(moved.end(), original.begin(), at(20 * kMiB));
  moved.insert(moved.end(), at(30 * kMiB), original.end());
  EXPECT_LE(total(new_chunks(chunks, chunks_of(moved))), 3 * 4 * kChunkMaxBytes);

  EXPECT_LE(static_cast<double>(sum) / edits, 2.5) << "chunks a change, on average";
  EXPECT_LE(most, 10U);
}

TEST(Chunker, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 1;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  for (int round = 0; round < 40; ++round) {
    ByteVector input(1 + generator() % 24);
    for (std::byte& byte : input) byte = std::byte(generator());
    fuzz_chunker(input);
  }
}

TEST(Chunker, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(testing::run_corpus("store", "chunker_fuzz", fuzz_chunker), 0U);
}

}  // namespace
}  // namespace wormhole::store
