#include "transfer/read_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/limits.h"
#include "platform/test_directory.h"
#include "transfer/chunks_testing.h"

namespace wormhole::transfer {
namespace {

using testing::chunks_of;

ByteVector random_bytes(std::size_t size) { return testing::random_bytes(size, 1); }

std::vector<PlacedChunk> placed(const std::vector<Chunk>& chunks, std::uint64_t offset = 0) {
  std::vector<PlacedChunk> out;
  for (const Chunk& chunk : chunks) {
    out.push_back({offset, chunk});
    offset += chunk.length;
  }
  return out;
}

std::vector<PlacedChunk> cut(Bytes data) { return placed(chunks_of(data)); }

// As no scan cuts, from one of its cuts on.
std::vector<PlacedChunk> joined(Bytes data, std::uint64_t begin = 0) {
  const Bytes rest = data.subspan(begin);
  auto chunks = testing::joined(rest, chunks_of(rest));
  chunks.pop_back();  // which may be one that a scan cuts, too
  return placed(chunks, begin);
}

// In pieces of one length: no cut is at their ends.
std::vector<PlacedChunk> pieces(Bytes data, std::uint64_t begin, std::uint32_t length) {
  std::vector<Chunk> chunks;
  for (std::uint64_t at = begin; at + length < data.size(); at += length) {
    chunks.push_back({length, store::hash(data.subspan(at, length))});
  }
  return placed(chunks, begin);
}

class ReadAheadTest : public ::testing::Test {
 protected:
  void write(Bytes bytes, std::uint64_t offset = 0) {
    std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void begin(Bytes content) {
    std::ofstream(path(), std::ios::binary).close();
    write(content);
    auto file = box_.open().open_file("f");
    ASSERT_TRUE(file.has_value());
    read_ahead_.emplace(std::make_shared<const platform::File>(std::move(*file)), content.size());
  }
  // What is left, with the right bytes.
  std::vector<PlacedChunk> read(Bytes content) {
    std::vector<PlacedChunk> chunks;
    while (const auto next = read_ahead_->next()) {
      const auto [offset, chunk] = next->placed;
      EXPECT_TRUE(as_text(next->bytes) == as_text(content.subspan(offset, chunk.length)));
      chunks.push_back(next->placed);
    }
    return chunks;
  }
  // These, and then what is left.
  void expect_read_first(Bytes content, const std::vector<PlacedChunk>& expected) {
    const auto cuts = cut(content);
    ASSERT_FALSE(std::ranges::all_of(expected, [&](const PlacedChunk& chunk) {
      return std::ranges::find(cuts, chunk) != cuts.end();
    })) << "a scan finds them as well";
    auto chunks = read(content);
    ASSERT_GE(chunks.size(), expected.size());
    EXPECT_EQ(chunks.back().end(), content.size()) << "behind them it is cut again";
    chunks.resize(expected.size());
    EXPECT_EQ(chunks, expected);
  }
  void expect(const std::vector<PlacedChunk>& chunks) {
    for (const PlacedChunk& chunk : chunks) read_ahead_->expect(chunk);
  }
  [[nodiscard]] std::filesystem::path path() const { return box_ / "f"; }

  const platform::TestDirectory box_;
  std::optional<ReadAhead> read_ahead_;
};

TEST_F(ReadAheadTest, CutsAsOneScanDoes) {
  for (const std::size_t size : {std::size_t{1}, kBlockBytes, 7 * kMiB, 20 * kMiB + 77}) {
    const ByteVector content = random_bytes(size);
    begin(content);
    EXPECT_EQ(read(content), cut(content)) << size;
  }
  begin(ByteVector(20 * kMiB));
  EXPECT_EQ(read(ByteVector(20 * kMiB)), cut(ByteVector(20 * kMiB))) << "the longest chunks";
}

TEST_F(ReadAheadTest, WhatIsExpectedAndThereIsNotCut) {
  const ByteVector content = random_bytes(20 * kMiB);
  begin(content);
  const auto expected = joined(content);
  expect(expected);
  expect_read_first(content, expected);
}

TEST_F(ReadAheadTest, WhatIsExpectedBehindACutIsFoundThere) {
  const ByteVector content = random_bytes(20 * kMiB);
  begin(content);
  const auto first = read_ahead_->next();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->placed, cut(content)[0]);
  const auto expected = joined(content, first->placed.end());
  expect(expected);
  expect_read_first(content, expected);
}

TEST_F(ReadAheadTest, WhatIsExpectedAndNotThereChangesNothing) {
  const ByteVector content = random_bytes(20 * kMiB);
  const auto chunks = cut(content);
  begin(content);
  expect({{0, {kChunkMaxBytes, {}}}, {kChunkMaxBytes, {1 * kMiB, {}}}});
  EXPECT_EQ(read(content), chunks) << "of other content";
  begin(content);
  auto last = chunks.back();
  last.chunk.length += 1;
  expect({last});
  EXPECT_EQ(read(content), chunks) << "longer than the file";
  begin(content);
  expect(pieces(content, 1000, 1 * kMiB));
  EXPECT_EQ(read(content), chunks) << "where no chunk begins";
  begin(content);
  expect(pieces(content, 0, 1 * kMiB + 1));
  EXPECT_EQ(read(content), chunks) << "where no chunk ends";
  begin(content);
  expect(joined(content, chunks[1].offset));
  expect({chunks[2]});
  EXPECT_EQ(read(content), chunks) << "forgotten, for what does not follow it";
}

TEST_F(ReadAheadTest, WhatNobodyAskedForIsNotReadYet) {
  const ByteVector content = random_bytes(20 * kMiB);
  begin(content);
  ASSERT_TRUE(read_ahead_->next().has_value());
  // But for the block in which the first one ended.
  ByteVector changed = content;
  const std::size_t behind = cut(content)[0].chunk.length + kBlockBytes;
  std::ranges::fill(changed.begin() + static_cast<std::ptrdiff_t>(behind), changed.end(),
                    std::byte{7});
  write(Bytes(changed).subspan(behind), behind);
  EXPECT_FALSE(read(changed).empty());
}

TEST_F(ReadAheadTest, WhatIsExpectedIsReadBeforeItIsAskedFor) {
  const ByteVector content = random_bytes(20 * kMiB);
  const auto chunks = cut(content);
  bool is_read = false;
  // On a slow machine it takes longer.
  for (auto time = std::chrono::milliseconds(1); !is_read && time < std::chrono::minutes(1);
       time *= 2) {
    begin(content);
    ASSERT_TRUE(read_ahead_->next().has_value());
    expect({chunks[1]});
    std::this_thread::sleep_for(time);
    write(ByteVector(chunks[1].chunk.length), chunks[1].offset);
    const auto next = read_ahead_->next();
    ASSERT_TRUE(next.has_value());
    is_read = next->placed == chunks[1];
  }
  EXPECT_TRUE(is_read);
}

TEST_F(ReadAheadTest, AFileOfOneChunkIsReadAsExpectedToo) {
  const ByteVector content = random_bytes(7 * kMiB);
  begin(content);
  const auto expected = joined(content);
  expect(expected);
  expect_read_first(content, expected);
}

TEST_F(ReadAheadTest, EndsWhereTheFileBecameShorter) {
  const ByteVector content = random_bytes(20 * kMiB);
  const auto chunks = cut(content);
  begin(content);
  std::filesystem::resize_file(path(), chunks[2].end() + 1);
  expect({chunks[0], chunks[1], chunks[2], chunks[3]});
  EXPECT_EQ(read(content), std::vector(chunks.begin(), chunks.begin() + 3));
  EXPECT_FALSE(read_ahead_->next().has_value()) << "once more";
}

TEST_F(ReadAheadTest, EndsWhileMoreIsExpectedOrLookedAt) {
  const ByteVector content = random_bytes(20 * kMiB);
  for (int taken = 0; taken < 4; ++taken) {
    begin(content);
    expect(cut(content));
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(read_ahead_->next().has_value());
    read_ahead_.reset();
  }
}

}  // namespace
}  // namespace wormhole::transfer
