// Reconstruction, Basis and TakenFile together, on a real disk.
#include "transfer/reconstruction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/content_testing.h"
#include "base/limits.h"
#include "platform/test_directory.h"
#include "transfer/chunks_testing.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using Next = Reconstruction::Next;
using IfDifferent = Reconstruction::IfDifferent;

const PublishRules kReplace{.overwrite = true, .started = {INT64_MAX, 0}};

using testing::chunks_of;
using testing::joined;
using testing::random_bytes;

std::uint64_t total(const std::vector<RangeSet::Range>& ranges) {
  std::uint64_t sum = 0;
  for (const auto& range : ranges) sum += range.length;
  return sum;
}

class ReconstructionTest : public ::testing::Test {
 protected:
  // What stands at the destination.
  void here(Bytes content) {
    std::ofstream file(path(), std::ios::binary);
    file.write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  }
  void announce(Bytes content, IfDifferent if_different = IfDifferent::kReplace) {
    content_ = content;
    wire::Entry entry;
    entry.name = "f";
    entry.size = content.size();
    entry.mode = 0644;
    entry.mtime_seconds = 1'234'567'890;
    entry.version = 1;
    announce(entry, if_different);
  }
  void announce(const wire::Entry& entry, IfDifferent if_different = IfDifferent::kReplace) {
    file_ = std::make_shared<TakenFile>(7, 3, tree_.root(), entry, UINT64_MAX, cache_);
    reconstruction_ = std::make_unique<Reconstruction>(file_, if_different);
  }
  Result<void> tell(std::uint64_t offset, std::vector<Chunk> chunks) {
    return reconstruction_->on_chunks(
        {.request = 1, .file = 7, .offset = offset, .chunks = std::move(chunks)});
  }
  void tell_all() { ASSERT_TRUE(tell(0, chunks_of(content_)).has_value()); }
  Result<void> tell_finely(std::uint64_t offset, std::vector<Chunk> chunks) {
    return reconstruction_->on_fine_chunks(
        {.request = 1, .file = 7, .offset = offset, .chunks = std::move(chunks)});
  }
  // What is asked for, as a host does.
  void tell_all_finely() {
    for (const auto& range : reconstruction_->fine_ranges()) {
      const Bytes bytes = content_.subspan(range.offset, range.length);
      ASSERT_TRUE(tell_finely(range.offset, chunks_of(bytes, store::kFineChunkRule)).has_value());
    }
  }
  // Until it waits, asks or is over.
  Result<Next> run_up() {
    while (true) {
      const auto next = reconstruction_->step(tree_, wanted_);
      if (!next.has_value() || *next != Next::kStep) return next;
    }
  }
  // The same, and what it asks for is told.
  Result<Next> run() {
    auto next = run_up();
    if (next != Next::kAskFiner) return next;
    tell_all_finely();
    return run_up();
  }
  // What was asked for comes. Whether the file is whole by that.
  bool arrives() {
    bool complete = false;
    for (const auto& range : std::exchange(wanted_, {})) {
      for (std::uint64_t at = range.offset; at < range.offset + range.length;) {
        const auto length = std::min<std::uint64_t>(range.offset + range.length - at, kBlockBytes);
        EXPECT_TRUE(file_->claim(at, length).has_value());
        const auto written = file_->write(tree_, content_.subspan(at, length), at);
        EXPECT_TRUE(written.has_value());
        complete = written.value_or(false);
        at += length;
      }
    }
    return complete;
  }
  void expect_published() {
    ASSERT_TRUE(file_->publish(tree_, kReplace).has_value());
    EXPECT_TRUE(wormhole::testing::content_of(path()) == as_text(content_));
  }
  [[nodiscard]] fs::path path() const { return box_ / "f"; }

  const platform::TestDirectory box_;
  DirectoryTree tree_{box_.open()};
  const SystemClock clock_;
  CacheSpeed cache_{clock_};
  Bytes content_;
  TakenFilePtr file_;
  std::unique_ptr<Reconstruction> reconstruction_;
  std::vector<RangeSet::Range> wanted_;
};

TEST_F(ReconstructionTest, WhatIsTheSameIsCopiedAndTheRestAskedFor) {
  const ByteVector old = random_bytes(20 * kMiB, 1);
  ByteVector changed = old;
  changed.insert(changed.begin() + 9 * kMiB, 1000, std::byte{7});
  here(old);
  announce(changed);
  tell_all();
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_GE(total(wanted_), 1000U);
  EXPECT_LE(total(wanted_), 1000 + 4 * kFineChunkMaxBytes);
  EXPECT_EQ(reconstruction_->reused_bytes() + total(wanted_), changed.size());
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, WhatIsTheSameFileIsNotWritten) {
  const ByteVector old = random_bytes(9 * kMiB, 1);
  here(old);
  announce(old);
  tell_all();
  EXPECT_EQ(run(), Next::kIdentical);
  EXPECT_TRUE(wanted_.empty());
  EXPECT_EQ(reconstruction_->reused_bytes(), 0U);
  EXPECT_EQ(std::distance(fs::directory_iterator(box_.path()), fs::directory_iterator()), 1);
}

TEST_F(ReconstructionTest, AShorterOneIsCopiedWhole) {
  const ByteVector old = random_bytes(9 * kMiB, 1);
  const ByteVector front(old.begin(), old.begin() + chunks_of(old)[0].length);
  here(old);
  announce(front);
  tell_all();
  EXPECT_EQ(run(), Next::kComplete) << "no other bytes, but not the same file";
  EXPECT_TRUE(wanted_.empty());
  expect_published();
}

TEST_F(ReconstructionTest, ADifferenceIsRefusedWhereItMayNotReplace) {
  const ByteVector old = random_bytes(9 * kMiB, 1);
  ByteVector changed = old;
  changed.back() ^= std::byte{1};
  here(old);
  announce(changed, IfDifferent::kRefuse);
  tell_all();
  const auto next = run();
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, Code::kExists);
}

// Chunks that no scan cuts are found only where they are expected.
TEST_F(ReconstructionTest, WhereTheNewVersionGoesOnAsTheBasisNoCutIsLookedFor) {
  const ByteVector old = random_bytes(40 * kMiB, 1);
  ByteVector changed(1, std::byte{7});
  changed.insert(changed.end(), old.begin(), old.end());
  std::vector<Chunk> chunks = chunks_of(changed);
  // The first is new, the scan finds the next.
  const std::vector<Chunk> rest(chunks.begin() + 3, chunks.end());
  chunks.resize(3);
  std::uint64_t offset = chunks[0].length + chunks[1].length + chunks[2].length;
  const std::vector<Chunk> others = joined(Bytes(changed).subspan(offset), rest);
  ASSERT_GT(others.size(), 3U);
  ASSERT_LT(others.size(), rest.size());
  chunks.insert(chunks.end(), others.begin(), others.begin() + 3);
  here(old);
  announce(changed);
  // Some at once, then one by one.
  ASSERT_TRUE(tell(0, chunks).has_value());
  EXPECT_EQ(run_up(), Next::kWait);
  for (std::size_t i = 0; i < 3; ++i) offset += others[i].length;
  for (std::size_t i = 3; i < others.size(); ++i) {
    ASSERT_TRUE(tell(offset, {others[i]}).has_value());
    offset += others[i].length;
    if (i + 1 == others.size()) break;
    EXPECT_EQ(run_up(), Next::kWait);
  }
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_LE(total(wanted_), 1 + std::uint64_t{2} * kFineChunkMaxBytes);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, WhatIsComparedIsExpectedToo) {
  const ByteVector old = random_bytes(20 * kMiB, 1);
  here(old);
  announce(old);
  ASSERT_TRUE(tell(0, joined(old, chunks_of(old))).has_value());
  EXPECT_EQ(run(), Next::kIdentical);
}

// In the new version a repeated chunk comes first, where what follows it is not what follows it in
// the basis.
TEST_F(ReconstructionTest, WhereAChunkIsRepeatedTheNewVersionIsFollowedInOrder) {
  const ByteVector content = random_bytes(40 * kMiB, 1);
  const std::vector<Chunk> cuts = chunks_of(content);
  const std::vector<Chunk> pairs = joined(content, cuts);
  ASSERT_GE(pairs.size(), 4U);
  std::vector<ByteVector> parts;  // one chunk, then pairs
  parts.emplace_back(content.begin(), content.begin() + cuts[0].length);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Bytes part = Bytes(content).subspan(offset, pairs[i].length);
    if (i > 0) parts.emplace_back(part.begin(), part.end());
    offset += pairs[i].length;
  }
  const auto made_of = [&](const std::vector<std::size_t>& numbers) {
    ByteVector bytes;
    for (const std::size_t number : numbers) {
      bytes.insert(bytes.end(), parts[number].begin(), parts[number].end());
    }
    return bytes;
  };
  const std::vector<std::size_t> order = {2, 0, 1, 2, 3};
  const ByteVector old = made_of({0, 1, 2, 3});
  const ByteVector changed = made_of(order);
  std::vector<Chunk> chunks;
  chunks.reserve(order.size());
  for (const std::size_t number : order) {
    chunks.push_back(
        {static_cast<std::uint32_t>(parts[number].size()), store::hash(parts[number])});
  }
  here(old);
  announce(changed);
  ASSERT_TRUE(tell(0, chunks).has_value());
  EXPECT_EQ(run(), Next::kComplete);
  EXPECT_TRUE(wanted_.empty());
  expect_published();
}

// Else a host could ask for any byte behind what it knows of the basis.
TEST_F(ReconstructionTest, WhatEndsWhereNoCutIsIsNotFoundWithinTheBasis) {
  const ByteVector old = random_bytes(12 * kMiB, 1);
  std::vector<Chunk> chunks = chunks_of(old);
  chunks.resize(2);
  const std::uint64_t known = chunks[0].length + chunks[1].length;
  const ByteVector front(old.begin(), old.begin() + static_cast<std::ptrdiff_t>(known) + 1);
  chunks.push_back({1, store::hash(Bytes(front).last(1))});
  here(old);
  announce(front);
  ASSERT_TRUE(tell(0, chunks).has_value());
  EXPECT_EQ(run_up(), Next::kAskFiner);
  EXPECT_EQ(reconstruction_->reused_bytes(), known) << "the last one";
  ByteVector longer = front;
  const ByteVector rest = random_bytes(kMiB, 2);
  longer.insert(longer.end(), rest.begin(), rest.end());
  const auto first = static_cast<std::uint32_t>(known - chunks[0].length + 1);
  chunks = {chunks[0],
            {first, store::hash(Bytes(longer).subspan(chunks[0].length, first))},
            {kMiB, store::hash(rest)}};
  announce(longer);
  ASSERT_TRUE(tell(0, chunks).has_value());
  EXPECT_EQ(run_up(), Next::kAskFiner);
  EXPECT_EQ(reconstruction_->reused_bytes(), chunks[0].length) << "any other";
}

TEST_F(ReconstructionTest, WaitsForWhatIsNotToldYet) {
  const ByteVector old = random_bytes(12 * kMiB, 1);
  const ByteVector other = random_bytes(12 * kMiB, 2);
  here(old);
  announce(other);
  EXPECT_EQ(run(), Next::kWait);
  const auto chunks = chunks_of(other);
  ASSERT_TRUE(tell(0, {chunks[0]}).has_value());
  EXPECT_EQ(run(), Next::kWait);
  EXPECT_TRUE(wanted_.empty()) << "the rest of the basis may still have it";
  ASSERT_TRUE(tell(chunks[0].length, {chunks.begin() + 1, chunks.end()}).has_value());
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_EQ(total(wanted_), other.size());
  EXPECT_LE(wanted_.size(), 3U) << "neighbours are one range";
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, WhatCannotBeInTheBasisAnyMoreIsAskedForAtOnce) {
  const ByteVector old = random_bytes(4 * kMiB, 1);
  ByteVector longer = random_bytes(20 * kMiB, 2);
  here(old);
  announce(longer);
  const auto chunks = chunks_of(longer);
  std::uint64_t told = 0;
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
    ASSERT_TRUE(tell(told, {chunks[i]}).has_value());
    told += chunks[i].length;
    EXPECT_EQ(run(), Next::kWait);
    if (told > old.size()) {
      // But for both ends: they may be old in part.
      const std::size_t inside = i < 4 ? 0 : i - 3;
      std::uint64_t bytes = 0;
      for (std::size_t one = 0; one < inside; ++one) bytes += chunks[2 + one].length;
      EXPECT_EQ(total(wanted_), bytes);
    }
  }
}

TEST_F(ReconstructionTest, WithoutABasisEverythingIsAskedFor) {
  const ByteVector content = random_bytes(5 * kMiB, 1);
  announce(content);
  tell_all();
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_EQ(total(wanted_), content.size());
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, ABasisThatChangedMeanwhileIsNotBelieved) {
  const ByteVector old = random_bytes(12 * kMiB, 1);
  ByteVector twice = old;
  twice.insert(twice.end(), old.begin(), old.end());
  here(old);
  announce(twice);
  const auto chunks = chunks_of(twice);
  std::size_t first = 0;
  std::uint64_t told = 0;
  while (told < old.size()) told += chunks[first++].length;
  ASSERT_TRUE(tell(0, {chunks.begin(), chunks.begin() + first}).has_value());
  EXPECT_EQ(run(), Next::kWait);
  EXPECT_GT(reconstruction_->reused_bytes(), 0U);
  here(random_bytes(12 * kMiB, 2));
  const std::uint64_t reused = reconstruction_->reused_bytes();
  ASSERT_TRUE(tell(told, {chunks.begin() + first, chunks.end()}).has_value());
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_EQ(reconstruction_->reused_bytes(), reused) << "what was read again was other bytes";
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, OfAnOriginalThatChangesWhileItIsCopiedTheRestIsAskedFor) {
  const ByteVector old = random_bytes(64 * kMiB, 1);
  here(old);
  const auto status = box_.open().status_of("f").value();
  store::Place place{.path = path().string(),
                     .inode = status.inode,
                     .size_bytes = status.size_bytes,
                     .modified = status.modified,
                     .changed = status.changed,
                     .version = 1};
  wire::Entry entry;
  entry.name = "copy";
  entry.size = old.size();
  entry.version = 1;
  entry.sparse = true;  // not cloned
  const auto file = std::make_shared<TakenFile>(7, 3, tree_.root(), entry, UINT64_MAX, cache_);
  Reconstruction copy(file, place, /*is_certain=*/true);
  EXPECT_EQ(copy.step(tree_, wanted_).value(), Next::kStep);
  const std::uint64_t before = copy.reused_bytes();
  EXPECT_GT(before, 0U);
  here(random_bytes(64 * kMiB, 2));
  EXPECT_EQ(copy.step(tree_, wanted_).value(), Next::kOver);
  EXPECT_EQ(copy.reused_bytes(), before);
  EXPECT_EQ(wanted_, (std::vector<RangeSet::Range>{{before, old.size() - before}}));
}

TEST_F(ReconstructionTest, AShrunkenBasisHoldsNoMoreThanItHas) {
  const ByteVector old = random_bytes(12 * kMiB, 1);
  ByteVector changed = old;
  changed[0] ^= std::byte{1};
  here(old);
  announce(changed);
  const auto chunks = chunks_of(changed);
  ASSERT_TRUE(tell(0, {chunks[0]}).has_value());
  EXPECT_EQ(run(), Next::kWait);
  fs::resize_file(path(), 1 * kMiB);
  ASSERT_TRUE(tell(chunks[0].length, {chunks.begin() + 1, chunks.end()}).has_value());
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_GE(total(wanted_), changed.size() - 1 * kMiB);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, EachChangeCostsSomeFineChunks) {
  constexpr int kChanges = 12;
  constexpr std::uint64_t kSeed = 20'261'128;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  const ByteVector old = random_bytes(64 * kMiB, 1);
  ByteVector changed = old;
  const auto somewhere = [&] {
    return changed.begin() + static_cast<std::ptrdiff_t>(generator() % changed.size());
  };
  for (int i = 0; i < kChanges; ++i) changed.insert(somewhere(), 1 + i, std::byte(i));
  here(old);
  announce(changed);
  tell_all();
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_GT(wanted_.size(), kChanges / 2U);
  // The chunk that the change is in and, where its end moved, the next one.
  EXPECT_LE(total(wanted_), kChanges * 3 * kFineChunkMaxBytes);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, WhatWasMovedIsFoundToItsEdges) {
  const ByteVector old = random_bytes(40 * kMiB, 1);
  const auto at = [&](std::size_t mebibytes) {
    return old.begin() + static_cast<std::ptrdiff_t>(mebibytes * kMiB + 12'345);
  };
  ByteVector moved(at(20), at(30));
  moved.insert(moved.end(), old.begin(), at(20));
  moved.insert(moved.end(), at(30), old.end());
  here(old);
  announce(moved);
  tell_all();
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_LE(total(wanted_), 3 * 2 * kFineChunkMaxBytes) << "three seams";
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, WhatIsRepeatedIsFoundToItsSeam) {
  const ByteVector old = random_bytes(20 * kMiB, 1);
  ByteVector twice = old;
  twice.insert(twice.end(), old.begin(), old.end());
  here(old);
  announce(twice);
  tell_all();
  EXPECT_EQ(run(), Next::kOver);
  EXPECT_LE(total(wanted_), 2 * kFineChunkMaxBytes);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, TheInsideOfALongChangeIsNotLookedAt) {
  const ByteVector old = random_bytes(48 * kMiB, 1);
  ByteVector changed = old;
  std::ranges::copy(random_bytes(30 * kMiB, 2), changed.begin() + 9 * kMiB);
  here(old);
  announce(changed);
  tell_all();
  EXPECT_EQ(run_up(), Next::kAskFiner);
  const std::uint64_t inside = total(wanted_);
  EXPECT_GE(inside, 20 * kMiB) << "asked for at once";
  EXPECT_LE(total(reconstruction_->fine_ranges()), 4ULL * kChunkMaxBytes);
  tell_all_finely();
  EXPECT_EQ(run_up(), Next::kOver);
  EXPECT_GE(total(wanted_), 30 * kMiB);
  EXPECT_LE(total(wanted_), 30 * kMiB + std::uint64_t{4} * kFineChunkMaxBytes);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, OfALongerBasisOnlyTheBeginningIsRead) {
  const ByteVector content = random_bytes(2 * kMiB, 1);
  here({});
  fs::resize_file(path(), 32 * kMiB);
  announce(content);
  tell_all();
  EXPECT_EQ(run_up(), Next::kAskFiner) << "zeros, which are not in it";
  EXPECT_LE(reconstruction_->basis()->scanned_bytes(), 2ULL * kChunkMaxBytes);
  tell_all_finely();
  EXPECT_EQ(run_up(), Next::kOver);
  EXPECT_EQ(total(wanted_), content.size());
}

TEST_F(ReconstructionTest, ABasisThatShrinksBeforeItIsLookedAtFinelyHoldsNothing) {
  const ByteVector old = random_bytes(4 * kMiB, 1);
  ByteVector changed = old;
  changed[0] ^= std::byte{1};
  here(old);
  announce(changed);
  tell_all();
  ASSERT_EQ(run_up(), Next::kAskFiner);
  fs::resize_file(path(), 0);
  tell_all_finely();
  EXPECT_EQ(run_up(), Next::kOver);
  EXPECT_TRUE(arrives());
  expect_published();
}

// As in a disk image: chunks of zeros are alike, and what follows them is changed.
TEST_F(ReconstructionTest, AChangeBehindRepeatedChunksIsFoundToItsSeam) {
  ByteVector old(32 * kMiB);
  const ByteVector tail = random_bytes(12 * kMiB, 1);
  old.insert(old.end(), tail.begin(), tail.end());
  ByteVector changed = old;
  for (std::size_t at = 33 * kMiB; at < changed.size(); at += kMiB) changed[at] ^= std::byte{1};
  here(old);
  announce(changed);
  tell_all();
  EXPECT_EQ(run_up(), Next::kAskFiner);
  const auto& fine = reconstruction_->fine_ranges();
  ASSERT_FALSE(fine.empty());
  const std::uint64_t inside = total(wanted_);
  tell_all_finely();
  EXPECT_EQ(run_up(), Next::kOver);
  EXPECT_LE(total(wanted_) - inside, total(fine) / 4) << "of it, the changed fine chunks";
  EXPECT_TRUE(arrives());
  expect_published();
}

// A name of other bytes, or of another length: what is in the basis is hashed before it is written.
TEST_F(ReconstructionTest, FineChunksThatLieAreNotTakenFromTheBasis) {
  const ByteVector old = random_bytes(4 * kMiB, 1);
  ByteVector changed = old;
  changed[2 * kMiB] ^= std::byte{1};
  here(old);
  announce(changed);
  tell_all();
  ASSERT_EQ(run_up(), Next::kAskFiner);
  for (const auto& range : reconstruction_->fine_ranges()) {
    auto fine = chunks_of(content_.subspan(range.offset, range.length), store::kFineChunkRule);
    ASSERT_GT(fine.size(), 2U);
    std::swap(fine[0].hash, fine[1].hash);
    ASSERT_TRUE(tell_finely(range.offset, fine).has_value());
  }
  EXPECT_EQ(run_up(), Next::kOver);
  EXPECT_TRUE(arrives());
  expect_published();
}

TEST_F(ReconstructionTest, FineChunksThatCannotBeAreRefused) {
  const auto chunk = [](std::uint32_t length) { return Chunk{.length = length}; };
  const ByteVector old = random_bytes(4 * kMiB, 1);
  ByteVector changed = old;
  changed[0] ^= std::byte{1};
  here(old);
  const auto ask = [&] {
    announce(changed);
    tell_all();
    ASSERT_EQ(run_up(), Next::kAskFiner);
    ASSERT_EQ(reconstruction_->fine_ranges().front().offset, 0U);
    ASSERT_LT(reconstruction_->fine_ranges().front().length, changed.size());
  };
  announce(changed);
  EXPECT_FALSE(tell_finely(0, {chunk(5000)}).has_value()) << "not asked for";
  ask();
  const auto length = static_cast<std::uint32_t>(reconstruction_->fine_ranges().front().length);
  EXPECT_FALSE(tell_finely(1, {chunk(5000)}).has_value()) << "a gap";
  EXPECT_FALSE(tell_finely(0, {chunk(length + 1)}).has_value()) << "behind the end";
  EXPECT_FALSE(tell_finely(0, {chunk(1000), chunk(1000)}).has_value()) << "a list without end";
  ask();
  ASSERT_TRUE(tell_finely(0, {chunk(5000)}).has_value());
  EXPECT_FALSE(tell_finely(0, {chunk(5000)}).has_value()) << "twice";
  ask();
  tell_all_finely();
  EXPECT_FALSE(tell_finely(0, {chunk(5000)}).has_value()) << "after the last";
  reconstruction_->end();
  EXPECT_TRUE(tell_finely(0, {chunk(5000)}).has_value()) << "of no interest any more";
}

// Every second chunk is here, and none of the others comes: no more gaps are opened than a file's
// ranges may be in.
TEST_F(ReconstructionTest, GapsAreBounded) {
  constexpr std::uint64_t kPairs = 3 * kRangesMax;
  const ByteVector zeros(kChunkMinBytes);
  const std::vector<Chunk> pair = {{kChunkMinBytes, {}}, {kChunkMinBytes, store::hash(zeros)}};
  here(zeros);
  wire::Entry entry;
  entry.name = "f";
  entry.size = kPairs * 2 * kChunkMinBytes;
  entry.sparse = true;
  announce(entry);
  std::uint64_t told = 0;
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    ASSERT_TRUE(tell(told, pair).has_value());
    told += std::uint64_t{2} * kChunkMinBytes;
  }
  int waits = 0;
  while (run() == Next::kWait) {
    ++waits;
    EXPECT_LT(file_->ranges(), kPairs) << "all pieces at once";
    ASSERT_FALSE(wanted_.empty()) << "what it waits for is asked for";
    for (const auto& range : std::exchange(wanted_, {})) {
      ASSERT_TRUE(file_->claim(range.offset, range.length).has_value());
    }
  }
  EXPECT_GE(waits, 2);
  EXPECT_EQ(reconstruction_->reused_bytes(), kPairs * kChunkMinBytes);
}

TEST_F(ReconstructionTest, ChunksThatCannotBeAreRefused) {
  const ByteVector content = random_bytes(5 * kMiB, 1);
  const auto chunk = [](std::uint32_t length) { return Chunk{.length = length}; };
  announce(content);
  EXPECT_FALSE(tell(1, {chunk(kChunkMaxBytes)}).has_value()) << "a gap";
  EXPECT_FALSE(tell(0, {chunk(5 * kMiB + 1)}).has_value()) << "behind the end";
  announce(content);
  EXPECT_FALSE(tell(0, {chunk(1000), chunk(1000)}).has_value()) << "a list without end";
  announce(content);
  EXPECT_TRUE(tell(0, {chunk(4 * kMiB), chunk(1 * kMiB - 5), chunk(5)}).has_value() == false);
  announce(content);
  ASSERT_TRUE(tell(0, {chunk(4 * kMiB), chunk(1 * kMiB)}).has_value());
  EXPECT_FALSE(tell(5 * kMiB, {chunk(1)}).has_value()) << "after the end";
  EXPECT_FALSE(tell(0, {chunk(4 * kMiB)}).has_value()) << "twice";
}

}  // namespace
}  // namespace wormhole::transfer
