#include "transfer/data_sender.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/limits.h"
#include "platform/test_directory.h"
#include "transfer/connection_pair.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using wire::FrameType;

class DataSenderTest : public ::testing::Test {
 protected:
  GivenFilePtr given(const std::string& name, std::uint64_t id) {
    auto file = std::make_shared<GivenFile>();
    file->request = 5;
    file->id = id;
    file->tree = tree_;
    file->directory = tree_->root();
    file->name = name;
    file->status = there_.open().status_of(name).value();
    file->sparse = file->status.allocated_bytes < file->status.size_bytes;
    return file;
  }
  static Work segment(GivenFilePtr file, std::uint64_t offset, std::uint64_t length) {
    return SegmentWork{std::move(file), offset, length, nullptr};
  }
  wire::FrameHeader receive() { return pair_.receive(block_); }
  // All of the work in hand, while somebody receives: a frame that says another follows is not
  // handed out before that one's header is there.
  [[nodiscard]] std::thread sending() {
    return std::thread([this] {
      while (sender_.has_work()) ASSERT_TRUE(sender_.step(sending_block_, false).has_value());
    });
  }
  [[nodiscard]] wire::Failed failed(const wire::FrameHeader& header) {
    EXPECT_EQ(header.type, FrameType::kControl);
    const auto message = wire::decode(Bytes(block_.payload()).first(header.payload_bytes));
    EXPECT_TRUE(message.has_value() && std::holds_alternative<wire::Failed>(*message));
    return std::get<wire::Failed>(*message);
  }

  const platform::TestDirectory there_;
  std::shared_ptr<DirectoryTree> tree_ = std::make_shared<DirectoryTree>(there_.open());
  testing::ConnectionPair pair_;
  BlockPool pool_{4};
  Block block_ = pool_.acquire();
  Block sending_block_ = pool_.acquire();
  GivenCounters counters_;
  DataSender sender_{*pair_.near().writer, counters_, /*plain=*/false, nullptr};
};

TEST_F(DataSenderTest, APackIsSentWholeAndCounted) {
  there_.write("a", "aaa");
  there_.write("b", "bb");
  const auto a = given("a", 1);
  const auto b = given("b", 2);
  sender_.take(PackWork{{a, b}});
  ASSERT_TRUE(sender_.step(sending_block_, false).has_value());
  EXPECT_FALSE(sender_.has_work());
  const auto header = receive();
  EXPECT_EQ(header.type, FrameType::kPack);
  EXPECT_EQ(header.request, 5U);
  wire::PackReader reader(Bytes(block_.payload()).first(header.payload_bytes));
  EXPECT_EQ(as_text(reader.next().value()->data), "aaa");
  EXPECT_EQ(reader.next().value()->file, 2U);
  EXPECT_FALSE(reader.next().value().has_value());
  EXPECT_EQ(counters_.files, 2U);
  EXPECT_EQ(counters_.data_bytes, 5U);
  // What was sent may be forgotten: the giver's table is bounded by it.
  EXPECT_EQ(a->sent_bytes, 3U);
  EXPECT_EQ(b->sent_bytes, 2U);
}

TEST_F(DataSenderTest, WhatChangedSinceItWasAnnouncedIsReportedAndTheRestOfThePackSent) {
  for (const char* name : {"same", "shorter", "longer", "gone", "replaced"}) {
    there_.write(name, "12345");
  }
  PackWork pack;
  std::uint64_t id = 0;
  for (const char* name : {"shorter", "longer", "same", "gone", "replaced"}) {
    pack.files.push_back(given(name, ++id));
  }
  there_.write("shorter", "1234");
  there_.write("longer", "123456");
  fs::remove(there_ / "gone");
  fs::remove(there_ / "replaced");
  fs::create_symlink("same", there_ / "replaced");
  sender_.take(std::move(pack));
  ASSERT_TRUE(sender_.step(sending_block_, false).has_value());
  const auto header = receive();
  EXPECT_EQ(header.type, FrameType::kPack);
  wire::PackReader reader(Bytes(block_.payload()).first(header.payload_bytes));
  EXPECT_EQ(reader.next().value()->file, 3U);
  EXPECT_FALSE(reader.next().value().has_value());
  std::map<std::uint64_t, wire::FailureCode> failures;
  for (int i = 0; i < 4; ++i) {
    const auto one = failed(receive());
    failures[one.file] = one.code;
  }
  EXPECT_EQ(failures.size(), 4U);
  EXPECT_EQ(failures[1], wire::FailureCode::kChanged);
  EXPECT_EQ(failures[2], wire::FailureCode::kChanged);
  EXPECT_EQ(failures[4], wire::FailureCode::kNotFound);
  EXPECT_EQ(counters_.files, 1U);
}

// The first frames of a stream may be smaller; none is larger or crosses a block's edge.
TEST_F(DataSenderTest, ASegmentGoesInOrderAndAtMostABlockAFrame) {
  there_.write("f", std::string(4 * kBlockBytes, 'x'));
  const auto file = given("f", 1);
  std::uint64_t at = kBlockBytes - 7;
  const std::uint64_t end = 3 * kBlockBytes + 10;
  sender_.take(segment(file, at, end - at));
  std::thread thread = sending();
  while (at < end) {
    const auto header = receive();
    EXPECT_EQ(header.type, FrameType::kData);
    EXPECT_EQ(header.file, 1U);
    EXPECT_EQ(header.offset, at);
    EXPECT_EQ(at / kBlockBytes, (at + header.payload_bytes - 1) / kBlockBytes);
    if (header.payload_bytes == 0) break;
    at += header.payload_bytes;
    EXPECT_EQ(header.followed, at != end) << "promised exactly when it comes";
  }
  thread.join();
  EXPECT_EQ(at, end);
  EXPECT_EQ(file->sent_bytes, 2 * kBlockBytes + 17);
  EXPECT_EQ(counters_.files, 0U) << "not all of it";
}

TEST_F(DataSenderTest, WhatIsLeftAtTheEndOfAStreamIsGivenBack) {
  there_.write("f", std::string(3 * kBlockBytes, 'x'));
  sender_.take(segment(given("f", 1), 0, 3 * kBlockBytes));
  ASSERT_TRUE(sender_.step(sending_block_, /*last=*/true).has_value());
  const auto header = receive();
  EXPECT_FALSE(header.followed) << "nothing may be promised behind it";
  const auto rest = sender_.take_rest();
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(rest->offset, header.payload_bytes);
  EXPECT_EQ(rest->offset + rest->length, 3 * kBlockBytes);
  EXPECT_FALSE(sender_.has_work());
  EXPECT_FALSE(sender_.take_rest().has_value());
  ASSERT_TRUE(sender_.send_end(sending_block_).has_value());
  EXPECT_EQ(receive().type, FrameType::kEndStream);
}

TEST_F(DataSenderTest, HolesAreSentAsHoles) {
  there_.write("f", "");
  fs::resize_file(there_ / "f", 8 * kBlockBytes);
  {
    std::fstream file(there_ / "f", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4 * kBlockBytes);
    file << "data";
  }
  const auto file = given("f", 1);
  ASSERT_TRUE(file->sparse);
  sender_.take(segment(file, 0, 8 * kBlockBytes));
  std::uint64_t at = 0;
  bool had_hole = false;
  std::thread thread = sending();
  while (at < 8 * kBlockBytes) {
    const auto header = receive();
    EXPECT_EQ(header.offset, at);
    const bool is_hole = header.type == FrameType::kHole;
    const std::uint64_t length =
        is_hole ? load_le<std::uint64_t>(block_.payload().data()) : header.payload_bytes;
    had_hole = had_hole || is_hole;
    if (length == 0) break;
    at += length;
  }
  thread.join();
  EXPECT_EQ(at, 8 * kBlockBytes);
  EXPECT_TRUE(had_hole);
  EXPECT_EQ(counters_.files, 1U);
}

TEST_F(DataSenderTest, TheLastRangeNeverLeavesAFileThatChanged) {
  there_.write("f", std::string(2 * kBlockBytes, 'x'));
  const auto file = given("f", 1);
  sender_.take(segment(file, 0, 2 * kBlockBytes));
  ASSERT_TRUE(sender_.step(sending_block_, false).has_value());
  there_.write("f", std::string(2 * kBlockBytes, 'y'));  // as long as before
  std::thread thread = sending();
  std::uint64_t sent = 0;
  wire::FrameHeader header = receive();
  while (header.type == FrameType::kData) {
    sent += header.payload_bytes;
    header = receive();
  }
  thread.join();
  EXPECT_EQ(failed(header).code, wire::FailureCode::kChanged);
  EXPECT_LT(sent, 2 * kBlockBytes);
  EXPECT_TRUE(file->stopped);
}

TEST_F(DataSenderTest, AFailureIsSaidOnceByAllStreams) {
  there_.write("f", std::string(2 * kBlockBytes, 'x'));
  const auto file = given("f", 1);
  fs::resize_file(there_ / "f", 1);
  sender_.take(segment(file, 0, kBlockBytes));
  ASSERT_TRUE(sender_.step(sending_block_, false).has_value());
  EXPECT_EQ(failed(receive()).file, 1U);
  DataSender other(*pair_.near().writer, counters_, false, nullptr);
  other.take(segment(file, kBlockBytes, kBlockBytes));
  ASSERT_TRUE(other.step(sending_block_, false).has_value());
  EXPECT_FALSE(other.has_work());
  ASSERT_TRUE(other.send_end(sending_block_).has_value());
  EXPECT_EQ(receive().type, FrameType::kEndStream) << "nothing in between";
}

}  // namespace
}  // namespace wormhole::transfer
