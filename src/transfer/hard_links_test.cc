#include "transfer/hard_links.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "transfer/tree_builder_testing.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using wire::Entry;

platform::FileStatus status_of(std::uint64_t device, std::uint64_t inode, std::uint64_t links) {
  platform::FileStatus status;
  status.device = device;
  status.inode = inode;
  status.links = links;
  return status;
}

TEST(LinkedNamesTest, OtherNamesAreOfTheFirst) {
  LinkedNames names;
  EXPECT_EQ(names.first_of(status_of(1, 5, 3), 10), std::nullopt);
  EXPECT_EQ(names.first_of(status_of(2, 5, 2), 11), std::nullopt) << "another disk";
  EXPECT_EQ(names.first_of(status_of(1, 6, 2), 12), std::nullopt) << "another file";
  EXPECT_EQ(names.first_of(status_of(1, 5, 3), 13), 10U);
  EXPECT_EQ(names.first_of(status_of(1, 5, 3), 14), 10U);
  EXPECT_EQ(names.first_of(status_of(1, 5, 3), 15), std::nullopt) << "all came: it is forgotten";
  EXPECT_EQ(names.first_of(status_of(2, 5, 2), 16), 11U);
}

TEST(LinkedNamesTest, AFileThatGotTheNumberOfADeletedOneIsAnother) {
  LinkedNames names;
  auto before = status_of(1, 5, 3);
  before.size_bytes = 7;
  EXPECT_EQ(names.first_of(before, 10), std::nullopt);
  EXPECT_EQ(names.first_of(before, 11), 10U);
  auto later = before;
  later.modified = {1, 0};
  EXPECT_EQ(names.first_of(later, 12), std::nullopt);
  EXPECT_EQ(names.first_of(later, 13), 12U);
  auto longer = later;
  longer.size_bytes = 8;
  EXPECT_EQ(names.first_of(longer, 14), std::nullopt);
  EXPECT_EQ(names.first_of(longer, 15), 14U);
  EXPECT_EQ(names.first_of(longer, 16), 14U);
  EXPECT_EQ(names.first_of(longer, 17), std::nullopt) << "all came: it is forgotten";
}

TEST(LinkedNamesTest, WhereThereIsNoRoomNamesAreCounted) {
  LinkedNames names;
  for (std::uint64_t inode = 0; inode < kLinkedFilesMax; ++inode) {
    EXPECT_EQ(names.first_of(status_of(1, inode, 2), inode), std::nullopt);
    EXPECT_FALSE(names.is_full());
  }
  const auto one_more = status_of(1, kLinkedFilesMax, 2);
  EXPECT_EQ(names.first_of(one_more, 1'000'000), std::nullopt);
  EXPECT_TRUE(names.is_full());
  EXPECT_EQ(names.first_of(one_more, 1'000'001), std::nullopt);
  EXPECT_EQ(names.left_out(), 2U);
  auto changed = status_of(1, 8, 2);
  changed.size_bytes = 1;
  EXPECT_EQ(names.first_of(changed, 1'000'004), std::nullopt);
  EXPECT_FALSE(names.is_full()) << "it has the other one's room";
  EXPECT_EQ(names.first_of(status_of(1, 7, 2), 1'000'002), 7U);
  EXPECT_EQ(names.first_of(one_more, 1'000'003), std::nullopt);
  EXPECT_FALSE(names.is_full()) << "there is room again";
}

class HardLinkTest : public TreeBuilderTest {
 protected:
  static Entry first(std::string name, std::uint64_t parent, std::uint32_t names) {
    Entry entry = file(std::move(name), parent);
    entry.names = names;
    return entry;
  }
  static Entry another(std::string name, std::uint64_t parent, std::uint64_t of) {
    Entry entry = file(std::move(name), parent);
    entry.link_of = of;
    return entry;
  }
  void expect_one_file(std::string_view a, std::string_view b) {
    EXPECT_EQ(status(at(a)).inode, status(at(b)).inode) << a << " and " << b;
  }
};

TEST_F(HardLinkTest, NamesBeforeAndBehindTheDataAreOneFile) {
  begin();
  announce({root(), first("a", 0, 4), another("b", 0, 1), directory("d", 0), another("c", 3, 1)});
  data(1, "abc");
  expect_one_file("a", "b");
  announce({end(3), another("late", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  expect_one_file("a", "d/c");
  expect_one_file("a", "late");
  EXPECT_EQ(read("d/c"), "abc");
  EXPECT_EQ(status(at("a")).links, 4U);
  EXPECT_EQ(status(at("d")).modified, time_of(directory("d", 0))) << "made before it is closed";
  EXPECT_EQ(counters_.files, 4U);
  EXPECT_EQ(counters_.hard_links, 3U);
  EXPECT_EQ(counters_.bytes, 3U);
}

TEST_F(HardLinkTest, AgainNothingIsMade) {
  begin();
  announce({root(), first("a", 0, 2), another("b", 0, 1), end(0)});
  data(1, "abc");
  listed();
  begin(/*may_have=*/true);
  next_ = 0;
  announce({root(), first("a", 0, 2), another("b", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(wanted_.whole.empty());
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(counters_.skipped_files, 2U);
  EXPECT_EQ(counters_.hard_links, 1U);
}

TEST_F(HardLinkTest, WhatStandsInItsPlaceStays) {
  fs::create_directories(at("."));
  there_.write("dest/b", "mine");
  begin(/*may_have=*/true);
  announce({root(), first("a", 0, 3), another("b", 0, 1), another("c", 0, 1), end(0)});
  data(1, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"b", Code::kExists}}));
  EXPECT_EQ(read("b"), "mine");
  expect_one_file("a", "c");
}

TEST_F(HardLinkTest, WhatStandsInItsPlaceIsReplacedOnRequest) {
  fs::create_directories(at("."));
  there_.write("dest/b", "mine");
  begin_with({.overwrite = true, .started = {INT64_MAX, 0}, .may_have = true});
  announce({root(), first("a", 0, 2), another("b", 0, 1), end(0)});
  data(1, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  expect_one_file("a", "b");
  EXPECT_EQ(std::distance(fs::directory_iterator(at(".")), {}), 2) << "nothing else is left";
}

// The old file lost a name by that, which is a change of it, and none that anybody else made.
TEST_F(HardLinkTest, AllNamesOfAnOldFileAreReplaced) {
  fs::create_directories(at("."));
  there_.write("dest/a", "mine");
  for (const auto* name : {"b", "c"}) fs::create_hard_link(at("a"), at(name));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  begin_with({.overwrite = true, .may_have = true});
  // Two of them are one file at the host too, the third is another.
  announce({root(), first("a", 0, 2), another("b", 0, 1), file("c", 0), end(0)});
  data(1, "abc");
  data(3, "xyz");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_TRUE(events_.failed.empty());
  expect_one_file("a", "b");
  EXPECT_EQ(read("c"), "xyz");
}

TEST_F(HardLinkTest, WhereTheFirstNameStaysTheOthersAreJudgedByThemselves) {
  fs::create_directories(at("."));
  there_.write("dest/a", "mine");
  there_.write("dest/equal", "abc");
  const Entry equal = file("equal", 0);
  const platform::Directory dest = platform::Directory::open_path(at(".").string()).value();
  EXPECT_TRUE(dest.open_file("equal")->set_modified(time_of(equal)).has_value());
  begin_with({.leaves = Leaves::kAll, .may_have = true});
  there_.write("dest/b", "mine too");
  announce({root(), first("a", 0, 4), another("b", 0, 1), another("equal", 0, 1),
            another("new", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"new", Code::kNotFound}}));
  EXPECT_EQ(counters_.left_files, 2U);
  EXPECT_EQ(counters_.skipped_files, 1U);
}

TEST_F(HardLinkTest, WithoutItsFirstNameAnEqualOneStaysEvenWhereItMayBeReplaced) {
  fs::create_directories(at("."));
  there_.write("dest/a", "newer here");
  there_.write("dest/equal", "abc");
  const platform::Directory dest = platform::Directory::open_path(at(".").string()).value();
  EXPECT_TRUE(dest.open_file("equal")->set_modified(time_of(file("equal", 0))).has_value());
  begin_with(
      {.overwrite = true, .leaves = Leaves::kNewer, .started = {INT64_MAX, 0}, .may_have = true});
  announce({root(), first("a", 0, 2), another("equal", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_TRUE(events_.failed.empty());
  EXPECT_EQ(counters_.left_files, 1U);
  EXPECT_EQ(counters_.skipped_files, 1U);
}

// A name of the wrong file would pass for the right one ever after.
TEST_F(HardLinkTest, OfAFileOfAnotherSizeOrTimeAHostNamesNone) {
  Entry longer = another("longer", 0, 1);
  longer.size = 4;
  Entry later = another("later", 0, 1);
  ++later.mtime_seconds;
  for (const Entry& other : {longer, later}) {
    next_ = 0;
    begin();
    announce({root(), first("a", 0, 2)});
    expect_protocol(try_announce({other}));
  }
}

// It was changed here since it was put in place.
TEST_F(HardLinkTest, OfAFileThatWasWrittenToNoneIsMade) {
  begin();
  announce({root(), first("a", 0, 3)});
  data(1, "abc");
  std::ofstream(at("a"), std::ios::binary | std::ios::app) << "more";
  announce({another("b", 0, 1), end(0)});
  listed();
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"b", Code::kChanged}}));
  EXPECT_FALSE(fs::exists(at("b")));
}

TEST_F(HardLinkTest, WhatLooksEqualIsComparedOnRequest) {
  for (const bool overwrite : {false, true}) {
    SCOPED_TRACE(overwrite);
    fs::remove_all(there_ / "dest");
    fs::create_directories(at("."));
    there_.write("dest/same", "abc");
    there_.write("dest/other", "xyz");
    const platform::Directory dest = platform::Directory::open_path(at(".").string()).value();
    for (const std::string name : {"same", "other"}) {
      EXPECT_TRUE(dest.open_file(name)->set_modified(time_of(file(name, 0))).has_value());
    }
    next_ = 0;
    events_.failed.clear();
    TakeOptions options{.overwrite = overwrite, .started = {INT64_MAX, 0}, .may_have = true};
    options.checksum = true;
    begin_with(options);
    announce({root(), first("a", 0, 3), another("same", 0, 1), another("other", 0, 1), end(0)});
    data(1, "abc");
    listed();
    EXPECT_TRUE(tree_->is_complete());
    if (overwrite) {
      EXPECT_TRUE(events_.failed.empty());
      expect_one_file("a", "same");
      expect_one_file("a", "other");
    } else {
      EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"other", Code::kExists}}));
      EXPECT_EQ(read("other"), "xyz");
      EXPECT_EQ(status(at("same")).links, 1U);
    }
  }
}

// Stored without its zeros, as far as anyone can tell: only what it holds tells what it is.
TEST_F(HardLinkTest, WhatHasHolesIsComparedBeforeItIsReplaced) {
  fs::create_directories(at("."));
  const platform::Directory dest = platform::Directory::open_path(at(".").string()).value();
  if (!dest.loses_data_as_holes()) GTEST_SKIP() << "not on this file system";
  std::string content(kPackedFileMaxBytes + 1, '\0');
  content.back() = 'x';
  const auto write_sparse = [&](const char* name, char last) {
    there_.write(std::string("dest/") + name, "");
    fs::resize_file(at(name), content.size() - 1);
    std::ofstream(at(name), std::ios::binary | std::ios::app) << last;
    EXPECT_TRUE(dest.open_file(name)->set_modified(time_of(file(name, 0))).has_value());
  };
  write_sparse("same", 'x');
  write_sparse("other", 'y');
  begin(/*may_have=*/true);
  std::vector<Entry> entries = {root(), first("a", 0, 3), another("same", 0, 1),
                                another("other", 0, 1), end(0)};
  for (Entry& entry : entries) {
    if (entry.type == wire::EntryType::kRegular) entry.size = content.size();
  }
  announce(entries);
  data(1, content);
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"other", Code::kExists}}));
  EXPECT_EQ(status(at("same")).links, 1U);
  EXPECT_EQ(read("other").back(), 'y');
  EXPECT_EQ(read("a"), content);
}

// Another program's work since this run began is not replaced, as with any file.
TEST_F(HardLinkTest, WhatIsNewThereIsNotReplacedEvenOnRequest) {
  fs::create_directories(at("."));
  begin(/*may_have=*/true, /*overwrite=*/true);
  announce({root(), first("a", 0, 2), another("b", 0, 1), end(0)});
  there_.write("dest/b", "of now");
  data(1, "abc");
  listed();
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"b", Code::kExists}}));
  EXPECT_EQ(read("b"), "of now");
}

TEST_F(HardLinkTest, OfAFileThatDoesNotComeNoneIsMade) {
  begin();
  announce({root(), first("a", 0, 3), another("b", 0, 1)});
  EXPECT_TRUE(
      tree_->on_failed({.has_file = true, .file = 1, .code = wire::FailureCode::kChanged}, false)
          .has_value());
  announce({another("c", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(events_.failed,
            (std::map<std::string, Code>{
                {"a", Code::kChanged}, {"b", Code::kNotFound}, {"c", Code::kNotFound}}));
  EXPECT_TRUE(fs::is_empty(at(".")));
}

// The first name is swapped for a symlink before the others are made: they are not made of that.
TEST_F(HardLinkTest, AFirstNameThatWasSwappedIsNotLinked) {
  const platform::TestDirectory secret;
  secret.write("password", "x");
  begin();
  announce({root(), first("a", 0, 2)});
  data(1, "abc");
  fs::remove(at("a"));
  fs::create_symlink(secret / "password", at("a"));
  announce({another("b", 0, 1), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"b", Code::kChanged}}));
  EXPECT_FALSE(fs::exists(fs::symlink_status(at("b"))));
}

// Where no link can be made the bytes come all the same: here of a file that nobody may link.
TEST_F(HardLinkTest, WhereNoneCanBeMadeItIsCopied) {
  begin();
  announce({root(), first("a", 0, 2)});
  data(1, "abc");
  const platform::Fd fd(::open(at("a").c_str(), O_RDONLY | O_CLOEXEC));
  const auto set_flags = [&](int flags) { return ::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags); };
  if (set_flags(FS_IMMUTABLE_FL) != 0) GTEST_SKIP() << "needs root, and a file system with flags";
  announce({another("b", 0, 1), end(0)});
  listed();
  set_flags(0);
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_TRUE(events_.failed.empty());
  EXPECT_EQ(read("b"), "abc");
  EXPECT_NE(status(at("a")).inode, status(at("b")).inode);
  EXPECT_EQ(status(at("b")).modified, time_of(file("a", 0)));
  EXPECT_EQ(counters_.copied_links, 1U);
}

TEST_F(HardLinkTest, AHostThatNamesLinksOfNothingIsNotTrusted) {
  const std::vector<std::vector<Entry>> attacks = {
      {root(), file("a", 0), another("b", 0, 1)},                          // has one name
      {root(), directory("a", 0), another("b", 1, 1)},                     // no file
      {root(), first("a", 0, 2), another("b", 0, 1), another("c", 0, 1)},  // one too many
      {root(), first("a", 0, 3), another("b", 0, 1), another("c", 0, 2)},  // of a link
  };
  for (const auto& attack : attacks) {
    begin();
    next_ = 0;
    expect_protocol(try_announce(attack));
  }
}

TEST_F(HardLinkTest, DataOfALinkIsRefused) {
  begin();
  announce({root(), first("a", 0, 2), another("b", 0, 1)});
  expect_protocol(try_data(2, "abc"));
}

TEST(HardLinksTest, MoreThanAnHonestHostTellsAreRefused) {
  HardLinks links;
  Entry of_two;
  of_two.names = 2;
  for (std::size_t id = 0; id < kLinkedFilesTakenMax; ++id) ASSERT_TRUE(links.begin(id, of_two));
  EXPECT_FALSE(links.begin(kLinkedFilesTakenMax, of_two));
  bool is_known = false;
  static_cast<void>(links.settle(7, std::nullopt));
  static_cast<void>(links.add(7, {}, is_known));
  EXPECT_TRUE(is_known);
  EXPECT_TRUE(links.begin(kLinkedFilesTakenMax, of_two)) << "one was dealt with";
}

}  // namespace
}  // namespace wormhole::transfer
