// File: reading, writing, holes, metadata.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"
#include "platform/file_system.h"
#include "platform/test_directory.h"
#include "platform/test_page_cache.h"

namespace wormhole::platform {
namespace {

class FileTest : public ::testing::Test {
 protected:
  const TestDirectory temp_;
  const Directory dir_ = temp_.open();
  const File file_ = std::move(*dir_.open_partial("file"));
};

TEST_F(FileTest, ReadsWhatWasWrittenAtOffsets) {
  ASSERT_TRUE(file_.write_at(as_bytes("world"), 6).has_value());
  ASSERT_TRUE(file_.write_at(as_bytes("hello "), 0).has_value());
  EXPECT_EQ(temp_.read("file"), "hello world");

  ByteVector buffer(100, std::byte{'#'});
  EXPECT_EQ(*file_.read_at(buffer, 6), 5u);  // the file ends first
  EXPECT_EQ(as_text(buffer).substr(0, 6), "world#");
  EXPECT_EQ(*file_.read_at(MutableBytes(buffer).first(4), 0), 4u);
  EXPECT_EQ(*file_.read_at(buffer, 11), 0u);
  EXPECT_EQ(*file_.read_at(buffer, 1'000'000), 0u);
  EXPECT_EQ(*file_.read_at({}, 0), 0u);
}

// What decides whether a file was there before a run began.
TEST_F(FileTest, WhatIsChangedFromNowOnIsNotStampedBefore) {
  for (int round = 0; round < 2000; ++round) {
    const Timestamp now = stamp_now();
    ASSERT_TRUE(file_.write_at(as_bytes(std::string_view("x")), 0).has_value());
    // Looked at each time: from then on the kernel may stamp more finely.
    ASSERT_GE(file_.status()->changed, now) << round;
  }
  const Timestamp changed = file_.status()->changed;
  while (stamp_now() <= changed) std::this_thread::yield();  // and before long it is past
}

// The same bytes, whatever the file system can do: here and in memory (where pages are all
// there is), at odd offsets, by several threads.
TEST_F(FileTest, UncachedWritesAreWrites) {
  constexpr std::size_t kPiece = 256 * kKiB + 1;
  constexpr std::size_t kPieces = 70;  // several windows of write-back
  const auto check = [&](const File& file) {
    const auto write_every_second = [&](std::size_t first) {
      for (std::size_t i = first; i < kPieces; i += 2) {
        const ByteVector piece(kPiece, static_cast<std::byte>(i));
        ASSERT_TRUE(file.write_uncached_at(piece, i * kPiece).has_value());
      }
    };
    std::thread other([&] { write_every_second(1); });
    write_every_second(0);
    other.join();
    ASSERT_TRUE(file.sync().has_value());
    EXPECT_EQ(file.status()->size_bytes, kPiece * kPieces);
    for (std::size_t i = 0; i < kPieces; ++i) {
      ByteVector piece(kPiece);
      EXPECT_EQ(*file.read_at(piece, i * kPiece), kPiece);
      EXPECT_EQ(piece, ByteVector(kPiece, static_cast<std::byte>(i)));
    }
  };
  check(file_);
  const File in_memory(Fd(::memfd_create("uncached", 0)));
  check(in_memory);
}

TEST_F(FileTest, UncachedWritesDoNotStayInMemory) {
  constexpr std::size_t kBytes = 4 * kMiB;
  const ByteVector data(kBytes, std::byte{'d'});
  if (!can_write_uncached(file_)) {
    GTEST_SKIP() << "this kernel or file system has no uncached writes";
  }
  ASSERT_TRUE(file_.write_at(data, 0).has_value());
  ASSERT_TRUE(file_.sync().has_value());
  EXPECT_EQ(cached_bytes(file_), kBytes) << "what can be seen here";
  ASSERT_TRUE(file_.truncate(0).has_value());
  ASSERT_TRUE(file_.write_uncached_at(data, 0).has_value());
  ASSERT_TRUE(file_.sync().has_value());
  EXPECT_LT(cached_bytes(file_), kBytes / 2);
}

// A file over several windows, none of it in the cache, and one handle that keeps it so.
class CacheKeptTest : public FileTest {
 protected:
  static constexpr std::size_t kPiece = 256 * kKiB + 1;  // across the windows' edges
  static constexpr std::size_t kBytes = 96 * kMiB + 5;

  void SetUp() override {
    ASSERT_TRUE(file_.write_at(data_, 0).has_value());
    drop_cached(file_);
    if (cached_bytes(file_) > 0) GTEST_SKIP() << "this file system keeps files in memory";
    reader_.keep_cache_as_found();
  }

  static ByteVector make_data() {
    ByteVector data(kBytes);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7 >> 9);
    return data;
  }

  void read(const File& file, std::size_t from, std::size_t end) const {
    ByteVector piece(kPiece);
    for (std::size_t at = from; at < end; at += kPiece) {
      const auto got = file.read_at(piece, at);
      ASSERT_TRUE(got.has_value());
      ASSERT_EQ(*got, std::min(kPiece, kBytes - at));
      ASSERT_EQ(std::memcmp(piece.data(), data_.data() + at, *got), 0);
    }
  }

  const ByteVector data_ = make_data();
  File reader_ = std::move(*dir_.open_file("file"));
};

TEST_F(CacheKeptTest, WhatIsReadDoesNotStay) {
  reader_.advise_sequential();
  std::thread other([&] { read(reader_, 64 * kMiB, kBytes); });
  read(reader_, 0, 64 * kMiB);
  other.join();
  EXPECT_LE(cached_bytes(file_, 64 * kMiB), 8 * kMiB) << "where a reader went through";
  // What is still on its way from the disk could not be given up: once all is read, nothing is.
  read(*dir_.open_file("file"), 0, kBytes);
  reader_ = std::move(*dir_.open_file("file"));
  EXPECT_LE(cached_bytes(file_), 8 * kMiB) << "its end, and what was read ahead";
}

TEST_F(CacheKeptTest, WhatWasThereStays) {
  const File another = std::move(*dir_.open_file("file"));
  read(another, 16 * kMiB, 48 * kMiB);
  if (told_cached_bytes(file_) != cached_bytes(file_)) {
    GTEST_SKIP() << "this kernel or file system does not say what is cached";
  }
  for (int round = 0; round < 2; ++round) read(reader_, 0, kBytes);
  EXPECT_GE(cached_bytes(file_), 32 * kMiB);
  EXPECT_LE(cached_bytes(file_, 16 * kMiB), 8 * kMiB);
  reader_ = std::move(*dir_.open_file("file"));
  EXPECT_GE(cached_bytes(file_), 32 * kMiB);
  EXPECT_LE(cached_bytes(file_, 16 * kMiB), 8 * kMiB);
}

// Windows of which no reader came to the end.
TEST_F(CacheKeptTest, WhatIsReadHereAndThereDoesNotStay) {
  for (std::size_t at = kMiB; at < kBytes; at += 8 * kMiB) read(reader_, at, at + kMiB);
  const std::size_t before = cached_bytes(file_);
  EXPECT_GE(before, 8 * kMiB);
  reader_ = std::move(*dir_.open_file("file"));
  EXPECT_LE(cached_bytes(file_), before / 2);
}

// A page may hold more than one read takes: given up too early, it is read from the disk again.
TEST_F(CacheKeptTest, NothingIsReadFromTheDiskTwice) {
  const auto before = bytes_read_from_disks();
  if (!before.has_value()) GTEST_SKIP() << "this kernel does not count what is read from disks";
  reader_.advise_sequential();
  read(reader_, 0, kBytes);
  const std::size_t from_disk = *bytes_read_from_disks() - *before;
  if (from_disk == 0) GTEST_SKIP() << "this file system's reads are not counted";
  EXPECT_LE(from_disk, kBytes + kBytes / 20);
}

TEST_F(FileTest, AFileInMemoryIsReadAlike) {
  File file(Fd(::memfd_create("in memory", 0)));
  const ByteVector data(20 * kMiB, std::byte{'m'});
  ASSERT_TRUE(file.write_at(data, 0).has_value());
  file.keep_cache_as_found();
  for (int round = 0; round < 2; ++round) {
    ByteVector got(data.size() + 1);
    ASSERT_EQ(*file.read_at(got, 0), data.size());
    EXPECT_EQ(std::memcmp(got.data(), data.data(), data.size()), 0);
  }
}

// As it may be by the time it is read: longer, shorter, of a size that nobody has.
TEST_F(FileTest, CacheIsKeptOfAFileThatChanges) {
  File file = std::move(*dir_.open_file("file"));
  file.keep_cache_as_found();
  const ByteVector data(200 * kMiB, std::byte{'c'});
  ASSERT_TRUE(file_.write_at(data, 0).has_value());
  ByteVector got(64 * kMiB);
  for (std::size_t at = 0; at < data.size(); at += got.size()) {
    ASSERT_EQ(*file.read_at(got, at), std::min(got.size(), data.size() - at));
    EXPECT_EQ(got.front(), std::byte{'c'});
  }
  ASSERT_TRUE(file_.truncate(1).has_value());
  EXPECT_EQ(*file.read_at(got, 0), 1u);
  EXPECT_EQ(*file.read_at(got, 128 * kMiB), 0u);

  constexpr std::uint64_t kHuge = std::uint64_t{1} << 43;
  if (!file_.truncate(kHuge).has_value()) return;  // the file system's limit
  file.keep_cache_as_found();
  ASSERT_EQ(*file.read_at(got, kHuge - got.size()), got.size());
  EXPECT_EQ(got.front(), std::byte{0});
}

TEST_F(FileTest, OffsetsThatTheKernelCannotTakeAreErrors) {
  ByteVector buffer(1);
  EXPECT_FALSE(file_.read_at(buffer, UINT64_MAX).has_value());
  EXPECT_FALSE(file_.write_at(buffer, UINT64_MAX).has_value());
  EXPECT_FALSE(file_.write_uncached_at(buffer, UINT64_MAX).has_value());
  EXPECT_FALSE(file_.truncate(UINT64_MAX).has_value());
  EXPECT_EQ(file_.status()->size_bytes, 0u);
}

TEST_F(FileTest, StatusTellsVersionsApart) {
  const FileStatus before = *file_.status();
  EXPECT_EQ(before.type, FileType::kRegular);
  EXPECT_EQ(before.links, 1u);
  EXPECT_TRUE(before.same_version(*file_.status()));
  EXPECT_TRUE(before.same_version(*dir_.status_of("file")));
  ASSERT_TRUE(file_.write_at(as_bytes("x"), 0).has_value());
  EXPECT_FALSE(before.same_version(*file_.status()));
}

TEST_F(FileTest, MetadataIsExact) {
  const Timestamp then{.seconds = 1'700'000'000, .nanoseconds = 987'654'321};
  ASSERT_TRUE(file_.set_mode(0640).has_value());
  ASSERT_TRUE(file_.set_modified(then).has_value());
  const FileStatus status = *file_.status();
  EXPECT_EQ(status.mode, 0640u);
  EXPECT_EQ(status.modified, then);
  EXPECT_TRUE(file_.sync().has_value());
}

TEST_F(FileTest, AccessTimesStayUnlessTheyAreSet) {
  const Timestamp then{.seconds = 1'700'000'000, .nanoseconds = 987'654'321};
  const Timestamp access{.seconds = -5, .nanoseconds = 7};
  ASSERT_TRUE(file_.set_modified(then, access).has_value());
  EXPECT_EQ(file_.status()->accessed, access);
  ASSERT_TRUE(file_.set_modified({.seconds = 1, .nanoseconds = 0}).has_value());
  EXPECT_EQ(file_.status()->accessed, access);
  const Timestamp now{.seconds = 0, .nanoseconds = UTIME_NOW};
  EXPECT_FALSE(file_.set_modified(then, now).has_value());
  EXPECT_EQ(file_.status()->accessed, access);
}

TEST_F(FileTest, TimesThatMeanNowOrNeverAreRefused) {
  const Timestamp before = file_.status()->modified;
  for (const std::uint32_t nanoseconds : {1'000'000'000u, static_cast<unsigned>(UTIME_NOW),
                                          static_cast<unsigned>(UTIME_OMIT), UINT32_MAX}) {
    EXPECT_FALSE(file_.set_modified({.seconds = 0, .nanoseconds = nanoseconds}).has_value());
  }
  EXPECT_EQ(file_.status()->modified, before);
}

TEST_F(FileTest, NextDataFindsAllDataAndOnlyHolesElsewhere) {
  constexpr std::uint64_t kSize = 8 * kMiB;
  const std::string data(64 * kKiB, 'd');
  const std::vector<std::uint64_t> written = {kMiB, 3 * kMiB, 3 * kMiB + data.size()};
  ASSERT_TRUE(file_.truncate(kSize).has_value());
  for (const auto offset : written) {
    ASSERT_TRUE(file_.write_at(as_bytes(data), offset).has_value());
  }

  std::string found(kSize, '\0');
  std::uint64_t position = 0;
  std::uint64_t found_bytes = 0;
  for (;;) {
    const auto extent = file_.next_data(position);
    ASSERT_TRUE(extent.has_value());
    if (!extent->has_value()) break;
    ASSERT_GE((*extent)->start, position);
    ASSERT_GT((*extent)->end, (*extent)->start);
    ASSERT_LE((*extent)->end, kSize);
    position = (*extent)->end;
    found_bytes += (*extent)->end - (*extent)->start;
    const auto out = std::as_writable_bytes(
        std::span(found).subspan((*extent)->start, (*extent)->end - (*extent)->start));
    ASSERT_EQ(*file_.read_at(out, (*extent)->start), out.size());
  }
  EXPECT_EQ(found, temp_.read("file"));
  // Where the file system kept the holes, they are not given as data.
  if (file_.status()->allocated_bytes < kSize) {
    EXPECT_LT(found_bytes, kSize);
  }
  EXPECT_FALSE(file_.next_data(kSize)->has_value());
}

TEST_F(FileTest, NextDataOfHoleAloneAndOfNothing) {
  EXPECT_FALSE(file_.next_data(0)->has_value());
  ASSERT_TRUE(file_.truncate(kMiB).has_value());
  const auto extent = file_.next_data(0);
  ASSERT_TRUE(extent.has_value());
  // A file system without holes calls it data.
  if (extent->has_value()) {
    EXPECT_EQ((*extent)->end, kMiB);
  }
}

TEST_F(FileTest, HintsChangeNothing) {
  ASSERT_TRUE(file_.write_at(as_bytes("content"), 0).has_value());
  file_.advise_sequential();
  EXPECT_EQ(temp_.read("file"), "content");
}

TEST(File, AFullDiskIsNoSpace) {
  const File full(Fd(::open("/dev/full", O_RDWR | O_CLOEXEC)));
  if (full.descriptor() < 0) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(full.write_at(as_bytes("x"), 0).error().code, Code::kNoSpace);
}

}  // namespace
}  // namespace wormhole::platform
