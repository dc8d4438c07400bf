#include "transfer/work_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

GivenFilePtr file_of(std::uint64_t id, std::uint64_t size, std::uint32_t request = 1) {
  auto file = std::make_shared<GivenFile>();
  file->request = request;
  file->id = id;
  file->status.size_bytes = size;
  return file;
}

SegmentWork next_segment(WorkQueue& queue) {
  auto work = queue.next();
  EXPECT_TRUE(work.has_value() && std::holds_alternative<SegmentWork>(*work));
  return work.has_value() ? std::get<SegmentWork>(*work) : SegmentWork{file_of(0, 1), 0, 0, {}};
}

GivenFilePtr file_in(const NodePtr& directory, std::uint64_t id, std::uint64_t size) {
  auto file = file_of(id, size);
  file->directory = directory;
  return file;
}

std::vector<std::uint64_t> next_pack(WorkQueue& queue, std::optional<unsigned> stream = {}) {
  auto work = queue.next(kBlockBytes, 1, stream);
  std::vector<std::uint64_t> ids;
  if (!work.has_value() || !std::holds_alternative<PackWork>(*work)) return ids;
  for (const auto& file : std::get<PackWork>(*work).files) ids.push_back(file->id);
  return ids;
}

using Ids = std::vector<std::uint64_t>;

// Adds what is not the same as the last: the order of files, in however many pieces each.
void note(Ids& order, std::uint64_t id) {
  if (order.empty() || order.back() != id) order.push_back(id);
}

TEST(WorkQueue, IsEmptyUntilAFileComes) {
  WorkQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.next().has_value());
  queue.add(file_of(1, 1));
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(next_pack(queue), Ids{1});
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueue, CountsTheBytesThatWait) {
  WorkQueue queue;
  queue.add(file_of(1, 1000));
  queue.add(file_of(2, 2 * kSegmentBytes));
  queue.add(file_of(3, 500, 2));
  EXPECT_EQ(queue.waiting_bytes(), 2 * kSegmentBytes + 1500);
  SegmentWork piece = next_segment(queue);
  EXPECT_EQ(queue.waiting_bytes(), 2 * kSegmentBytes + 1500 - piece.length);
  queue.give_back(std::move(piece));
  EXPECT_EQ(queue.waiting_bytes(), 2 * kSegmentBytes + 1500);
  queue.drop(2);
  EXPECT_EQ(queue.waiting_bytes(), 2 * kSegmentBytes + 1000);
  while (queue.next(kBlockBytes, 4).has_value()) {
  }
  EXPECT_EQ(queue.waiting_bytes(), 0U);
}

TEST(WorkQueue, ALargeFileIsCutIntoSegmentsInOrder) {
  WorkQueue queue;
  const std::uint64_t size = 100 * kSegmentBytes + 7;
  queue.add(file_of(1, size));
  for (std::uint64_t offset = 0; offset < 50 * kSegmentBytes; offset += kSegmentBytes) {
    const SegmentWork work = next_segment(queue);
    EXPECT_EQ(work.offset, offset);
    EXPECT_EQ(work.length, kSegmentBytes);
  }
}

TEST(WorkQueue, TheEndIsHandedOutInEverSmallerPieces) {
  for (const unsigned streams : {1U, 2U, 48U}) {
    WorkQueue queue;
    const std::uint64_t size = 300 * kSegmentBytes + 7;
    queue.add(file_of(1, size / 3));
    queue.add(file_of(2, size - size / 3));
    std::uint64_t left = size;
    while (!queue.empty()) {
      const auto work = queue.next(kBlockBytes, streams);
      ASSERT_TRUE(work.has_value());
      const auto& segment = std::get<SegmentWork>(*work);
      EXPECT_EQ(segment.offset % kBlockBytes, 0U);
      // Far less than an even share: no stream is left alone with much for long.
      EXPECT_LE(segment.length, std::max<std::uint64_t>(left / (8 * streams), kBlockBytes));
      left -= segment.length;
    }
    EXPECT_EQ(left, 0U);
  }
}

TEST(WorkQueue, AStreamOfSmallFramesGetsSmallPiecesOfTheEnd) {
  WorkQueue queue;
  queue.add(file_of(1, 2 * kBlockBytes));
  const auto piece = queue.next(/*frame_bytes=*/8 * kKiB, /*streams=*/16);
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(std::get<SegmentWork>(*piece).length, 8 * kKiB);
  EXPECT_EQ(next_segment(queue).offset, 8 * kKiB);
}

// The first pieces of a file are small, as its stream's first frames are; those behind them are not
// to carry that on: a block cut in two is two frames.
TEST(WorkQueue, PiecesOfWholeBlocksEndWhereBlocksEnd) {
  for (const std::size_t first_frame : {std::size_t{1000}, std::size_t{8192}}) {
    WorkQueue queue;
    constexpr std::uint64_t kSize = 40 * kBlockBytes + 7;
    queue.add(file_of(1, kSize));
    std::uint64_t offset = std::get<SegmentWork>(*queue.next(first_frame, 2)).length;
    ASSERT_NE(offset % kBlockBytes, 0U);
    queue.give_back({file_of(2, kSize), 3 * kBlockBytes + 5, 9 * kBlockBytes, nullptr});
    std::uint64_t returned = 3 * kBlockBytes + 5;
    while (!queue.empty()) {
      const SegmentWork piece = std::get<SegmentWork>(*queue.next(kBlockBytes, 2));
      std::uint64_t& expected = piece.file->id == 1 ? offset : returned;
      const std::uint64_t end = piece.file->id == 1 ? kSize : 12 * kBlockBytes + 5;
      ASSERT_GT(piece.length, 0U);
      ASSERT_EQ(piece.offset, expected);
      expected += piece.length;
      EXPECT_TRUE(expected == end || expected % kBlockBytes == 0) << expected;
    }
    EXPECT_EQ(offset, kSize);
    EXPECT_EQ(returned, 12 * kBlockBytes + 5);
  }
}

TEST(WorkQueue, WhatWasDroppedOrStoppedIsNoPartOfTheRest) {
  WorkQueue queue;
  queue.add(file_of(1, 1000 * kSegmentBytes, /*request=*/1));
  const auto stopped = file_of(3, 500 * kSegmentBytes, /*request=*/2);
  queue.add(stopped);
  queue.add(file_of(2, 8 * kBlockBytes, /*request=*/2));
  queue.drop(1);
  stopped->stopped = true;
  EXPECT_EQ(next_segment(queue).length, kBlockBytes);
}

TEST(WorkQueue, WholeSegmentsLeaveNoEmptyOneBehind) {
  for (const std::uint64_t size : {kSegmentBytes - 1, kSegmentBytes, kSegmentBytes + 1}) {
    WorkQueue queue;
    queue.add(file_of(1, size));
    std::uint64_t sum = 0;
    while (!queue.empty()) {
      const SegmentWork work = next_segment(queue);
      ASSERT_GT(work.length, 0U);
      sum += work.length;
    }
    EXPECT_EQ(sum, size);
  }
}

TEST(WorkQueue, TheLargestComesFirstAndIsFinishedBeforeTheNext) {
  WorkQueue queue;
  queue.add(file_of(1, 2 * kSegmentBytes));
  queue.add(file_of(2, 3 * kSegmentBytes));
  queue.add(file_of(3, kPackedFileMaxBytes + 1));
  Ids order;
  while (!queue.empty()) note(order, next_segment(queue).file->id);
  // 2 has less left than 1 after a while: it is finished all the same.
  EXPECT_EQ(order, (Ids{2, 1, 3}));
}

TEST(WorkQueue, AFileOnceBegunIsNotOvertakenByLargerOnes) {
  WorkQueue queue;
  queue.add(file_of(1, 3 * kSegmentBytes));
  EXPECT_EQ(next_segment(queue).file->id, 1U);
  queue.add(file_of(2, 9 * kSegmentBytes));
  queue.add(file_of(3, 5 * kSegmentBytes));
  Ids order;
  while (!queue.empty()) note(order, next_segment(queue).file->id);
  EXPECT_EQ(order, (Ids{1, 2, 3}));
}

TEST(WorkQueue, EqualLargeFilesGoInTheOrderTheyWereAnnounced) {
  WorkQueue queue;
  for (const std::uint64_t id : {4, 2, 3, 1}) queue.add(file_of(id, kSegmentBytes + 1));
  Ids order;
  while (!queue.empty()) note(order, next_segment(queue).file->id);
  EXPECT_EQ(order, (Ids{1, 2, 3, 4}));
}

TEST(WorkQueue, SmallFilesFollowTheLargeOnesInDirectoryOrder) {
  WorkQueue queue;
  queue.add(file_of(1, 9));
  queue.add(file_of(2, kPackedFileMaxBytes));
  queue.add(file_of(3, kPackedFileMaxBytes + 1));
  queue.add(file_of(4, 1));
  EXPECT_EQ(next_segment(queue).file->id, 3U);
  EXPECT_EQ(next_pack(queue), (Ids{1, 2, 4}));
  EXPECT_TRUE(queue.empty());
}

class WorkQueueOfDirectories : public ::testing::Test {
 protected:
  // `ids` in that directory; a pack holds two of them.
  void add(std::size_t directory, std::initializer_list<std::uint64_t> ids) {
    for (const std::uint64_t id : ids) queue_.add(file_in(directories_.at(directory), id, kSize));
  }

  static constexpr std::uint64_t kSize = kBlockBytes / 2 - wire::kPackRecordHeaderBytes;
  const std::vector<NodePtr> directories_ = [] {
    std::vector<NodePtr> made;
    for (const char* name : {"a", "b", "c"}) {
      made.push_back(std::make_shared<DirectoryNode>(nullptr, name));
    }
    return made;
  }();
  WorkQueue queue_;
};

TEST_F(WorkQueueOfDirectories, EachStreamHasOneOfItsOwn) {
  add(0, {1, 2, 3, 4});
  add(1, {5, 6, 7, 8});
  add(2, {9, 10});
  EXPECT_EQ(next_pack(queue_, 4), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue_, 2), (Ids{5, 6}));
  EXPECT_EQ(next_pack(queue_, 2), (Ids{7, 8}));
  EXPECT_EQ(next_pack(queue_, 2), (Ids{9, 10})) << "the next one that is nobody's";
  EXPECT_EQ(queue_.waiting_bytes(), 2 * kSize);
  EXPECT_EQ(next_pack(queue_, 4), (Ids{3, 4}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(WorkQueueOfDirectories, WhatComesLaterIsWhoseTheRestIs) {
  add(0, {1, 2, 3});
  EXPECT_EQ(next_pack(queue_, 0), (Ids{1, 2}));
  add(0, {4});
  add(1, {5, 6, 7});
  EXPECT_EQ(next_pack(queue_, 1), (Ids{5, 6}));
  EXPECT_EQ(next_pack(queue_, 0), (Ids{3, 4}));
  EXPECT_EQ(next_pack(queue_, 0), (Ids{7}));
}

TEST_F(WorkQueueOfDirectories, APackIsFilledFromTheNextOne) {
  add(0, {1});
  add(1, {2, 3});
  add(2, {4});
  EXPECT_EQ(next_pack(queue_, 0), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue_, 1), (Ids{4, 3})) << "and then from what is another's";
  EXPECT_TRUE(queue_.empty());
}

TEST_F(WorkQueueOfDirectories, WhereAllHaveAnOwnerTheFullestIsShared) {
  add(0, {1, 2, 3, 4});
  add(1, {5, 6, 7, 8, 9, 10});
  EXPECT_EQ(next_pack(queue_, 0), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue_, 1), (Ids{5, 6}));
  EXPECT_EQ(next_pack(queue_, 2), (Ids{7, 8}));
  EXPECT_EQ(next_pack(queue_), (Ids{3, 4})) << "also by who has no number";
  add(2, {11, 12});
  EXPECT_EQ(next_pack(queue_, 2), (Ids{11, 12})) << "until there is a new one";
}

TEST_F(WorkQueueOfDirectories, WhatWasAnEndedStreamsComesNext) {
  add(0, {1, 2, 3, 4});
  add(1, {5, 6, 7});
  add(2, {8});
  EXPECT_EQ(next_pack(queue_, 0), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue_, 1), (Ids{5, 6}));
  queue_.release(0);
  queue_.release(9);  // that took nothing
  EXPECT_EQ(next_pack(queue_, 1), (Ids{7, 3}));
  EXPECT_EQ(next_pack(queue_, 1), (Ids{4, 8}));
}

TEST_F(WorkQueueOfDirectories, WhatIsDroppedIsGoneFromThoseWithAnOwnerToo) {
  add(0, {1, 2, 3, 4});
  EXPECT_EQ(next_pack(queue_, 0), (Ids{1, 2}));
  EXPECT_FALSE(queue_.empty());
  queue_.drop(1);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.waiting_bytes(), 0U);
  EXPECT_FALSE(queue_.next(kBlockBytes, 1, 0).has_value());
}

TEST(WorkQueue, SparseFilesNeverTravelPacked) {
  WorkQueue queue;
  const auto sparse = file_of(1, 10);
  sparse->sparse = true;
  EXPECT_FALSE(WorkQueue::is_small(*sparse));
  queue.add(sparse);
  EXPECT_EQ(next_segment(queue).length, 10U);
}

TEST(WorkQueue, APackNeverOutgrowsABlock) {
  WorkQueue queue;
  std::set<std::uint64_t> left;
  std::uint64_t id = 0;
  for (int round = 0; round < 40; ++round) {
    for (const std::uint64_t size :
         {std::uint64_t{1}, std::uint64_t{10'000}, kPackedFileMaxBytes - 1, kPackedFileMaxBytes}) {
      left.insert(id);
      queue.add(file_of(id++, size));
    }
  }
  std::uint64_t last = 0;
  while (auto work = queue.next()) {
    const auto& files = std::get<PackWork>(*work).files;
    ASSERT_FALSE(files.empty());
    std::uint64_t bytes = 0;
    for (const auto& file : files) {
      bytes += wire::kPackRecordHeaderBytes + file->status.size_bytes;
      EXPECT_EQ(left.erase(file->id), 1U);
      EXPECT_TRUE(file->id == 0 || file->id == last + 1);
      last = file->id;
    }
    EXPECT_LE(bytes, kBlockBytes);
  }
  EXPECT_TRUE(left.empty());
}

TEST(WorkQueue, APackIsFilledToTheLastByte) {
  WorkQueue queue;
  const std::uint64_t rest = kBlockBytes - kPackedFileMaxBytes - 2 * wire::kPackRecordHeaderBytes;
  queue.add(file_of(1, kPackedFileMaxBytes));
  queue.add(file_of(2, rest));
  queue.add(file_of(3, 1));
  EXPECT_EQ(next_pack(queue), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue), Ids{3});
}

// The first frames of a stream are smaller.
TEST(WorkQueue, APackFitsTheFrameThatIsAskedFor) {
  WorkQueue queue;
  for (const std::uint64_t id : {1, 2, 3}) queue.add(file_of(id, 1000));
  queue.add(file_of(4, 5000));
  queue.add(file_of(5, 7));
  const std::size_t frame = 2 * (1000 + wire::kPackRecordHeaderBytes);
  const auto two = queue.next(frame);
  ASSERT_TRUE(two.has_value() && std::holds_alternative<PackWork>(*two));
  EXPECT_EQ(std::get<PackWork>(*two).files.size(), 2U);
  const auto one = queue.next(frame);
  ASSERT_TRUE(one.has_value() && std::holds_alternative<PackWork>(*one));
  EXPECT_EQ(std::get<PackWork>(*one).files.size(), 1U);
  // Too large for it alone: by itself, as large files go.
  const auto whole = queue.next(frame);
  ASSERT_TRUE(whole.has_value() && std::holds_alternative<SegmentWork>(*whole));
  EXPECT_EQ(std::get<SegmentWork>(*whole).file->id, 4U);
  EXPECT_EQ(std::get<SegmentWork>(*whole).length, 5000U);
  EXPECT_EQ(next_pack(queue), Ids{5});
  EXPECT_TRUE(queue.empty());
}

// The frame around a pack names one request.
TEST(WorkQueue, APackHoldsFilesOfOneRequest) {
  WorkQueue queue;
  queue.add(file_of(1, 5, 1));
  queue.add(file_of(1, 5, 2));
  queue.add(file_of(2, 5, 2));
  queue.add(file_of(2, 5, 1));
  EXPECT_EQ(next_pack(queue), Ids{1});
  EXPECT_EQ(next_pack(queue), (Ids{1, 2}));
  EXPECT_EQ(next_pack(queue), Ids{2});
}

TEST(WorkQueue, WhatWasGivenBackIsSharedByAll) {
  WorkQueue queue;
  queue.give_back({file_of(1, kSegmentBytes), kBlockBytes, 32 * kBlockBytes, nullptr});
  const auto first = queue.next(kBlockBytes, /*streams=*/4);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(std::get<SegmentWork>(*first).offset, kBlockBytes);
  EXPECT_EQ(std::get<SegmentWork>(*first).length, kBlockBytes);
  const auto second = queue.next(kBlockBytes, /*streams=*/4);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(std::get<SegmentWork>(*second).offset, 2 * kBlockBytes);
}

TEST(WorkQueue, WhatWasGivenBackGoesFirst) {
  WorkQueue queue;
  queue.add(file_of(1, 3 * kSegmentBytes));
  SegmentWork begun = next_segment(queue);
  begun.offset += kBlockBytes;
  begun.length -= kBlockBytes;
  queue.give_back(begun);
  EXPECT_FALSE(queue.empty());
  const SegmentWork again = next_segment(queue);
  EXPECT_EQ(again.file->id, 1U);
  EXPECT_EQ(again.offset, kBlockBytes);
  EXPECT_EQ(again.length, begun.length);
  EXPECT_EQ(next_segment(queue).offset, begun.offset + begun.length);
}

TEST(WorkQueue, PartsFollowEachOtherBehindWhatLendsToThemAndBeforeAllElse) {
  WorkQueue queue;
  queue.add(file_of(2, 9 * kSegmentBytes));
  const auto lender = file_of(1, 2 * kSegmentBytes);
  lender->lends = true;
  queue.add(lender);
  SegmentWork begun = next_segment(queue);
  EXPECT_EQ(begun.file->id, 1U);
  queue.add_part({file_of(3, kSegmentBytes), 7, 5, nullptr});
  const auto other = file_of(4, kSegmentBytes);
  queue.add_part({other, 8, 5, nullptr});
  queue.add_part({other, 13, 5, nullptr});
  queue.add_part({other, 19, 5, nullptr});
  EXPECT_EQ(queue.pieces(), 3U) << "what follows is one";
  begun.length = 6;
  queue.give_back(begun);
  EXPECT_EQ(next_segment(queue).length, 6U);
  SegmentWork next = next_segment(queue);
  EXPECT_EQ(next.file->id, 1U);
  while (next.file->id == 1) next = next_segment(queue);
  EXPECT_EQ(next.offset, 7U);
  const SegmentWork joined = next_segment(queue);
  EXPECT_EQ(joined.offset, 8U);
  EXPECT_EQ(joined.length, 10U);
  EXPECT_EQ(next_segment(queue).offset, 19U);
  EXPECT_EQ(next_segment(queue).file->id, 2U);
}

TEST(WorkQueue, StoppedFilesArePassedOver) {
  WorkQueue queue;
  const auto returned = file_of(1, kSegmentBytes);
  const auto large = file_of(2, 5 * kSegmentBytes);
  const auto small = file_of(3, 5);
  queue.add(large);
  queue.add(file_of(4, kSegmentBytes));
  queue.add(small);
  queue.add(file_of(5, 6));
  queue.give_back({returned, 0, 5, nullptr});
  EXPECT_EQ(next_segment(queue).file->id, 1U);
  queue.give_back({returned, 0, 5, nullptr});
  EXPECT_EQ(next_segment(queue).file->id, 1U);
  queue.give_back({returned, 0, 5, nullptr});
  returned->stopped = large->stopped = small->stopped = true;
  std::uint64_t of_the_fourth = 0;
  while (of_the_fourth < kSegmentBytes) {
    const SegmentWork work = next_segment(queue);
    ASSERT_EQ(work.file->id, 4U);
    of_the_fourth += work.length;
  }
  EXPECT_EQ(next_pack(queue), Ids{5});
  EXPECT_FALSE(queue.next().has_value());
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueue, OnlyStoppedFilesAreNothing) {
  WorkQueue queue;
  for (const std::uint64_t size : {std::uint64_t{1}, kSegmentBytes}) {
    const auto file = file_of(1, size);
    queue.add(file);
    file->stopped = true;
  }
  EXPECT_FALSE(queue.next().has_value());
}

TEST(WorkQueue, DroppingARequestLeavesTheOthers) {
  WorkQueue queue;
  for (const std::uint32_t request : {1U, 2U}) {
    queue.add(file_of(10 * request, 2 * kSegmentBytes + request, request));
    queue.add(file_of(10 * request + 1, 3 * kSegmentBytes + request, request));
    queue.add(file_of(10 * request + 2, 7, request));
    queue.give_back({file_of(10 * request + 3, kSegmentBytes, request), 0, 5, nullptr});
  }
  queue.drop(1);
  Ids order;
  while (auto work = queue.next()) {
    if (const auto* segment = std::get_if<SegmentWork>(&*work)) {
      note(order, segment->file->id);
    } else {
      for (const auto& file : std::get<PackWork>(*work).files) order.push_back(file->id);
    }
  }
  EXPECT_EQ(order, (Ids{23, 21, 20, 22}));
  queue.drop(7);
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueue, StoppedFilesDoNotStayInIt) {
  WorkQueue queue;
  std::weak_ptr<GivenFile> small;
  std::weak_ptr<GivenFile> large;
  for (const auto& [id, size] : {std::pair{1U, 7U}, std::pair{2U, 3'000'000U}}) {
    GivenFilePtr file = file_of(id, size);
    (id == 1 ? small : large) = file;
    file->stopped = true;
    queue.add(std::move(file));
  }
  queue.add(file_of(3, 7));
  queue.forget_stopped();
  EXPECT_TRUE(small.expired());
  EXPECT_TRUE(large.expired());
  EXPECT_TRUE(queue.next().has_value()) << "the third";
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueueDeathTest, EmptyFilesAreOurMistake) {
  WorkQueue queue;
  EXPECT_DEATH(queue.add(file_of(1, 0)), "");
}

}  // namespace
}  // namespace wormhole::transfer
