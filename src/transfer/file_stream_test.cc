#include "transfer/file_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

using wire::Entry;
using wire::EntryType;
using wire::FrameType;

Entry file(std::uint64_t size, std::string name = "name") {
  Entry entry;
  entry.parent = wire::kNoEntry;
  entry.name = std::move(name);
  entry.size = size;
  return entry;
}

class FileStreamTest : public ::testing::Test {
 protected:
  Result<void> announce(Entry entry) {
    return stream_.on_message(wire::Entries{7, 0, {std::move(entry)}});
  }
  Result<void> frame(std::uint64_t offset, std::string_view text,
                     FrameType type = FrameType::kData) {
    std::ranges::copy(as_bytes(text), block_.payload().begin());
    return stream_.on_frame({.payload_bytes = static_cast<std::uint32_t>(text.size()),
                             .type = type,
                             .request = 7,
                             .file = 0,
                             .offset = offset},
                            block_, true);
  }
  Result<void> hole(std::uint64_t offset, std::uint64_t length) {
    std::string bytes(8, '\0');
    store_le(std::as_writable_bytes(std::span(bytes)).data(), length);
    return frame(offset, bytes, FrameType::kHole);
  }
  static void expect_protocol(const Result<void>& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kProtocol);
  }
  static void expect_ok(const Result<void>& result) {
    EXPECT_TRUE(result.has_value()) << to_sentence(result.error());
  }

  BlockPool pool_{1};
  Block block_ = pool_.acquire();
  const SystemClock clock_;
  std::string got_;
  FileStream stream_{7, "name",
                     [this](Bytes data) {
                       got_ += as_text(data);
                       return Result<void>();
                     },
                     /*codecs=*/nullptr, clock_};
};

TEST_F(FileStreamTest, BytesComeInTheirOrder) {
  expect_ok(announce(file(6)));
  expect_ok(frame(0, "abc"));
  EXPECT_EQ(stream_.left_bytes(), 3U);
  expect_ok(stream_.on_message(wire::Listed{7, 1}));
  EXPECT_FALSE(stream_.is_over());
  expect_ok(frame(3, "def"));
  EXPECT_TRUE(stream_.is_over());
  expect_ok(stream_.wait());
  EXPECT_EQ(got_, "abcdef");
  EXPECT_TRUE(stream_.first_byte().has_value());
}

TEST_F(FileStreamTest, AnEmptyFileIsOverWhenItIsListed) {
  expect_ok(announce(file(0)));
  EXPECT_FALSE(stream_.is_over());
  expect_ok(stream_.on_message(wire::Listed{7, 1}));
  expect_ok(stream_.wait());
}

TEST_F(FileStreamTest, HolesAreZeros) {
  Entry entry = file(100'001);
  entry.sparse = true;
  expect_ok(announce(entry));
  expect_ok(hole(0, 100'000));
  expect_ok(frame(100'000, "x"));
  EXPECT_EQ(got_, std::string(100'000, '\0') + "x");
}

TEST_F(FileStreamTest, AnythingOutOfOrderIsRefused) {
  expect_protocol(frame(0, "before its entry"));
  expect_ok(announce(file(6)));
  expect_protocol(announce(file(6)));
  expect_protocol(frame(3, "def"));
  expect_protocol(frame(0, "longer than it is"));
  expect_protocol(hole(0, 6));
  expect_protocol(frame(0, "abc", FrameType::kPlain));
  expect_protocol(frame(0, "abc", FrameType::kCompressed));
  expect_protocol(stream_.on_message(wire::Listed{7, 2}));
  expect_protocol(stream_.on_message(wire::Chunks{7, 0, 0, {}}));
  expect_ok(frame(0, "abc"));
  expect_protocol(frame(0, "abc"));
  EXPECT_EQ(got_, "abc") << "nothing else was passed on";
}

TEST_F(FileStreamTest, OnlyTheFileThatWasAskedForComes) {
  Entry elsewhere = file(3);
  elsewhere.parent = 5;
  expect_protocol(announce(file(3, "another")));
  EXPECT_EQ(announce(file(3, "../name")).error().code, Code::kUnsafeName);
  expect_protocol(announce(elsewhere));
  expect_protocol(stream_.on_message(wire::Entries{7, 0, {file(3), file(3)}}));
  expect_protocol(stream_.on_message(wire::Entries{7, 1, {file(3)}}));
  expect_protocol(stream_.on_message(wire::Listed{7, 0}));
  Entry directory = file(0);
  directory.type = EntryType::kDirectory;
  const auto refused = announce(directory);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUsage);
}

TEST_F(FileStreamTest, WhatFailedAtTheHostOrAtTheReaderEndsIt) {
  expect_ok(announce(file(3)));
  const auto failed = stream_.on_message(wire::Failed{
      .request = 7, .has_file = true, .code = wire::FailureCode::kChanged, .reason = "it grew"});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kChanged);
  stream_.fail_with(failed.error());
  stream_.fail_with({.code = Code::kLost, .operation = "later"});
  EXPECT_TRUE(stream_.is_over());
  EXPECT_EQ(stream_.wait().error().code, Code::kChanged) << "the first one";

  FileStream closed(
      7, "",
      [](Bytes) -> Result<void> { return fail({.code = Code::kLocalIo, .operation = "write"}); },
      nullptr, clock_);
  expect_ok(closed.on_message(wire::Entries{7, 0, {file(3)}}));
  block_.payload()[0] = std::byte{1};
  const auto result =
      closed.on_frame({.payload_bytes = 1, .type = FrameType::kData, .request = 7}, block_, true);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kLocalIo);
  EXPECT_EQ(closed.taken_bytes(), 0U);
}

}  // namespace
}  // namespace wormhole::transfer
