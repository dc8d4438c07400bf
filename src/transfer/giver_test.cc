#include "transfer/giver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "platform/test_directory.h"
#include "transfer/connection_pair.h"

namespace wormhole::transfer {
namespace {

// The taker may want a file the moment it hears of it, which is before the walker returns from
// announcing it.
TEST(Giver, AFileMayBeWantedAsSoonAsItIsAnnounced) {
  const platform::TestDirectory directory;
  directory.write("one.bin", "content");
  const auto shares = Shares::open({directory / "one.bin"});
  ASSERT_TRUE(shares.has_value());
  testing::ConnectionPair pair;
  BlockPool pool{2};
  ControlWriter control{*pair.near().writer, pool};
  Giver giver{*shares, control};
  // Nothing leaves: the walker stays where it hands the announcement over.
  for (std::size_t i = 0; i < kControlWaitingMax; ++i) control.push(wire::Ping{});
  ASSERT_TRUE(giver.on_get({.request = 1, .path = "", .may_have = true, .credit = 8}).has_value());
  while (!giver.on_want({.request = 1, .files = {}, .decided = 1}).has_value()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // not announced yet
  }
  const auto wanted = giver.on_want({.request = 1, .files = {0}, .decided = 1});
  EXPECT_TRUE(wanted.has_value()) << to_sentence(wanted.error());
  EXPECT_TRUE(giver.next_now(kBlockBytes, 1).has_value()) << "its data can leave";
  control.close();
}

// What is announced is handed over without the lock: the end may come meanwhile.
TEST(Giver, StopsWhileItsWalkerHandsOverWhatUsedUpTheCredit) {
  const platform::TestDirectory directory;
  std::filesystem::create_directory(directory / "d");
  directory.write("d/one.bin", "content");
  directory.write("d/two.bin", "content");
  const auto shares = Shares::open({directory / "d"});
  ASSERT_TRUE(shares.has_value());
  testing::ConnectionPair pair;
  BlockPool pool{2};
  ControlWriter control{*pair.near().writer, pool};
  std::optional<Giver> giver(std::in_place, *shares, control);
  // There is room for the directory's announcement and no more: with the first file's the walker
  // stays where it hands it over, as the second has no credit.
  for (std::size_t i = 1; i < kControlWaitingMax; ++i) control.push(wire::Ping{});
  ASSERT_TRUE(giver->on_get({.request = 1, .path = "", .credit = 2}).has_value());
  while (!giver->on_want({.request = 1, .files = {}, .decided = 2}).has_value()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // not announced yet
  }
  giver->stop();
  std::thread writer([&] { static_cast<void>(control.run(nullptr)); });
  giver.reset();  // joins the walker, which has room and no credit
  control.close();
  writer.join();
}

// A giver of one file of four blocks, which was announced and not wanted yet.
class GiverOfRanges : public ::testing::Test {
 protected:
  GiverOfRanges() {
    directory_.write("one.bin", std::string(4 * kBlockBytes, 'x'));
    shares_.emplace(Shares::open({directory_ / "one.bin"}).value());
    giver_.emplace(*shares_, control_);
  }
  ~GiverOfRanges() override { control_.close(); }

  void announce(bool may_have) {
    ASSERT_TRUE(giver_->on_get({1, "", may_have, 8}).has_value());
    while (!giver_->on_want({.request = 1, .files = {}, .decided = 1}).has_value()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  Result<void> want(std::vector<RangeSet::Range> ranges, std::uint64_t file = 0) {
    return giver_->on_want_ranges({1, file, std::move(ranges)});
  }
  // What leaves, piece by piece.
  std::vector<RangeSet::Range> given() {
    std::vector<RangeSet::Range> pieces;
    while (const auto work = giver_->next_now(kBlockBytes, 1)) {
      const auto& segment = std::get<SegmentWork>(*work);
      if (!pieces.empty() && pieces.back().offset + pieces.back().length == segment.offset) {
        pieces.back().length += segment.length;
      } else {
        pieces.push_back({segment.offset, segment.length});
      }
    }
    return pieces;
  }

  // The next message of that kind that the taker gets.
  template <typename T>
  std::optional<T> hear() {
    Block block = pool_.acquire();
    while (true) {
      const auto header = pair_.far().reader->receive(block);
      if (!header.has_value()) return std::nullopt;
      auto message = wire::decode(Bytes(block.payload()).first(header->payload_bytes));
      if (!message.has_value()) return std::nullopt;
      if (auto* heard = std::get_if<T>(&*message)) return std::move(*heard);
    }
  }

  // So many, and that they are all.
  std::vector<wire::Entry> hear_entries(std::size_t count) {
    std::vector<wire::Entry> entries;
    while (entries.size() < count) {
      const auto more = hear<wire::Entries>();
      if (!more.has_value()) break;
      entries.insert(entries.end(), more->entries.begin(), more->entries.end());
    }
    EXPECT_TRUE(hear<wire::Listed>().has_value());
    return entries;
  }

  // What the giver says meanwhile reaches the taker.
  template <typename Body>
  void while_writing(const Body& body) {
    std::thread writer([&] { static_cast<void>(control_.run(nullptr)); });
    body();
    control_.close();
    writer.join();
  }
  void expect_changed() {
    const auto failed = hear<wire::Failed>();
    ASSERT_TRUE(failed.has_value());
    EXPECT_EQ(failed->code, wire::FailureCode::kChanged);
  }

  const platform::TestDirectory directory_;
  testing::ConnectionPair pair_;
  BlockPool pool_{4};
  ControlWriter control_{*pair_.near().writer, pool_};
  std::optional<Shares> shares_;
  std::optional<Giver> giver_;
};

TEST_F(GiverOfRanges, OnlyWhatIsAskedForLeavesInOrder) {
  announce(/*may_have=*/true);
  const std::vector<RangeSet::Range> ranges = {{10, 20}, {kBlockBytes, kBlockBytes + 5}};
  ASSERT_TRUE(want(ranges).has_value());
  EXPECT_EQ(given(), ranges);
  ASSERT_TRUE(want({{0, 10}}).has_value()) << "what turned out to be damaged";
  EXPECT_EQ(given(), (std::vector<RangeSet::Range>{{0, 10}}));
}

TEST_F(GiverOfRanges, WhatIsOutsideOrSentWholeIsRefused) {
  announce(/*may_have=*/true);
  for (const auto& range : std::vector<RangeSet::Range>{
           {4 * kBlockBytes, 1}, {4 * kBlockBytes - 1, 2}, {0, 4 * kBlockBytes + 1}}) {
    const auto refused = want({range});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kProtocol);
  }
  EXPECT_EQ(given(), std::vector<RangeSet::Range>{});
  ASSERT_TRUE(giver_->on_want({.request = 1, .files = {0}, .decided = 1}).has_value());
  EXPECT_EQ(want({{0, 1}}).error().code, Code::kProtocol);
  EXPECT_EQ(giver_->on_want({.request = 1, .files = {0}, .decided = 1}).error().code,
            Code::kProtocol);
}

TEST_F(GiverOfRanges, WhoHasNothingAsksForNoRanges) {
  ASSERT_TRUE(giver_->on_get({1, "", /*may_have=*/false, 8}).has_value());
  // Unasked, once it is announced.
  while (!giver_->next_now(kBlockBytes, 1).has_value()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(want({{0, 1}}).error().code, Code::kProtocol);
}

TEST_F(GiverOfRanges, WhatMayBeACopyIsHeldUntilItIsAskedFor) {
  const std::string content(kReusableMinBytes, 'x');
  std::filesystem::create_directory(directory_ / "tree");
  directory_.write("tree/one", content);
  directory_.write("tree/two", content);
  const auto shares = Shares::open({directory_ / "tree"}).value();
  Giver giver(shares, control_);
  giver.find_copies(/*is_long_path=*/false);
  ASSERT_TRUE(giver.on_get({1, "", /*may_have=*/false, 8}).has_value());
  while_writing([&] {
    const std::vector<wire::Entry> entries = hear_entries(4);
    ASSERT_EQ(entries.size(), 4U);
    EXPECT_EQ(entries[1].copy_of, 0U);
    EXPECT_EQ(entries[2].copy_of, 1U);
    const auto next = [&]() -> std::optional<std::uint64_t> {
      const auto work = giver.next_now(kSegmentBytes, 1);
      if (!work.has_value()) return std::nullopt;
      return std::get<SegmentWork>(*work).file->id;
    };
    EXPECT_EQ(next(), 1U);
    EXPECT_EQ(next(), std::nullopt) << "its copy waits";
    EXPECT_EQ(giver.on_want_ranges({1, 1, {{0, 1}}}).error().code, Code::kProtocol)
        << "it was sent unasked";
    ASSERT_TRUE(giver.on_want_ranges({1, 2, {}}).has_value());
    ASSERT_TRUE(giver.on_want_chunks({1, {2}}).has_value());
    EXPECT_TRUE(hear<wire::Chunks>().has_value());
    ASSERT_TRUE(giver.on_want_ranges({1, 2, {{5, 10}}, /*last=*/true}).has_value());
    EXPECT_EQ(next(), 2U);
  });
}

TEST_F(GiverOfRanges, OnALongPathAllFilesButTheFirstAreHeldBack) {
  std::filesystem::create_directory(directory_ / "tree");
  directory_.write("tree/a short one", "x");
  for (const char* name : {"1", "2", "3"}) {
    directory_.write("tree/" + std::string(name),
                     std::string(kReusableMinBytes + static_cast<std::size_t>(*name), 'x'));
  }
  const auto shares = Shares::open({directory_ / "tree"}).value();
  Giver giver(shares, control_);
  giver.find_copies(/*is_long_path=*/true);
  ASSERT_TRUE(giver.on_get({1, "", /*may_have=*/false, 8}).has_value());
  while_writing([&] {
    const std::vector<wire::Entry> entries = hear_entries(6);
    ASSERT_EQ(entries.size(), 6U);
    std::uint64_t first = 0;
    std::vector<std::uint64_t> held;
    for (std::uint64_t id = 1; id < 5; ++id) {
      if (entries[id].held) {
        held.push_back(id);
      } else if (entries[id].size > 1) {
        first = id;
      }
    }
    ASSERT_EQ(held.size(), 2U);
    ASSERT_LT(first, held[0]);
    std::size_t sent = 0;
    while (const auto work = giver.next_now(kSegmentBytes, 1)) {
      if (const auto* segment = std::get_if<SegmentWork>(&*work)) {
        EXPECT_EQ(segment->file->id, first);
      }
      ++sent;
    }
    EXPECT_EQ(sent, 2U);
    EXPECT_EQ(giver.on_want_chunks({1, {held[0]}}).error().code, Code::kProtocol);
    ASSERT_TRUE(giver.on_want_chunks({1, {first}}).has_value()) << "though it was sent";
    EXPECT_EQ(hear<wire::Chunks>().value().file, first);
    EXPECT_EQ(giver.on_want_chunks({1, {first}}).error().code, Code::kProtocol) << "twice";
  });
}

TEST_F(GiverOfRanges, MoreRangesThanAnInterruptedRunLeavesAreRefused) {
  announce(/*may_have=*/true);
  std::vector<RangeSet::Range> many;
  for (std::uint64_t i = 0; i < wire::kRangesPerMessageMax; ++i) many.push_back({2 * i, 1});
  Result<void> result;
  std::size_t ranges = 0;
  for (; result.has_value() && ranges < 2 * kOpenEntriesMax; ranges += many.size()) {
    result = want(many);
  }
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kProtocol);
  EXPECT_LE(ranges, kOpenEntriesMax + many.size());
}

TEST_F(GiverOfRanges, NothingIsAskedForAfterTheLast) {
  announce(/*may_have=*/true);
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value()) << "held";
  EXPECT_EQ(given(), std::vector<RangeSet::Range>{});
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {{0, 10}}, /*last=*/true}).has_value());
  EXPECT_EQ(given(), (std::vector<RangeSet::Range>{{0, 10}}));
  EXPECT_EQ(want({{20, 1}}).error().code, Code::kProtocol);
  EXPECT_EQ(giver_->on_want_chunks({1, {0}}).error().code, Code::kProtocol);
}

TEST_F(GiverOfRanges, TellsTheChunksOfWhatIsHeldOnce) {
  announce(/*may_have=*/true);
  EXPECT_EQ(giver_->on_want_chunks({1, {0}}).error().code, Code::kProtocol) << "not held";
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value());
  ASSERT_TRUE(giver_->on_want_chunks({1, {0}}).has_value());
  EXPECT_EQ(giver_->on_want_chunks({1, {0}}).error().code, Code::kProtocol) << "twice";
  ASSERT_TRUE(giver_->on_want_chunks({1, {5}}).has_value()) << "forgotten: it fails";
  ASSERT_TRUE(giver_->on_want_chunks({2, {0}}).has_value()) << "a request that ended";

  while_writing([&] {
    const auto told = hear<wire::Chunks>();
    const std::string content(4 * kBlockBytes, 'x');
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->offset, 0U);
    ASSERT_EQ(told->chunks.size(), 1U);
    EXPECT_EQ(told->chunks[0].length, content.size());
    EXPECT_EQ(told->chunks[0].hash, store::hash(as_bytes(content)));
  });
}

TEST_F(GiverOfRanges, TellsHowWhatIsAskedForIsCutFinelyOnce) {
  announce(/*may_have=*/true);
  const auto want_fine = [&](std::vector<RangeSet::Range> ranges) {
    return giver_->on_want_fine_chunks({1, 0, std::move(ranges)});
  };
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value());
  EXPECT_EQ(want_fine({{0, 9}}).error().code, Code::kProtocol) << "its chunks are not known";
  ASSERT_TRUE(giver_->on_want_chunks({1, {0}}).has_value());
  ASSERT_TRUE(want_fine({{5, 100'000}, {4 * kBlockBytes - 7, 7}}).has_value());
  EXPECT_EQ(want_fine({{0, 9}}).error().code, Code::kProtocol) << "twice";
  ASSERT_TRUE(giver_->on_want_fine_chunks({1, 5, {{0, 9}}}).has_value()) << "forgotten: it fails";
  ASSERT_TRUE(giver_->on_want_fine_chunks({2, 0, {{0, 9}}}).has_value()) << "a request that ended";

  while_writing([&] {
    const auto first = hear<wire::FineChunks>();
    const auto last = hear<wire::FineChunks>();
    ASSERT_TRUE(first.has_value() && last.has_value());
    EXPECT_EQ(first->offset, 5U);
    const std::string all_alike(kFineChunkMaxBytes, 'x');
    const std::string rest(100'000 - kFineChunkMaxBytes, 'x');
    EXPECT_EQ(first->chunks,
              (std::vector<Chunk>{{kFineChunkMaxBytes, store::hash(as_bytes(all_alike))},
                                  {100'000 - kFineChunkMaxBytes, store::hash(as_bytes(rest))}}));
    EXPECT_EQ(last->offset, 4 * kBlockBytes - 7);
    EXPECT_EQ(last->chunks, (std::vector<Chunk>{{7, store::hash(as_bytes("xxxxxxx"))}}));
  });
}

TEST_F(GiverOfRanges, AFileIsToldOfOnceItsDataIsHandedOut) {
  std::vector<std::string> begun;
  giver_->when_begun([&](const GivenFile& file) { begun.push_back(file.name); });
  announce(/*may_have=*/true);
  ASSERT_TRUE(want({{0, kBlockBytes}, {2 * kBlockBytes, kBlockBytes}}).has_value());
  EXPECT_TRUE(begun.empty());
  EXPECT_EQ(given().size(), 2U);
  EXPECT_EQ(begun, std::vector<std::string>{"one.bin"});
}

TEST_F(GiverOfRanges, FineChunksOutsideTheFileAreRefused) {
  announce(/*may_have=*/true);
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value());
  ASSERT_TRUE(giver_->on_want_chunks({1, {0}}).has_value());
  const auto refused = giver_->on_want_fine_chunks({1, 0, {{4 * kBlockBytes - 7, 8}}});
  EXPECT_EQ(refused.error().code, Code::kProtocol);
}

TEST_F(GiverOfRanges, MoreFineRangesThanAnyoneHasAUseForAreRefused) {
  ChunkTeller teller(control_);
  const auto file = std::make_shared<GivenFile>();
  const auto ranges = [](std::size_t count, std::uint64_t length) {
    std::vector<RangeSet::Range> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back({i * length, length});
    return all;
  };
  EXPECT_EQ(teller.add_fine(file, ranges(1, kRefinedMaxBytes + 1)).error().code, Code::kProtocol);
  EXPECT_EQ(teller.add_fine(file, ranges(kOpenEntriesMax + 1, 1)).error().code, Code::kProtocol);
}

TEST_F(GiverOfRanges, AFileThatChangedIsNotToldFinely) {
  announce(/*may_have=*/true);
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value());
  ASSERT_TRUE(giver_->on_want_chunks({1, {0}}).has_value());
  while_writing([&] {
    ASSERT_TRUE(hear<wire::Chunks>().has_value());
    directory_.write("one.bin", std::string(4 * kBlockBytes, 'y'));
    ASSERT_TRUE(giver_->on_want_fine_chunks({1, 0, {{0, 9}}}).has_value());
    expect_changed();
  });
}

TEST_F(GiverOfRanges, TheChunksOfAFileThatChangedAreNotTold) {
  announce(/*may_have=*/true);
  directory_.write("one.bin", std::string(4 * kBlockBytes, 'y') + "longer");
  ASSERT_TRUE(giver_->on_want_ranges({1, 0, {}, /*last=*/false}).has_value());
  ASSERT_TRUE(giver_->on_want_chunks({1, {0}}).has_value());
  while_writing([&] { expect_changed(); });
}

}  // namespace
}  // namespace wormhole::transfer
