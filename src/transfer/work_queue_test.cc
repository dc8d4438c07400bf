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

std::vector<std::uint64_t> next_pack(WorkQueue& queue) {
  auto work = queue.next();
  std::vector<std::uint64_t> ids;
  if (!work.has_value() || !std::holds_alternative<PackWork>(*work)) return ids;
  for (const auto& file : std::get<PackWork>(*work).files) ids.push_back(file->id);
  return ids;
}

using Ids = std::vector<std::uint64_t>;

TEST(WorkQueue, IsEmptyUntilAFileComes) {
  WorkQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.next().has_value());
  queue.add(file_of(1, 1));
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(next_pack(queue), Ids{1});
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueue, ALargeFileIsCutIntoSegmentsInOrder) {
  WorkQueue queue;
  const std::uint64_t size = 2 * kSegmentBytes + 5;
  queue.add(file_of(1, size));
  std::uint64_t offset = 0;
  for (const std::uint64_t length : {kSegmentBytes, kSegmentBytes, std::uint64_t{5}}) {
    const SegmentWork work = next_segment(queue);
    EXPECT_EQ(work.offset, offset);
    EXPECT_EQ(work.length, length);
    offset += length;
  }
  EXPECT_EQ(offset, size);
  EXPECT_TRUE(queue.empty());
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
  while (!queue.empty()) order.push_back(next_segment(queue).file->id);
  // 2 has less left than 1 after its second segment: it is finished all the same.
  EXPECT_EQ(order, (Ids{2, 2, 2, 1, 1, 3}));
}

TEST(WorkQueue, EqualLargeFilesGoInTheOrderTheyWereAnnounced) {
  WorkQueue queue;
  for (const std::uint64_t id : {4, 2, 3, 1}) queue.add(file_of(id, kSegmentBytes + 1));
  Ids order;
  while (!queue.empty()) order.push_back(next_segment(queue).file->id);
  EXPECT_EQ(order, (Ids{1, 1, 2, 2, 3, 3, 4, 4}));
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
  EXPECT_EQ(again.length, kSegmentBytes - kBlockBytes);
  EXPECT_EQ(next_segment(queue).offset, kSegmentBytes);
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
  EXPECT_EQ(next_segment(queue).file->id, 4U);
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
      order.push_back(segment->file->id);
    } else {
      for (const auto& file : std::get<PackWork>(*work).files) order.push_back(file->id);
    }
  }
  EXPECT_EQ(order, (Ids{23, 21, 21, 21, 21, 20, 20, 20, 22}));
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
