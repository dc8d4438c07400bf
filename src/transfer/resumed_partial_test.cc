// An interrupted file is gone on with: TakenFile and ResumedPartial together, on a real disk.
#include "transfer/resumed_partial.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/limits.h"
#include "base/noise_testing.h"
#include "platform/test_directory.h"
#include "platform/test_page_cache.h"
#include "store/hash.h"
#include "transfer/taken_file.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = kResumableMinBytes + 12'345;
constexpr std::uint64_t kVersion = 77;
const PublishRules kNow{.started = {INT64_MAX, 0}};

class ResumedPartialTest : public ::testing::Test {
 protected:
  TakenFilePtr file_of(std::uint64_t version = kVersion, std::uint64_t size = kSize,
                       bool sparse = false) {
    wire::Entry entry;
    entry.name = "f";
    entry.size = size;
    entry.mode = 0644;
    entry.mtime_seconds = 1'234'567'890;
    entry.version = version;
    entry.sparse = sparse;
    return std::make_shared<TakenFile>(7, 3, tree_.root(), entry, cached_max_bytes_, cache_);
  }
  // Writes a range, in blocks. Whether that was the last.
  bool put(TakenFile& file, std::uint64_t offset, std::uint64_t length) {
    bool complete = false;
    for (const std::uint64_t end = offset + length; offset < end;) {
      const std::uint64_t part = std::min<std::uint64_t>(kBlockBytes, end - offset);
      EXPECT_TRUE(file.claim(offset, part).has_value());
      const auto written = file.write(tree_, as_bytes(content_).subspan(offset, part), offset);
      EXPECT_TRUE(written.has_value());
      complete = written.value_or(false);
      offset += part;
    }
    return complete;
  }
  // An earlier run that got so far.
  void interrupted(std::initializer_list<RangeSet::Range> ranges) {
    const auto file = file_of();
    EXPECT_TRUE(file->resume(tree_).has_value());
    for (const auto& [offset, length] : ranges) put(*file, offset, length);
    std::uint64_t noted = kSize;
    for (const auto& range : file->missing()) noted -= range.length;
    EXPECT_EQ(file->suspend(tree_, /*is_doubtful=*/false), noted);
  }
  struct Result {
    std::int64_t intact = 0;
    bool complete = false;
    std::vector<RangeSet::Range> damaged;
  };
  static Result check_all(TakenFile& file) {
    Result result;
    ByteVector buffer(kBlockBytes);
    while (true) {
      auto step = file.check_some(buffer);
      result.intact += step.intact_bytes;
      result.complete |= step.complete;
      if (!step.over) continue;
      result.damaged = std::move(step.damaged);
      return result;
    }
  }
  [[nodiscard]] fs::path partial() const { return there_ / store::partial_name("f"); }
  void write_into(std::uint64_t offset, std::string_view bytes) const {
    std::fstream file(partial(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }
  // By somebody else: what is written at once after an interruption counts as the run's own.
  void overwrite(std::uint64_t offset, std::string_view bytes) const {
    write_into(offset, bytes);
    static int copies = 0;
    const fs::path old = there_ / ("old " + std::to_string(++copies));  // keeps its inode
    fs::rename(partial(), old);
    fs::copy_file(old, partial());
  }
  [[nodiscard]] store::JournalHeader read_header() const {
    std::array<std::byte, store::kJournalHeaderBytes> bytes{};
    const auto file = there_.open().open_file(store::partial_name("f"));
    EXPECT_TRUE(file->read_at(bytes, store::journal_offset(kSize)).has_value());
    return store::parse_journal_header(bytes).value();
  }
  void expect_published(TakenFile& file) {
    ASSERT_TRUE(file.publish(tree_, kNow).has_value());
    EXPECT_TRUE(there_.read("f") == content_) << "and nothing behind it";
    EXPECT_FALSE(fs::exists(partial()));
  }

  std::string content_ = wormhole::testing::noise(kSize, 5);
  const platform::TestDirectory there_;
  DirectoryTree tree_{there_.open()};
  const SystemClock clock_;
  CacheSpeed cache_{clock_};
  std::uint64_t cached_max_bytes_ = UINT64_MAX;
};

using Ranges = std::vector<RangeSet::Range>;
constexpr std::uint64_t kMega = 1 << 20;

TEST_F(ResumedPartialTest, OnlyWhatIsMissingIsAskedFor) {
  interrupted({{0, 5 * kMega}, {8 * kMega, 2 * kMega}});
  EXPECT_GT(fs::file_size(partial()), kSize) << "its journal stands behind the data";
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_EQ(file->missing(), (Ranges{{5 * kMega, 3 * kMega}, {10 * kMega, kSize - 10 * kMega}}));
  EXPECT_FALSE(file->claim(kMega, 1).has_value()) << "what is there may not come again";
  EXPECT_FALSE(put(*file, 5 * kMega, 3 * kMega));
  EXPECT_FALSE(put(*file, 10 * kMega, kSize - 10 * kMega)) << "nothing was compared yet";
  const Result result = check_all(*file);
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.intact, 7 * kMega);
  EXPECT_TRUE(result.damaged.empty());
  expect_published(*file);
}

// However long the file is.
TEST_F(ResumedPartialTest, WhatIsMissingStaysInTheCacheIfThatTakesIt) {
  if (!platform::can_write_uncached(*there_.open().open_partial("probe"))) {
    GTEST_SKIP() << "this kernel or file system has no uncached writes";
  }
  constexpr std::uint64_t kMissing = 4 * kMega;
  const auto cached_of_missing = [&](std::uint64_t cached_max_bytes) {
    cached_max_bytes_ = cached_max_bytes;
    interrupted({{0, kSize - kMissing}});
    const auto opened = there_.open().open_file(store::partial_name("f"));
    EXPECT_TRUE(opened->sync().has_value());
    const std::size_t before = platform::cached_bytes(*opened);
    const auto file = file_of();
    EXPECT_TRUE(file->resume(tree_).value());
    EXPECT_FALSE(put(*file, kSize - kMissing, kMissing));
    EXPECT_TRUE(opened->sync().has_value());
    const std::size_t after = platform::cached_bytes(*opened);
    EXPECT_TRUE(check_all(*file).complete);
    expect_published(*file);
    fs::remove(there_ / "f");
    return after - std::min(before, after);
  };
  EXPECT_LT(cached_of_missing(kMissing - 1), kMissing / 2);
  EXPECT_GT(cached_of_missing(kMissing), kMissing / 2);
}

// A mount that stood all the while has lost nothing: what an interrupted run noted is not read.
TEST_F(ResumedPartialTest, NothingIsReadWhereNothingCanHaveBeenLost) {
  if (there_.open().mount_id() == 0) GTEST_SKIP() << "this system does not tell mounts apart";
  interrupted({{0, 5 * kMega}, {8 * kMega, 2 * kMega}});
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  int steps = 0;
  ByteVector untouched(kBlockBytes, std::byte{77});
  const ByteVector before = untouched;
  std::int64_t intact = 0;
  for (bool over = false; !over; ++steps) {
    const auto step = file->check_some(untouched);
    intact += step.intact_bytes;
    over = step.over;
  }
  EXPECT_EQ(intact, 7 * kMega);
  EXPECT_EQ(steps, 3) << "one a range, and one to say that it is over";
  EXPECT_EQ(untouched, before);
  EXPECT_FALSE(put(*file, 5 * kMega, 3 * kMega));
  EXPECT_TRUE(put(*file, 10 * kMega, kSize - 10 * kMega));
  expect_published(*file);
}

TEST_F(ResumedPartialTest, WhatWasWrittenOnAnotherMountIsReadOnce) {
  const std::uint64_t mount = there_.open().mount_id();
  if (mount == 0) GTEST_SKIP() << "this system does not tell mounts apart";
  interrupted({{0, 5 * kMega}});
  auto header = read_header();
  EXPECT_EQ(header.mount, mount);
  ++header.mount;
  const auto other = store::encode_journal_header(header);
  // As a power cut leaves it: the journal is there, some of the data is not.
  for (const bool is_damaged : {true, false}) {
    overwrite(store::journal_offset(kSize), as_text(other));
    overwrite(kMega, is_damaged ? std::string(1000, 'x') : content_.substr(kMega, 1000));
    const auto file = file_of();
    ASSERT_TRUE(file->resume(tree_).value());
    const Result result = check_all(*file);
    EXPECT_EQ(result.damaged.empty(), !is_damaged);
    EXPECT_EQ(result.intact, (is_damaged ? 5 * kMega - kBlockBytes : 5 * kMega));
    EXPECT_EQ(read_header().mount, is_damaged ? 0 : mount)
        << "what is damaged must never be believed";
    file->suspend(tree_, /*is_doubtful=*/false);
  }
}

// The last range that is compared may be the file's last: then it is in place, and nobody's to
// touch.
TEST_F(ResumedPartialTest, NothingIsWrittenIntoAFileThatIsInPlace) {
  for (const bool completes_here : {true, false}) {
    interrupted({{0, 5 * kMega}});
    overwrite(0, content_.substr(0, 1));
    const auto file = file_of();
    ASSERT_TRUE(file->resume(tree_).value());
    ByteVector buffer(kBlockBytes);
    const auto missing = file->missing();
    bool complete = false;
    if (completes_here) put(*file, missing[0].offset, missing[0].length);
    std::uint64_t left = 5 * kMega;
    while (left > 0) {
      const auto step = file->check_some(buffer);
      left -= static_cast<std::uint64_t>(step.intact_bytes);
      complete = step.complete;
      EXPECT_EQ(step.over, complete);
    }
    EXPECT_EQ(complete, completes_here);
    if (completes_here) {
      expect_published(*file);
    } else {
      EXPECT_TRUE(put(*file, missing[0].offset, missing[0].length));
      expect_published(*file);
      EXPECT_TRUE(file->check_some(buffer).over);
    }
    EXPECT_TRUE(there_.read("f") == content_);
    fs::remove(there_ / "f");
  }
}

// Ranges that are too many to be gone on with are not compared, so nothing may vouch for them.
TEST_F(ResumedPartialTest, WhatWasNotComparedIsNeverVouchedFor) {
  {
    const auto file = file_of();
    EXPECT_TRUE(file->resume(tree_).has_value());
    file->allow_ranges(200);
    for (std::uint64_t i = 0; i < ResumedPartial::kRangesMax; ++i) {
      put(*file, 2 * i * kBlockBytes / 2, kBlockBytes / 2);
    }
    put(*file, kSize - 5000, 4000);
    EXPECT_GT(file->suspend(tree_, /*is_doubtful=*/false), 0U);
  }
  overwrite(kSize - 4500, "damage");
  {
    const auto file = file_of();
    ASSERT_TRUE(file->resume(tree_).value());
    EXPECT_TRUE(check_all(*file).damaged.empty()) << "the shortest was let go";
    put(*file, kBlockBytes / 2, kBlockBytes / 2);  // room for it
    EXPECT_GT(file->suspend(tree_, /*is_doubtful=*/false), 0U);
  }
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_FALSE(check_all(*file).damaged.empty());
}

// Whoever sets a file's time cannot set that of its last change.
TEST_F(ResumedPartialTest, ATimeThatWasPutBackHidesNothing) {
  interrupted({{0, 8 * kMega}});
  const auto modified = fs::last_write_time(partial());
  const auto late = std::chrono::system_clock::now() + std::chrono::milliseconds(4100);
  while (std::chrono::system_clock::now() < late) std::this_thread::yield();
  write_into(3 * kMega, "damage");
  fs::last_write_time(partial(), modified);
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_EQ(check_all(*file).damaged, (Ranges{{3 * kMega, kBlockBytes}}));
}

// A copy of a partial that was being written may lack what its journal names.
TEST_F(ResumedPartialTest, ACopyIsComparedWhereverItStands) {
  interrupted({{0, 8 * kMega}});
  overwrite(0, content_.substr(0, 1));
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  ByteVector buffer(kBlockBytes);
  EXPECT_EQ(file->check_some(buffer).intact_bytes, static_cast<std::int64_t>(kBlockBytes))
      << "block by block";
}

TEST_F(ResumedPartialTest, AnotherMountsWordIsNotKeptEither) {
  const std::uint64_t mount = there_.open().mount_id();
  if (mount == 0) GTEST_SKIP() << "this system does not tell mounts apart";
  interrupted({{0, 8 * kMega}});
  auto header = read_header();
  ++header.mount;
  overwrite(store::journal_offset(kSize), as_text(store::encode_journal_header(header)));
  overwrite(3 * kMega, "damage");
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_EQ(read_header().mount, 0U);
}

TEST_F(ResumedPartialTest, AnyNumberOfTimes) {
  interrupted({{0, kMega}});
  interrupted({{2 * kMega, kMega}});
  interrupted({{kMega, kMega}, {kSize - 100, 100}});
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_EQ(file->missing(), (Ranges{{3 * kMega, kSize - 100 - 3 * kMega}}));
  EXPECT_EQ(check_all(*file).intact, 3 * kMega + 100);
  EXPECT_TRUE(put(*file, 3 * kMega, kSize - 100 - 3 * kMega));
  expect_published(*file);
}

TEST_F(ResumedPartialTest, WhatACrashDamagedComesAgain) {
  interrupted({{0, 8 * kMega}});
  overwrite(3 * kMega + 5, "damage");
  overwrite(5 * kMega, std::string(kBlockBytes, '\0'));
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  put(*file, 8 * kMega, kSize - 8 * kMega);
  const Result result = check_all(*file);
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(result.damaged, (Ranges{{3 * kMega, kBlockBytes}, {5 * kMega, kBlockBytes}}));
  EXPECT_EQ(file->missing(), result.damaged);
  EXPECT_FALSE(put(*file, 3 * kMega, kBlockBytes));
  // Interrupted once more: the later record of a range is right.
  EXPECT_GT(file->suspend(tree_, /*is_doubtful=*/false), 0U);
  const auto next = file_of();
  ASSERT_TRUE(next->resume(tree_).value());
  const Result then = check_all(*next);
  EXPECT_EQ(then.damaged, (Ranges{{5 * kMega, kBlockBytes}}));
  EXPECT_TRUE(put(*next, 5 * kMega, kBlockBytes));
  expect_published(*next);
}

// What is not noted of an earlier run's partial may be anything: a clone, or what a crash lost.
TEST_F(ResumedPartialTest, AHoleIsEmptyWhateverStoodThere) {
  interrupted({{0, 8 * kMega}});
  overwrite(10 * kMega, "left behind");
  const auto file = file_of(kVersion, kSize, /*sparse=*/true);
  ASSERT_TRUE(file->resume(tree_).value());
  ASSERT_TRUE(file->claim(8 * kMega, kSize - 8 * kMega).has_value());
  EXPECT_FALSE(file->leave_empty(tree_, 8 * kMega, kSize - 8 * kMega).value());
  EXPECT_TRUE(check_all(*file).complete);
  std::ranges::fill(content_.begin() + 8 * kMega, content_.end(), '\0');
  expect_published(*file);
}

TEST_F(ResumedPartialTest, WhatIsDamagedAllOverComesAnewInFewRanges) {
  // Records of 4 KiB: more of them than separate ranges may be damaged.
  const auto first = file_of();
  for (std::uint64_t at = 0; at < 8 * kMega; at += 4096) {
    ASSERT_TRUE(first->claim(at, 4096).has_value());
    ASSERT_TRUE(first->write(tree_, as_bytes(content_).subspan(at, 4096), at).has_value());
  }
  first->suspend(tree_, /*is_doubtful=*/false);
  for (std::uint64_t at = 8192; at < 8 * kMega; at += 8192) write_into(at, "damage");
  overwrite(0, "damage");
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  const Result result = check_all(*file);
  EXPECT_EQ(result.damaged, (Ranges{{0, 8 * kMega}}));
  EXPECT_EQ(result.intact, 0);
  EXPECT_FALSE(put(*file, 0, 8 * kMega));
  EXPECT_TRUE(put(*file, 8 * kMega, kSize - 8 * kMega));
  expect_published(*file);
}

TEST_F(ResumedPartialTest, WhatIsDamagedIsStillToCome) {
  if (!platform::can_write_uncached(*there_.open().open_partial("probe"))) {
    GTEST_SKIP() << "this kernel or file system has no uncached writes";
  }
  // In front: what the system reads ahead while the rest is checked lies behind it.
  constexpr std::uint64_t kMissing = 8 * kMega;
  constexpr std::uint64_t kHeld = kSize - kMissing;
  cached_max_bytes_ = kMissing;
  const auto cached_of_missing = [&](bool is_damaged) {
    interrupted({{kMissing, kHeld}});
    for (std::uint64_t at = kMissing; is_damaged && at < kSize; at += kBlockBytes)
      write_into(at, "damage");
    overwrite(0, "looked at");
    // Linux 6.18 drops only pages of blocks that are new.
    EXPECT_TRUE(there_.open()
                    .open_partial(store::partial_name("f"), platform::Contents::kKeep)
                    ->clear(0, kMissing)
                    .has_value());
    const auto opened = there_.open().open_file(store::partial_name("f"));
    platform::drop_cached(*opened);
    const auto file = file_of();
    EXPECT_TRUE(file->resume(tree_).value());
    EXPECT_EQ(check_all(*file).damaged, is_damaged ? Ranges({{kMissing, kHeld}}) : Ranges());
    EXPECT_EQ(put(*file, 0, kMissing), !is_damaged);
    EXPECT_TRUE(opened->sync().has_value());
    fs::remove(partial());
    return platform::cached_bytes(*opened, kMissing);
  };
  EXPECT_GT(cached_of_missing(/*is_damaged=*/false), kMissing / 2);
  EXPECT_LT(cached_of_missing(/*is_damaged=*/true), kMissing / 2);
}

TEST_F(ResumedPartialTest, AnotherVersionComesWhole) {
  interrupted({{0, 8 * kMega}});
  const auto file = file_of(kVersion + 1);
  EXPECT_FALSE(file->resume(tree_).value());
  EXPECT_FALSE(put(*file, 8 * kMega, kSize - 8 * kMega));
  EXPECT_TRUE(put(*file, 0, 8 * kMega));
  expect_published(*file);
}

TEST_F(ResumedPartialTest, AnotherSizeComesWhole) {
  interrupted({{0, 8 * kMega}});
  EXPECT_FALSE(file_of(kVersion, kSize - 4096)->resume(tree_).value());
  EXPECT_FALSE(file_of(kVersion, kSize + 4096)->resume(tree_).value());
}

TEST_F(ResumedPartialTest, ATornOrDamagedJournalCostsNoMoreThanItSays) {
  interrupted({{0, 8 * kMega}});
  const std::uint64_t whole = fs::file_size(partial());
  fs::resize_file(partial(), whole - 5);  // in its last record
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  EXPECT_EQ(file->missing(), (Ranges{{8 * kMega - kBlockBytes, kSize - 8 * kMega + kBlockBytes}}));
  file->suspend(tree_, /*is_doubtful=*/false);

  overwrite(store::journal_offset(kSize) + store::kJournalHeaderBytes, std::string(32, '\0'));
  const auto next = file_of();
  ASSERT_TRUE(next->resume(tree_).value());
  EXPECT_EQ(next->missing().front(), (RangeSet::Range{0, kBlockBytes}));
  next->suspend(tree_, /*is_doubtful=*/false);

  overwrite(store::journal_offset(kSize), "no header");
  EXPECT_FALSE(file_of()->resume(tree_).value());
}

TEST_F(ResumedPartialTest, AJournalThatChangesMeanwhileCountsForNothing) {
  interrupted({{0, 8 * kMega}});
  overwrite(0, content_.substr(0, 1));
  const auto file = file_of();
  ASSERT_TRUE(file->resume(tree_).value());
  write_into(store::journal_offset(kSize) + store::kJournalHeaderBytes, std::string(32 * 32, '\0'));
  EXPECT_EQ(check_all(*file).damaged, (Ranges{{0, 8 * kMega}}));
}

TEST_F(ResumedPartialTest, WhatCannotBeGoneOnWithIsRemoved) {
  const auto without_version = file_of(/*version=*/0);
  put(*without_version, 0, kMega);
  EXPECT_EQ(without_version->suspend(tree_, /*is_doubtful=*/false), 0U);
  EXPECT_FALSE(fs::exists(partial()));
  const auto failed = file_of();
  put(*failed, 0, 8 * kMega);
  failed->abandon(tree_);
  EXPECT_FALSE(fs::exists(partial()));
  EXPECT_FALSE(file_of()->resume(tree_).value());
}

}  // namespace
}  // namespace wormhole::transfer
