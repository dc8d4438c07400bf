#include "transfer/local_work.h"

#include <gtest/gtest.h>

#include <thread>

#include "platform/test_directory.h"

namespace wormhole::transfer {
namespace {

class LocalWorkTest : public ::testing::Test {
 protected:
  LocalWork work(std::uint64_t id, std::uint64_t size = 4 * kMiB) {
    wire::Entry entry;
    entry.name = "f" + std::to_string(id);
    entry.size = size;
    auto file = std::make_shared<TakenFile>(id, 0, tree_.root(), entry, UINT64_MAX, cache_);
    auto reconstruction =
        std::make_shared<Reconstruction>(file, Reconstruction::IfDifferent::kReplace);
    return {std::move(file), false, std::move(reconstruction)};
  }
  static wire::Chunks chunks(std::uint64_t file) {
    return {.request = 1, .file = file, .offset = 0, .chunks = {{kChunkMinBytes, {}}}};
  }
  // A file of one chunk, of which another version is there.
  LocalWork asking(std::uint64_t id) {
    box_.write("f" + std::to_string(id), "old");
    return work(id, kChunkMinBytes);
  }
  // Up to where it waits for fine chunks.
  void ask(const LocalWork& work) {
    static_cast<void>(queue_.chunks_to_ask_for(work));
    ASSERT_TRUE(queue_.on_chunks(chunks(work.file->id())).has_value());
    std::vector<RangeSet::Range> wanted;
    auto next = Reconstruction::Next::kStep;
    while (next == Reconstruction::Next::kStep) {
      next = work.reconstruction->step(tree_, wanted).value_or(Reconstruction::Next::kOver);
    }
    ASSERT_EQ(next, Reconstruction::Next::kAskFiner);
  }
  static wire::FineChunks fine_chunks(std::uint64_t file) {
    const std::vector<Chunk> all(kChunkMinBytes / kFineChunkMaxBytes, {kFineChunkMaxBytes, {}});
    return {.request = 1, .file = file, .offset = 0, .chunks = all};
  }
  using Ids = std::vector<std::uint64_t>;

  const platform::TestDirectory box_;
  DirectoryTree tree_{box_.open()};
  const SystemClock clock_;
  CacheSpeed cache_{clock_};
  LocalWorkQueue queue_;
};

TEST_F(LocalWorkTest, FilesAreWorkedOnInTheirOrder) {
  EXPECT_TRUE(queue_.empty());
  queue_.add(work(3));
  queue_.add(work(5));
  EXPECT_FALSE(queue_.empty());
  EXPECT_EQ(queue_.next()->file->id(), 3U);
  EXPECT_EQ(queue_.next()->file->id(), 5U);
  EXPECT_TRUE(queue_.empty());
  queue_.stop();
  EXPECT_FALSE(queue_.next().has_value());
}

TEST_F(LocalWorkTest, TheGiverReadsSomeAheadAndIsAskedOnce) {
  for (std::uint64_t id = 1; id <= 100; ++id) queue_.add(work(id));
  const auto first = queue_.next();
  const Ids asked = queue_.chunks_to_ask_for(*first);
  ASSERT_EQ(asked.size(), 64U);
  EXPECT_EQ(asked.front(), 1U);
  EXPECT_EQ(asked.back(), 64U);
  EXPECT_EQ(queue_.chunks_to_ask_for(*queue_.next()), (Ids{65}));
}

TEST_F(LocalWorkTest, NothingIsReadAheadOfALongFile) {
  queue_.add(work(1, 100 * kGiB));
  queue_.add(work(2));
  EXPECT_EQ(queue_.chunks_to_ask_for(*queue_.next()), (Ids{1}));
}

TEST_F(LocalWorkTest, WhatIsResumedOrCertainNeedsNoChunks) {
  LocalWork resumed = work(1);
  resumed.reconstruction = nullptr;
  LocalWork certain = work(2);
  certain.reconstruction = std::make_shared<Reconstruction>(
      certain.file, store::Place{.path = "/f", .modified = {}, .changed = {}}, true);
  queue_.add(certain);
  EXPECT_EQ(queue_.chunks_to_ask_for(resumed), Ids{});
}

TEST_F(LocalWorkTest, CopiesWaitForTheirOriginal) {
  LocalWork copy = work(5);
  copy.reconstruction = Reconstruction::of_copy(copy.file);
  copy.copy_of = 2;
  LocalWork other = work(6);
  other.reconstruction = Reconstruction::of_copy(other.file);
  other.copy_of = 3;
  queue_.add(copy);
  queue_.add(other);
  EXPECT_FALSE(queue_.empty());
  EXPECT_FALSE(copy.reconstruction->needs_chunks()) << "there is nothing to compare with";
  const store::Place two{
      .path = "/two", .size_bytes = copy.file->size(), .modified = {}, .changed = {}};
  EXPECT_EQ(queue_.release_copies(2, two), 0U);
  EXPECT_EQ(queue_.next()->file->id(), 5U);
  EXPECT_TRUE(copy.reconstruction->needs_chunks());
  EXPECT_EQ(queue_.release_copies(3, std::nullopt), 6U);
  EXPECT_EQ(queue_.next()->file->id(), 6U);
  EXPECT_FALSE(other.reconstruction->needs_chunks());
  EXPECT_TRUE(queue_.empty());
}

TEST_F(LocalWorkTest, BorrowersWaitForTheirLender) {
  for (const std::uint64_t id : {2U, 4U, 5U, 6U, 7U}) queue_.add(work(id));
  std::map<std::uint64_t, LocalWork> taken;
  for (int i = 0; i < 5; ++i) {
    auto next = *queue_.next();
    const std::uint64_t id = next.file->id();
    taken.emplace(id, std::move(next));
  }
  queue_.add(work(9));
  for (const std::uint64_t id : {4U, 5U, 6U}) {
    ASSERT_TRUE(queue_.wait_for_lender(taken.at(id), 2, /*is_begun=*/true));
  }
  ASSERT_TRUE(queue_.wait_for_lender(taken.at(7), 7, /*is_begun=*/true)) << "on itself";
  EXPECT_FALSE(queue_.forget(5)) << "it failed while it waited";
  EXPECT_FALSE(queue_.wait_for_lender(taken.at(5), 2, /*is_begun=*/true)) << "it is over";
  EXPECT_FALSE(queue_.forget(2));
  EXPECT_EQ(queue_.next()->file->id(), 4U) << "before any other";
  EXPECT_EQ(queue_.next()->file->id(), 6U);
  EXPECT_EQ(queue_.next()->file->id(), 9U);
  EXPECT_FALSE(queue_.empty());
  queue_.release(7);
  EXPECT_EQ(queue_.next()->file->id(), 7U);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(LocalWorkTest, BorrowersThatHaveBegunAreBounded) {
  for (std::uint64_t id = 1; id <= 2 * kPausedMax; ++id) {
    queue_.add(work(id));
    const bool may_wait = queue_.wait_for_lender(*queue_.next(), 100, /*is_begun=*/true);
    EXPECT_EQ(may_wait, id <= kPausedMax) << id;
  }
  queue_.add(work(99));
  EXPECT_TRUE(queue_.wait_for_lender(*queue_.next(), 100, /*is_begun=*/false));
  queue_.release(100);
  queue_.add(work(101));
  LocalWork last;
  while (last.file == nullptr || last.file->id() != 101) last = *queue_.next();
  EXPECT_TRUE(queue_.wait_for_lender(last, 100, /*is_begun=*/true)) << "there is room again";
}

TEST_F(LocalWorkTest, WithoutTheirOriginalTheFirstCopyIsAskedForAndTheOthersWaitForIt) {
  const auto copy_of = [&](std::uint64_t id, std::uint64_t original) {
    LocalWork copy = work(id);
    copy.reconstruction = Reconstruction::of_copy(copy.file);
    copy.copy_of = original;
    queue_.add(std::move(copy));
  };
  queue_.add(work(4));
  for (std::uint64_t id = 5; id < 9; ++id) copy_of(id, 2);
  copy_of(12, 7);
  EXPECT_TRUE(queue_.forget(2));
  EXPECT_EQ(queue_.release_copies(2, std::nullopt), 5U);
  EXPECT_EQ(queue_.release_copies(2, std::nullopt), 0U);
  EXPECT_EQ(queue_.next()->file->id(), 5U) << "before what takes long";
  EXPECT_FALSE(queue_.forget(8)) << "it failed while it waited";
  EXPECT_TRUE(queue_.forget(5));
  const store::Place five{
      .path = "/five", .size_bytes = kReusableMinBytes, .modified = {}, .changed = {}};
  EXPECT_EQ(queue_.release_copies(5, five), 0U);
  EXPECT_EQ(queue_.next()->file->id(), 4U);
  EXPECT_EQ(queue_.next()->file->id(), 6U);
  EXPECT_EQ(queue_.next()->file->id(), 7U);
  EXPECT_FALSE(queue_.empty()) << "12 waits for 7";
  EXPECT_FALSE(queue_.forget(12));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(LocalWorkTest, NothingIsKeptOfWhatIsForgotten) {
  for (std::uint64_t id = 1; id < 9; ++id) queue_.add(work(id));
  for (std::uint64_t id = 1; id < 9; ++id) EXPECT_FALSE(queue_.forget(id));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(LocalWorkTest, ChunksOfNoFileThatWasAskedForAreRefused) {
  queue_.add(work(7));
  EXPECT_EQ(queue_.on_chunks(chunks(7)).error().code, Code::kProtocol);
  static_cast<void>(queue_.chunks_to_ask_for(*queue_.next()));
  EXPECT_TRUE(queue_.on_chunks(chunks(7)).has_value());
  EXPECT_EQ(queue_.on_chunks(chunks(7)).error().code, Code::kProtocol) << "twice";
  EXPECT_EQ(queue_.on_chunks(chunks(8)).error().code, Code::kProtocol);
}

TEST_F(LocalWorkTest, ChunksOfAFileThatWasForgottenAreNoOffence) {
  queue_.add(work(7));
  static_cast<void>(queue_.chunks_to_ask_for(*queue_.next()));
  EXPECT_FALSE(queue_.forget(7));
  EXPECT_TRUE(queue_.on_chunks(chunks(7)).has_value());
}

TEST_F(LocalWorkTest, WhatWaitsForFineChunksLetsOthersPass) {
  for (const std::uint64_t id : {3U, 5U, 7U}) queue_.add(asking(id));
  const LocalWork first = *queue_.next();
  EXPECT_EQ(queue_.on_fine_chunks(fine_chunks(3)).error().code, Code::kProtocol);
  ask(first);
  ASSERT_TRUE(queue_.pause(first.reconstruction));
  EXPECT_EQ(queue_.next()->file->id(), 5U);
  ASSERT_TRUE(queue_.on_fine_chunks(fine_chunks(3)).has_value());
  const auto again = queue_.next();
  EXPECT_EQ(again->file->id(), 3U) << "before what was not begun";
  EXPECT_FALSE(queue_.pause(again->reconstruction)) << "all is told";
  EXPECT_EQ(queue_.next()->file->id(), 7U);
}

TEST_F(LocalWorkTest, WhatIsForgottenWhileItWaitsForFineChunksIsNoTurn) {
  for (const std::uint64_t id : {3U, 5U}) queue_.add(asking(id));
  const LocalWork first = *queue_.next();
  ask(first);
  ASSERT_TRUE(queue_.pause(first.reconstruction));
  EXPECT_FALSE(queue_.forget(3));
  EXPECT_FALSE(queue_.pause(first.reconstruction));
  EXPECT_TRUE(queue_.on_fine_chunks(fine_chunks(3)).has_value()) << "it could not know";
  EXPECT_EQ(queue_.next()->file->id(), 5U);
}

TEST_F(LocalWorkTest, NotAnyNumberOfFilesWaitForFineChunks) {
  for (std::uint64_t id = 0; id <= kPausedMax; ++id) {
    queue_.add(asking(id));
    const LocalWork one = *queue_.next();
    ask(one);
    EXPECT_EQ(queue_.pause(one.reconstruction), id < kPausedMax);
  }
}

TEST_F(LocalWorkTest, WaitingEndsWithProgressOrTheEnd) {
  queue_.begin_wait();
  std::thread progress([&] { queue_.progressed(); });
  queue_.wait();
  progress.join();
  queue_.begin_wait();
  EXPECT_FALSE(queue_.forget(1));
  queue_.wait();
  queue_.begin_wait();
  queue_.stop();
  queue_.wait();
}

}  // namespace
}  // namespace wormhole::transfer
