#include "transfer/taken_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/clock_testing.h"
#include "base/limits.h"
#include "platform/test_directory.h"
#include "platform/test_page_cache.h"
#include "store/hash.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;

const PublishRules kNow{.started = {INT64_MAX, 0}};  // whatever is there was there before

class TakenFileTest : public ::testing::Test {
 protected:
  TakenFilePtr file_of(std::uint64_t size, std::string name = "f", std::uint16_t mode = 0644,
                       std::uint64_t cached_max_bytes = UINT64_MAX, CacheSpeed* cache = nullptr) {
    wire::Entry entry;
    entry.name = std::move(name);
    entry.size = size;
    entry.mode = mode;
    entry.mtime_seconds = 1'234'567'890;
    entry.mtime_nanoseconds = 987'654'321;
    return std::make_shared<TakenFile>(7, 3, tree_.root(), entry, cached_max_bytes,
                                       cache == nullptr ? cache_ : *cache);
  }
  // Claims and writes; whether that was the last range.
  bool put(TakenFile& file, std::string_view data, std::uint64_t offset = 0) {
    EXPECT_TRUE(file.claim(offset, data.size()).has_value());
    const auto complete = file.write(tree_, as_bytes(data), offset);
    EXPECT_TRUE(complete.has_value());
    return complete.value_or(false);
  }
  [[nodiscard]] bool there(std::string_view name) const {
    return fs::exists(fs::symlink_status(there_ / name));
  }
  [[nodiscard]] bool partial_there(std::string_view name = "f") const {
    return there(store::partial_name(name));
  }
  static Code code_of(const Result<void>& result) {
    EXPECT_FALSE(result.has_value());
    return result.has_value() ? Code::kUsage : result.error().code;
  }

  const TestDirectory there_;
  DirectoryTree tree_{there_.open()};
  // It stands: a machine that is busy just now has no slow cache.
  const wormhole::testing::FakeClock clock_;
  CacheSpeed cache_{clock_};
};

TEST_F(TakenFileTest, WhatIsWrittenPastTheCacheArrivesTheSame) {
  const auto file = file_of(6, "f", 0644, /*cached_max_bytes=*/5);
  EXPECT_FALSE(put(*file, "def", 3));
  EXPECT_TRUE(put(*file, "abc", 0));
  ASSERT_TRUE(file->publish(tree_, kNow).has_value());
  EXPECT_EQ(there_.read("f"), "abcdef");
}

// What comes stays in the cache as long as that is fast, and so do short files.
TEST_F(TakenFileTest, ALongFileIsWrittenPastACacheThatIsSlow) {
  if (!platform::can_write_uncached(*there_.open().open_partial("probe"))) {
    GTEST_SKIP() << "this kernel or file system has no uncached writes";
  }
  const wormhole::testing::FakeClock slow_clock(std::chrono::milliseconds(500));
  CacheSpeed slow(slow_clock);
  const auto cached_bytes_of = [&](const std::string& name, std::size_t size, CacheSpeed& cache) {
    const auto file = file_of(size, name, 0644, UINT64_MAX, &cache);
    const std::string data(size / 2, 'd');
    put(*file, data);
    put(*file, data, size / 2);
    EXPECT_TRUE(file->publish(tree_, kNow).has_value());
    const auto written = there_.open().open_file(name);
    EXPECT_TRUE(written->sync().has_value());
    return platform::cached_bytes(*written);
  };
  constexpr std::size_t kLong = kPastCacheMinBytes;
  constexpr std::size_t kShort = kPastCacheMinBytes / 2;
  for (std::size_t i = 0; i < kCacheSpeedWindowBytes / kShort; ++i) {
    EXPECT_EQ(cached_bytes_of("short-" + std::to_string(i), kShort, slow), kShort);
  }
  EXPECT_FALSE(slow.is_slow()) << "short files say nothing";
  EXPECT_EQ(cached_bytes_of("first", kCacheSpeedWindowBytes, slow), kCacheSpeedWindowBytes);
  EXPECT_LT(cached_bytes_of("second", kLong, slow), kLong / 2);
  EXPECT_EQ(cached_bytes_of("short", kShort, slow), kShort);
  EXPECT_EQ(cached_bytes_of("another", kLong, cache_), kLong);
}

// Or the clone would wait for all of it.
TEST_F(TakenFileTest, WhatIsToBeClonedGoesToDiskWhileItComes) {
  constexpr std::size_t kSize = 64 * kMiB;
  const std::string data(kMiB, 'd');
  const auto dirty_of = [&](const std::string& name, bool is_to_be_cloned) {
    const auto file = file_of(kSize, name);
    if (is_to_be_cloned) file->expect_clone();
    for (std::size_t at = 0; at < kSize; at += data.size()) put(*file, data, at);
    EXPECT_TRUE(file->publish(tree_, kNow).has_value());
    const auto written = there_.open().open_file(name);
    const auto dirty = platform::dirty_bytes(*written);
    EXPECT_EQ(platform::cached_bytes(*written), kSize) << "it is read again";
    return dirty;
  };
  const auto left = dirty_of("as ever", false);
  if (!left.has_value() || *left < kSize / 2) {
    GTEST_SKIP() << "this kernel does not say what is dirty, or a disk has none of it";
  }
  EXPECT_LT(dirty_of("to be cloned", true), kSize / 2);
}

TEST_F(TakenFileTest, ClaimsEachByteOnceAndNoneOutside) {
  const auto file = file_of(100);
  EXPECT_TRUE(file->claim(10, 20).has_value());
  EXPECT_TRUE(file->claim(30, 70).has_value());
  EXPECT_TRUE(file->claim(0, 10).has_value());
  EXPECT_EQ(code_of(file->claim(0, 1)), Code::kProtocol);
  const auto other = file_of(100);
  EXPECT_TRUE(other->claim(10, 20).has_value());
  const std::pair<std::uint64_t, std::uint64_t> bad[] = {
      {0, 0},  {100, 1}, {0, 101}, {99, 2},         {10, 1},         {29, 1},
      {0, 11}, {29, 5},  {0, 100}, {UINT64_MAX, 1}, {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX},
      {50, 0}};
  for (const auto& [offset, length] : bad) {
    EXPECT_EQ(code_of(other->claim(offset, length)), Code::kProtocol) << offset << " " << length;
  }
  EXPECT_TRUE(other->claim(0, 10).has_value()) << "what was refused claimed nothing";
}

TEST_F(TakenFileTest, ScatteredClaimsAreBounded) {
  const auto file = file_of(10 * kRangesMax);
  for (std::size_t i = 0; i < kRangesMax; ++i) ASSERT_TRUE(file->claim(2 * i, 1).has_value());
  EXPECT_EQ(code_of(file->claim(2 * kRangesMax, 1)), Code::kProtocol);
  EXPECT_TRUE(file->claim(1, 1).has_value()) << "one that joins two is no new one";
}

TEST_F(TakenFileTest, ADamagedRangeMayComeOnceMore) {
  const auto file = file_of(100);
  ASSERT_TRUE(file->claim(0, 50).has_value());
  EXPECT_TRUE(file->unclaim(0, 50).has_value());
  EXPECT_TRUE(file->claim(0, 50).has_value());
  EXPECT_EQ(code_of(file->unclaim(0, 50)), Code::kChanged);
}

TEST_F(TakenFileTest, TheLastRangeSaysSoAndPublishingPutsItInPlace) {
  const auto file = file_of(6, "f", 06751);
  EXPECT_FALSE(put(*file, "def", 3));
  EXPECT_TRUE(partial_there());
  EXPECT_FALSE(there("f"));
  EXPECT_TRUE(put(*file, "abc", 0));
  EXPECT_FALSE(there("f")) << "not before it is published";
  ASSERT_TRUE(file->publish(tree_, kNow).has_value());
  EXPECT_EQ(there_.read("f"), "abcdef");
  EXPECT_FALSE(partial_there());
  const auto status = there_.open().status_of("f");
  EXPECT_EQ(status->mode, 0751U) << "set-id bits are dropped";
  EXPECT_EQ(status->modified, (platform::Timestamp{1'234'567'890, 987'654'321}));
  file->abandon(tree_);
  EXPECT_TRUE(there("f")) << "what was published stays";
}

TEST_F(TakenFileTest, EmptyAndSparseFilesGetTheirSize) {
  ASSERT_TRUE(file_of(0, "empty")->publish(tree_, kNow).has_value());
  EXPECT_EQ(fs::file_size(there_ / "empty"), 0U);

  const auto sparse = file_of(3 * kBlockBytes);
  ASSERT_TRUE(sparse->claim(0, kBlockBytes).has_value());
  EXPECT_FALSE(sparse->skip(tree_, kBlockBytes).value());
  EXPECT_FALSE(put(*sparse, std::string(kBlockBytes, 'x'), kBlockBytes));
  ASSERT_TRUE(sparse->claim(2 * kBlockBytes, kBlockBytes).has_value());
  EXPECT_TRUE(sparse->skip(tree_, kBlockBytes).value());
  ASSERT_TRUE(sparse->publish(tree_, {.sync = true, .started = kNow.started}).has_value());
  EXPECT_EQ(there_.read("f"), std::string(kBlockBytes, '\0') + std::string(kBlockBytes, 'x') +
                                  std::string(kBlockBytes, '\0'));
  EXPECT_LT(there_.open().status_of("f")->allocated_bytes, 3 * kBlockBytes);
}

TEST_F(TakenFileTest, AShortNewFileHasNoNameUntilItIsWhole) {
  if (!there_.open().make_nameless(0600).has_value()) GTEST_SKIP() << "no nameless files here";
  const auto file = file_of(6, "f", 0640);
  file->expect_nothing_there();
  EXPECT_FALSE(put(*file, "abc", 0));
  EXPECT_TRUE(fs::is_empty(there_.path()));
  EXPECT_TRUE(put(*file, "def", 3));
  ASSERT_TRUE(file->publish(tree_, kNow).has_value());
  EXPECT_EQ(there_.read("f"), "abcdef");
  const auto status = *there_.open().status_of("f");
  EXPECT_EQ(status.mode, 0640U);
  EXPECT_EQ(status.modified, (platform::Timestamp{1'234'567'890, 987'654'321}));
  EXPECT_FALSE(partial_there());
}

TEST_F(TakenFileTest, AnAbandonedNamelessFileRemovesNothing) {
  const auto file = file_of(6);
  file->expect_nothing_there();
  put(*file, "abc", 0);
  there_.write(store::partial_name("f"), "another's");
  file->abandon(tree_);
  EXPECT_FALSE(there("f"));
  if (there_.open().make_nameless(0600).has_value()) {
    EXPECT_TRUE(partial_there());
  }
}

// It came to stand there while the nameless one was on its way.
TEST_F(TakenFileTest, WhatTookItsNameMeanwhileIsAsSafeAsEver) {
  const auto meanwhile = [&](bool overwrite, platform::Timestamp started) {
    there_.write("f", "theirs");
    const auto file = file_of(4, "f", 0600);
    file->expect_nothing_there();
    put(*file, "ours");
    return file->publish(tree_, {.overwrite = overwrite, .started = started});
  };
  const auto kept = meanwhile(false, kNow.started);
  EXPECT_EQ(code_of(kept), Code::kExists);
  EXPECT_EQ(code_of(meanwhile(true, {0, 0})), Code::kExists) << "it was made since";
  EXPECT_EQ(there_.read("f"), "theirs");
  EXPECT_TRUE(meanwhile(true, kNow.started).has_value());
  EXPECT_EQ(there_.read("f"), "ours");
  EXPECT_EQ(there_.open().status_of("f")->mode, 0600U);
  EXPECT_EQ(there_.open().status_of("f")->modified.seconds, 1'234'567'890);
  EXPECT_FALSE(partial_there());
}

TEST_F(TakenFileTest, ADifferentFileIsKeptUnlessOverwriting) {
  there_.write("f", "mine");
  const auto kept = file_of(3);
  EXPECT_TRUE(put(*kept, "new"));
  EXPECT_EQ(code_of(kept->publish(tree_, kNow)), Code::kExists);
  EXPECT_EQ(there_.read("f"), "mine");
  kept->abandon(tree_);
  EXPECT_FALSE(partial_there());

  const auto replacing = file_of(3);
  EXPECT_TRUE(put(*replacing, "new"));
  ASSERT_TRUE(replacing->publish(tree_, {.overwrite = true, .started = kNow.started}).has_value());
  EXPECT_EQ(there_.read("f"), "new");
  EXPECT_FALSE(partial_there());
}

TEST_F(TakenFileTest, WhatWasMadeSinceTheTransferBeganIsNeverReplaced) {
  there_.write("f", "another program's");
  const auto file = file_of(3);
  EXPECT_TRUE(put(*file, "new"));
  EXPECT_EQ(code_of(file->publish(tree_, {.overwrite = true, .started = {1, 0}})), Code::kExists);
  EXPECT_EQ(there_.read("f"), "another program's");
  file->abandon(tree_);
}

TEST_F(TakenFileTest, DirectoriesAreNeverReplacedAndSymlinksNotFollowed) {
  const TestDirectory elsewhere;
  elsewhere.write("target", "safe");
  fs::create_directory(there_ / "d");
  fs::create_symlink(elsewhere / "target", there_ / "l");
  const PublishRules overwrite{.overwrite = true, .started = kNow.started};
  const auto onto_directory = file_of(3, "d");
  EXPECT_TRUE(put(*onto_directory, "new"));
  EXPECT_FALSE(onto_directory->publish(tree_, overwrite).has_value());
  EXPECT_TRUE(fs::is_directory(there_ / "d"));
  onto_directory->abandon(tree_);

  const auto onto_link = file_of(3, "l");
  EXPECT_TRUE(put(*onto_link, "new"));
  EXPECT_TRUE(onto_link->publish(tree_, overwrite).has_value());
  EXPECT_EQ(elsewhere.read("target"), "safe");
  EXPECT_FALSE(fs::is_symlink(there_ / "l"));
}

TEST_F(TakenFileTest, APlantedPartialIsNotWrittenThrough) {
  const TestDirectory elsewhere;
  elsewhere.write("victim", "safe");
  fs::create_symlink(elsewhere / "victim", there_ / store::partial_name("f"));
  const auto file = file_of(3);
  ASSERT_TRUE(file->claim(0, 3).has_value());
  EXPECT_FALSE(file->write(tree_, as_bytes("new"), 0).has_value());
  file->abandon(tree_);
  EXPECT_EQ(elsewhere.read("victim"), "safe");
}

TEST_F(TakenFileTest, OurOwnUnfinishedFileIsTakenOver) {
  there_.write(store::partial_name("f"), "left by a run that was killed, and longer");
  fs::permissions(there_ / store::partial_name("f"), fs::perms(0600));
  const auto file = file_of(3);
  EXPECT_TRUE(put(*file, "new"));
  ASSERT_TRUE(file->publish(tree_, kNow).has_value());
  EXPECT_EQ(there_.read("f"), "new");
}

TEST_F(TakenFileTest, AbandonedFilesLeaveNothingAndThrowAwayWhatStillArrives) {
  const auto file = file_of(6);
  EXPECT_FALSE(put(*file, "abc"));
  file->abandon(tree_);
  EXPECT_FALSE(partial_there());
  EXPECT_FALSE(put(*file, "def", 3)) << "never complete";
  EXPECT_FALSE(partial_there());
  EXPECT_TRUE(file->publish(tree_, kNow).has_value());
  EXPECT_FALSE(there("f"));
  file->abandon(tree_);
  const auto before_the_first = file_of(6);
  before_the_first->abandon(tree_);
  EXPECT_FALSE(put(*before_the_first, "abcdef"));
  EXPECT_FALSE(partial_there());
}

TEST_F(TakenFileTest, SeveralThreadsWriteAndOneIsLast) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kPieces = 200;
  constexpr std::size_t kPiece = 100;
  const auto file = file_of(kThreads * kPieces * kPiece);
  std::atomic<int> last = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < kPieces; ++i) {
        const std::size_t offset = (t * kPieces + i) * kPiece;
        if (put(*file, std::string(kPiece, static_cast<char>('a' + t)), offset)) ++last;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(last, 1);
  ASSERT_TRUE(file->publish(tree_, kNow).has_value());
  std::string expected;
  for (std::size_t t = 0; t < kThreads; ++t) {
    expected += std::string(kPieces * kPiece, static_cast<char>('a' + t));
  }
  EXPECT_EQ(there_.read("f"), expected);
}

TEST_F(TakenFileTest, AbandonWhileOthersWrite) {
  constexpr std::size_t kPieces = 2000;
  for (int round = 0; round < 10; ++round) {
    const auto file = file_of(2 * kPieces);
    std::atomic<bool> begun = false;
    std::thread writer([&] {
      for (std::size_t i = 0; i < kPieces; ++i) {
        EXPECT_FALSE(put(*file, "x", i));
        begun = true;
        begun.notify_all();
      }
    });
    begun.wait(false);
    file->abandon(tree_);
    writer.join();
    EXPECT_FALSE(partial_there());
  }
}

TEST(TakenFile, QuickCheckAndModes) {
  wire::Entry entry;
  entry.size = 5;
  entry.mtime_seconds = 10;
  entry.mtime_nanoseconds = 20;
  platform::FileStatus status;
  status.type = platform::FileType::kRegular;
  status.size_bytes = 5;
  status.modified = {10, 20};
  EXPECT_TRUE(looks_equal(entry, status));
  for (int change = 0; change < 4; ++change) {
    platform::FileStatus other = status;
    if (change == 0) other.size_bytes = 6;
    if (change == 1) other.modified.seconds = 11;
    if (change == 2) other.modified.nanoseconds = 21;
    if (change == 3) other.type = platform::FileType::kSymlink;
    EXPECT_FALSE(looks_equal(entry, other)) << change;
  }
  EXPECT_EQ(received_mode(07777), 01777U);
  EXPECT_EQ(received_mode(0100644), 0644U);
}

}  // namespace
}  // namespace wormhole::transfer
