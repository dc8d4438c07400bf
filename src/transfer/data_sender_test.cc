#include "transfer/data_sender.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
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
  const SystemClock clock_;
  DataSender sender_{*pair_.near().writer, counters_, clock_, /*plain=*/false, nullptr};
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

// What was cached of it before is remembered by the open file.
TEST_F(DataSenderTest, AFileTooLongToStayInMemoryIsOpenUntilAllOfItWasSent) {
  there_.write("f", std::string(20'000, 'f'));
  for (const bool is_long : {false, true}) {
    const auto file = given("f", 1);
    file->uncached = is_long;
    std::weak_ptr<const platform::File> opened;
    for (const std::uint64_t offset : {0U, 10'000U}) {
      sender_.take(segment(file, offset, 10'000));
      std::thread sends = sending();
      for (std::uint64_t got = 0; got < 10'000;) got += receive().payload_bytes;
      sends.join();
      if (offset > 0) break;
      opened = *file->open();
      EXPECT_EQ(opened.expired(), !is_long);
    }
    EXPECT_TRUE(opened.expired());
  }
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
  DataSender other(*pair_.near().writer, counters_, clock_, false, nullptr);
  other.take(segment(file, kBlockBytes, kBlockBytes));
  ASSERT_TRUE(other.step(sending_block_, false).has_value());
  EXPECT_FALSE(other.has_work());
  ASSERT_TRUE(other.send_end(sending_block_).has_value());
  EXPECT_EQ(receive().type, FrameType::kEndStream) << "nothing in between";
}

// Time passes by sending alone: a megabyte a second.
class SlowPathClock final : public Clock {
 public:
  explicit SlowPathClock(const session::SealedWriter& writer) : writer_(writer) {}
  [[nodiscard]] TimePoint now() const override {
    return TimePoint(std::chrono::hours(1)) + std::chrono::microseconds(writer_.wire_bytes());
  }

 private:
  const session::SealedWriter& writer_;
};

std::string words(std::size_t size) {
  std::string text;
  while (text.size() < size)
    text += "the " + std::to_string(text.size() * 7) + "th of many words\n";
  text.resize(size);
  return text;
}

class SlowPathTest : public DataSenderTest {
 protected:
  // What is received next, expanded; `compressed` counts those that had to be.
  wire::FrameHeader expanded() {
    wire::FrameHeader header = receive();
    if (header.type != FrameType::kCompressed) return header;
    ++compressed_;
    const auto inner = codecs_.expand(block_, header.payload_bytes);
    EXPECT_TRUE(inner.has_value());
    header.type = inner->type;
    header.payload_bytes = inner->plain_bytes;
    return header;
  }

  Codecs codecs_;
  const SlowPathClock slow_{*pair_.near().writer};
  DataSender slow_sender_{*pair_.near().writer, counters_, slow_, /*plain=*/false, &codecs_};
  int compressed_ = 0;
};

TEST_F(SlowPathTest, TextIsCompressedAndArrivesAsItWas) {
  const std::string text = words(3 * kBlockBytes + 1000);
  there_.write("f", text);
  slow_sender_.take(segment(given("f", 1), 0, text.size()));
  std::thread sending([this] {
    while (slow_sender_.has_work()) {
      ASSERT_TRUE(slow_sender_.step(sending_block_, false).has_value());
    }
  });
  std::string arrived;
  while (arrived.size() < text.size()) {
    const auto header = expanded();
    ASSERT_EQ(header.type, FrameType::kData);
    ASSERT_EQ(header.offset, arrived.size());
    arrived += as_text(Bytes(block_.payload()).first(header.payload_bytes));
  }
  sending.join();
  EXPECT_EQ(arrived, text);
  EXPECT_GT(compressed_, 2);
  EXPECT_EQ(counters_.data_bytes, text.size()) << "bytes of the file, not of the wire";
  EXPECT_LT(slow_sender_.wire_share(), 0.7);
  EXPECT_LT(pair_.near().writer->wire_bytes(), text.size() / 2);
}

TEST_F(SlowPathTest, PacksAreCompressedToo) {
  const std::string text = words(40'000);
  for (const char* name : {"a", "b", "c"}) there_.write(name, text);
  std::uint64_t id = 0;
  for (int round = 0; round < 3; ++round) {
    PackWork pack;
    for (const char* name : {"a", "b", "c"}) pack.files.push_back(given(name, ++id));
    slow_sender_.take(std::move(pack));
    ASSERT_TRUE(slow_sender_.step(sending_block_, false).has_value());
    const auto header = expanded();
    ASSERT_EQ(header.type, FrameType::kPack);
    wire::PackReader reader(Bytes(block_.payload()).first(header.payload_bytes));
    for (int file = 0; file < 3; ++file) EXPECT_EQ(as_text(reader.next().value()->data), text);
    EXPECT_FALSE(reader.next().value().has_value());
  }
  EXPECT_EQ(compressed_, 2) << "the first shows how slow the path is";
}

TEST_F(SlowPathTest, AFileThatChangedIsReportedBehindCompressedFrames) {
  const std::string text = words(2 * kBlockBytes);
  there_.write("f", text);
  slow_sender_.take(segment(given("f", 1), 0, text.size()));
  ASSERT_TRUE(slow_sender_.step(sending_block_, true).has_value());
  EXPECT_EQ(expanded().type, FrameType::kData);
  ASSERT_TRUE(slow_sender_.step(sending_block_, true).has_value());
  EXPECT_EQ(expanded().type, FrameType::kData);
  EXPECT_EQ(compressed_, 1);
  there_.write("f", "short");
  while (slow_sender_.has_work()) {
    ASSERT_TRUE(slow_sender_.step(sending_block_, true).has_value());
    const auto header = expanded();
    if (header.type == FrameType::kData) continue;
    EXPECT_EQ(failed(header).code, wire::FailureCode::kChanged);
  }
}

TEST_F(SlowPathTest, ThePaceIsWhatTheOtherEndHas) {
  const std::string text(kBlockBytes, 'x');
  there_.write("f", text);
  EXPECT_EQ(slow_sender_.pace().bytes_per_second, 0);
  slow_sender_.take(segment(given("f", 1), 0, text.size()));
  while (slow_sender_.has_work()) {
    ASSERT_TRUE(slow_sender_.step(sending_block_, true).has_value());
    expanded();
  }
  const auto pace = slow_sender_.pace();
  EXPECT_GT(pace.bytes_per_second, 0.2e6);
  EXPECT_LT(pace.bytes_per_second, 2e6);
}

}  // namespace
}  // namespace wormhole::transfer
