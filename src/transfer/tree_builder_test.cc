#include "transfer/tree_builder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <thread>

#include "base/limits.h"
#include "store/hash.h"
#include "transfer/tree_builder_testing.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;
using wire::Entry;
using wire::EntryType;

TEST_F(TreeBuilderTest, ARootThatAnInterruptedRunMadeHasItsMode) {
  for (const std::uint16_t mode : std::vector<std::uint16_t>{0700, 0750, 0777, 0500}) {
    begin();
    announce({directory("root", wire::kNoEntry, mode), file("a", 0)});
    EXPECT_EQ(status(there_ / "dest").mode, (mode | 0700U) & ~0022U);
    tree_->abandon(/*keeps_partials=*/false);
    begin(/*may_have=*/true);
    next_ = 0;
    announce({directory("root", wire::kNoEntry, mode), file("a", 0), end(0)});
    data(1, "aaa");
    EXPECT_TRUE(tree_->on_listed(next_).has_value());
    EXPECT_TRUE(tree_->is_complete());
    EXPECT_EQ(status(there_ / "dest").mode, (mode | 0700U) & ~0022U);
    fs::remove_all(there_ / "dest");
    next_ = 0;
  }
}

// Who interrupts a mirror may have seen that it is the wrong one.
TEST_F(TreeBuilderTest, NothingIsDeletedAfterItWasInterrupted) {
  for (const bool is_interrupted : {false, true}) {
    fs::create_directory(there_ / "dest");
    there_.write("dest/gone", "here");
    const platform::Timestamp changed = status(at("gone")).changed;
    while (platform::stamp_now() <= changed) std::this_thread::yield();
    begin_with({.may_have = true, .may_delete = true});
    next_ = 0;
    announce({root()});
    if (is_interrupted) tree_->wake_all();
    announce({end(0)});
    listed();
    EXPECT_EQ(fs::exists(at("gone")), is_interrupted);
    EXPECT_EQ(tree_->is_complete(), !is_interrupted);
    EXPECT_TRUE(events_.failed.empty());
    fs::remove_all(there_ / "dest");
  }
}

// A pipe where the announced file was: what was asked for did not come.
TEST_F(TreeBuilderTest, WhatIsNoRegularFileAnyMoreHasFailed) {
  begin();
  announce({root(), file("a", 0, 6), end(0)});
  listed();
  const wire::Failed failed{.has_file = true, .file = 1, .code = wire::FailureCode::kSpecial};
  EXPECT_TRUE(tree_->on_failed(failed, false).has_value());
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"a", Code::kChanged}}));
  EXPECT_EQ(counters_.failed, 1U);
  EXPECT_EQ(counters_.specials, 0U);
}

TEST_F(TreeBuilderTest, WhereOnlyNewThingsAreTakenAnEarlierAttemptsDirectoriesAreSettled) {
  fs::create_directories(there_ / "dest/theirs");
  fs::permissions(there_ / "dest/theirs", fs::perms(0711));
  const TakeOptions options{.may_have = true, .only_adds = true};
  begin_with(options);
  announce({root(), directory("ours", 0), directory("theirs", 0), file("a", 1)});
  tree_->abandon(/*keeps_partials=*/true);
  EXPECT_EQ(status(at("ours")).mode, 0700U);
  begin_with(options);
  next_ = 0;
  announce({root(), directory("ours", 0), directory("theirs", 0), end(1), end(2), end(0)});
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(status(at("ours")).mode, 0755U);
  EXPECT_EQ(status(at("ours")).modified.seconds, root().mtime_seconds);
  EXPECT_EQ(status(at("theirs")).mode, 0711U);
  EXPECT_NE(status(at("theirs")).modified.seconds, root().mtime_seconds);
}

// Only what a copy waits for: a single file's number is 0, as is "copy of none".
TEST_F(TreeBuilderTest, AFileWithoutCopiesIsNotToBeCloned) {
  const auto is_to_be_cloned = [&](std::uint64_t id) {
    const auto found = tree_->find(id, false);
    return found.has_value() && *found != nullptr && (*found)->is_to_be_cloned();
  };
  begin(/*may_have=*/true);
  announce({file("single", wire::kNoEntry, kReusableMinBytes)});
  EXPECT_FALSE(is_to_be_cloned(0));
  begin(/*may_have=*/true);
  next_ = 0;
  Entry copy = file("copy", 0, kReusableMinBytes);
  copy.copy_of = 1;
  announce({root(), file("original", 0, kReusableMinBytes), copy});
  EXPECT_TRUE(is_to_be_cloned(1));
  EXPECT_FALSE(is_to_be_cloned(2));
}

// What a power cut leaves has the announced time, and no bytes; anything else is the user's.
TEST_F(TreeBuilderTest, AnEmptiedFileIsReplacedUnasked) {
  struct Case {
    std::string content;
    std::uint32_t nanoseconds;
    std::int64_t seconds;
    bool is_replaced;
  };
  for (const Case& there :
       {Case{"", 123'456'789, 1'600'000'000, true}, Case{"x", 123'456'789, 1'600'000'000, false},
        Case{"", 123'456'789, 1'600'000'001, false}, Case{"", 0, 1'600'000'000, false}}) {
    fs::create_directory(there_ / "dest");
    there_.write("dest/a", there.content);
    const auto handle = platform::Directory::open_path((there_ / "dest").string());
    ASSERT_TRUE(handle->open_file("a")->set_modified({there.seconds, there.nanoseconds}));
    // As old as what an earlier run left.
    const platform::Timestamp changed = status(at("a")).changed;
    while (platform::stamp_now() <= changed) std::this_thread::yield();
    begin(/*may_have=*/true);
    next_ = 0;
    Entry announced = file("a", 0);
    announced.mtime_nanoseconds = there.nanoseconds;
    announce({root(), announced, end(0)});
    if (there.is_replaced) data(1, "aaa");
    listed();
    EXPECT_TRUE(tree_->is_complete());
    EXPECT_EQ(read("a"), there.is_replaced ? "aaa" : there.content);
    EXPECT_EQ(events_.failed.contains("a"), !there.is_replaced);
    events_.failed.clear();
    fs::remove_all(there_ / "dest");
  }
}

TEST_F(TreeBuilderTest, AHollowFileIsComparedAndMayBeReplaced) {
  fs::create_directory(there_ / "dest");
  const auto handle = platform::Directory::open_path((there_ / "dest").string());
  // The shortest that more than one write makes, and a longer one.
  for (const std::uint64_t size : {kPackedFileMaxBytes + 4096, 2 * kBlockBytes}) {
    SCOPED_TRACE(size);
    there_.write("dest/a", std::string(size, 'a'));
    const auto here = handle->open_partial("a", platform::Contents::kKeep);
    Entry announced = file("a", 0, size);
    // Whether it would come, in whole or in part.
    const auto is_wanted = [&](bool sparse) {
      EXPECT_TRUE(here->set_modified({announced.mtime_seconds, announced.mtime_nanoseconds}));
      begin(/*may_have=*/true);
      next_ = 0;
      wanted_ = {};
      announced.sparse = sparse;
      announce({root(), announced});
      return !wanted_.local.empty() || !wanted_.whole.empty();
    };
    EXPECT_FALSE(is_wanted(false)) << "it is whole";
    const std::uint64_t hole = size / 2 / 4096 * 4096;
    ASSERT_TRUE(here->clear(hole, size - hole).has_value());
    if (here->next_data(hole)->has_value()) GTEST_SKIP() << "no holes on this file system";
    EXPECT_FALSE(is_wanted(true)) << "the host's has holes, too";
    EXPECT_TRUE(is_wanted(false));
    if (size > kBlockBytes) {
      ASSERT_EQ(wanted_.local.size(), 1U);
      EXPECT_TRUE(wanted_.local.at(0).reconstruction->needs_chunks());
    }
  }
}

TEST_F(TreeBuilderTest, BuildsWhatIsAnnounced) {
  begin();
  announce({root()});
  announce({file("a", 0), file("empty", 0, 0), link("l", 0, "../x"), directory("d", 0),
            file("b", 4), directory("e", 4), end(6), end(4), end(0)});
  listed();
  EXPECT_FALSE(tree_->is_complete());
  data(1, "aaa");
  data(5, "b", 0);
  EXPECT_FALSE(fs::exists(at("d/b")));
  data(5, "bb", 1);
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("a"), "aaa");
  EXPECT_EQ(read("empty"), "");
  EXPECT_EQ(read("d/b"), "bbb");
  EXPECT_EQ(fs::read_symlink(at("l")), "../x");
  EXPECT_TRUE(fs::is_directory(at("d/e")));
  EXPECT_EQ(status(at("l")).modified, time_of(root()));
  EXPECT_EQ(counters_.files, 3U);
  EXPECT_EQ(counters_.directories, 3U);
  EXPECT_EQ(counters_.links, 1U);
  EXPECT_EQ(counters_.bytes, 6U);
  EXPECT_EQ(counters_.announced_files, 3U);
  EXPECT_EQ(counters_.announced_bytes, 6U);
  EXPECT_TRUE(counters_.all_announced);
  EXPECT_TRUE(events_.failed.empty());
  EXPECT_EQ(events_.files, (std::map<std::string, int>{{"a", 1}, {"empty", 1}, {"d/b", 1}}));
  EXPECT_TRUE(wanted_.whole.empty());
}

TEST_F(TreeBuilderTest, EveryEntryButEndsReturnsOneCreditWhenItIsDoneWith) {
  begin();
  announce({root()});
  EXPECT_EQ(tree_->take_finished(), 0U);
  announce({file("a", 0), file("empty", 0, 0), link("l", 0, "x")});
  EXPECT_EQ(tree_->take_finished(), 2U) << "the empty file and the link";
  announce({directory("d", 0), file("b", 4), directory("e", 4)});
  EXPECT_EQ(tree_->take_finished(), 0U);
  announce({end(6)});
  EXPECT_EQ(tree_->take_finished(), 1U) << "e";
  announce({end(4)});
  EXPECT_EQ(tree_->take_finished(), 0U) << "d waits for b";
  data(5, "bbb");
  EXPECT_EQ(tree_->take_finished(), 2U) << "b and d";
  announce({end(0)});
  listed();
  data(1, "aaa");
  EXPECT_EQ(tree_->take_finished(), 2U) << "a and the root";
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(tree_->take_finished(), 0U);
}

TEST_F(TreeBuilderTest, CreditsAreCountedForWhatFailsToo) {
  fs::create_directories(at("in_the_way"));
  fs::create_directories(at("this_too"));
  there_.write("dest/no_directory", "a file");
  begin(/*may_have=*/true);
  announce({root(), file("in_the_way", 0), link("this_too", 0, "x"), directory("no_directory", 0),
            file("below", 3), directory("deeper", 3), file("f", 5), end(5), end(3), file("gone", 0),
            end(0)});
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{9});
  ASSERT_TRUE(tree_->on_failed({.request = 1, .has_file = true, .file = 9}, false).has_value());
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(tree_->take_finished(), 8U) << "all but three ends";
}

TEST_F(TreeBuilderTest, AFileWhereADirectoryIsNeededFailsWithAllThatIsBelow) {
  for (const bool may_have : {false, true}) {
    events_.failed.clear();
    wanted_.whole.clear();
    next_ = 0;
    counters_.failed = 0;
    fs::create_directories(at(""));
    there_.write("dest/d", "mine");
    begin(may_have);
    announce({root(), directory("d", 0), file("a", 1), link("l", 1, "x"), directory("e", 1),
              file("b", 4), file("empty", 4, 0), end(4), end(1), directory("fine", 0), file("c", 9),
              end(9), end(0)});
    listed();
    // Without may_have the giver sends at once what it announced; that is no offence.
    if (!may_have) data(2, "aaa");
    if (!may_have) data(5, "bbb");
    data(10, "ccc");
    EXPECT_TRUE(tree_->is_complete());
    EXPECT_EQ(wanted_.whole,
              may_have ? std::vector<std::uint64_t>{10} : std::vector<std::uint64_t>{});
    EXPECT_EQ(read("d"), "mine");
    EXPECT_EQ(read("fine/c"), "ccc");
    EXPECT_EQ(events_.failed.size(), 6U);
    EXPECT_EQ(counters_.failed, 6U);
    for (const char* path : {"d", "d/a", "d/l", "d/e", "d/e/b", "d/e/empty"}) {
      EXPECT_TRUE(events_.failed.contains(path)) << path;
    }
    fs::remove_all(at(""));
  }
}

TEST_F(TreeBuilderTest, DirectoriesGetTheirModeAndTimeWhenAllOfThemIsThere) {
  begin();
  announce({root(), directory("d", 0, 02750), file("a", 1), end(1), end(0)});
  listed();
  EXPECT_EQ(status(at("d")).mode, 0700U) << "ours until it is full";
  data(2, "aaa");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(status(at("d")).mode, 0750U) << "set-group-ID is dropped";
  EXPECT_EQ(status(at("d")).modified, time_of(root()));
  EXPECT_EQ(status(there_ / "dest").modified, time_of(root()));
  EXPECT_EQ(status(there_ / "dest").mode, 0755U);
}

TEST_F(TreeBuilderTest, ReadOnlyDirectoriesAreFilledFirst) {
  begin();
  announce({root(), directory("r", 0, 0555), directory("s", 1, 0), file("a", 2), end(2),
            file("b", 1), end(1), end(0)});
  listed();
  data(5, "bbb");
  data(3, "aaa");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_TRUE(events_.failed.empty());
  EXPECT_EQ(status(at("r")).mode, 0555U);
  EXPECT_EQ(status(at("r/s")).mode, 0U);
  fs::permissions(at("r/s"), fs::perms(0700));
  EXPECT_EQ(read("r/s/a"), "aaa");
}

TEST_F(TreeBuilderTest, ReadOnlyDirectoriesThatAreThereAreOpenedUp) {
  fs::create_directories(at("r"));
  fs::permissions(at("r"), fs::perms(0500));
  begin(/*may_have=*/true);
  announce({root(), directory("r", 0, 0500), file("a", 1), end(1), end(0)});
  listed();
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{2});
  data(2, "aaa");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("r/a"), "aaa");
  EXPECT_EQ(status(at("r")).mode, 0500U);
}

TEST_F(TreeBuilderTest, WantsWhatIsMissingSkipsWhatIsEqualRefusesWhatDiffers) {
  fs::create_directories(at(""));
  for (const char* name : {"equal", "longer", "touched", "empty"}) {
    there_.write("dest/" + std::string(name), "123");
    ASSERT_TRUE(platform::Directory::open_path(at(""))
                    ->open_file(name)
                    ->set_modified(time_of(root()))
                    .has_value());
  }
  there_.write("dest/touched", "123");
  begin(/*may_have=*/true);
  announce({root(), file("equal", 0, 3), file("longer", 0, 4), file("touched", 0, 3),
            file("missing", 0, 3), file("empty", 0, 0), file("new_empty", 0, 0), end(0)});
  listed();
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{4});
  EXPECT_EQ(counters_.skipped_files, 1U);
  EXPECT_EQ(counters_.skipped_bytes, 3U);
  EXPECT_EQ(counters_.failed, 3U);
  EXPECT_EQ(events_.failed,
            (std::map<std::string, Code>{
                {"longer", Code::kExists}, {"touched", Code::kExists}, {"empty", Code::kExists}}));
  EXPECT_FALSE(tree_->is_complete());
  data(4, "new");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("touched"), "123");
  EXPECT_EQ(read("missing"), "new");
  EXPECT_TRUE(fs::exists(at("new_empty")));
}

TEST_F(TreeBuilderTest, OverwritingWantsWhatDiffersToo) {
  fs::create_directories(at(""));
  there_.write("dest/differs", "old");
  there_.write("dest/links", "old");
  fs::create_symlink("old", at("l"));
  fs::create_symlink("same", at("m"));
  // What changed since the transfer began is not ours to replace: let a clock tick pass.
  const auto nanoseconds = [](const platform::Timestamp& time) {
    return time.seconds * 1'000'000'000 + time.nanoseconds;
  };
  const auto made = nanoseconds(status(at("m")).changed);
  do {
    there_.write("tick", "x");
  } while (nanoseconds(status(there_ / "tick").modified) < made + 50'000'000);
  begin(/*may_have=*/true, /*overwrite=*/true);
  announce({root(), file("differs", 0, 3), link("links", 0, "to"), link("l", 0, "new"),
            link("m", 0, "same"), end(0)});
  listed();
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{1});
  data(1, "new");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_TRUE(events_.failed.empty());
  EXPECT_EQ(read("differs"), "new");
  EXPECT_EQ(fs::read_symlink(at("links")), "to");
  EXPECT_EQ(fs::read_symlink(at("l")), "new");
  EXPECT_EQ(counters_.links, 3U);
}

TEST_F(TreeBuilderTest, WhatChangedSinceTheFirstAttemptIsNeverReplaced) {
  const platform::Timestamp started = platform::stamp_now();
  fs::create_directories(at(""));
  there_.write("dest/edited", "by the user");
  const auto changed = status(at("edited")).changed;
  while (platform::stamp_now() < changed) std::this_thread::yield();
  TakeOptions options{.destination = {(there_ / "dest").string()},
                      .overwrite = true,
                      .started = started,
                      .may_have = true};
  tree_.emplace(options, events_, counters_, clock_);
  announce({root(), file("edited", 0, 3), end(0)});
  listed();
  data(1, "new");
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"edited", Code::kExists}}));
  EXPECT_EQ(read("edited"), "by the user");
}

// The giver knows what is wanted in part only when it was told: no thread asks for more before.
TEST_F(TreeBuilderTest, WorkOnWhatIsHereBeginsWhenTheGiverWasTold) {
  fs::create_directories(at(""));
  there_.write("dest/large", std::string(kReusableMinBytes, 'o'));
  begin(/*may_have=*/true, /*overwrite=*/true);
  announce({root(), file("large", 0, kReusableMinBytes + 1), end(0)});
  EXPECT_TRUE(tree_->local_work().empty());
  ASSERT_EQ(wanted_.local.size(), 1U);
  EXPECT_EQ(wanted_.local[0].file->id(), 1U);
  ASSERT_EQ(wanted_.parts.size(), 1U);
}

TEST_F(TreeBuilderTest, LateDataOfAFileThatWasGivenUpTakesNoRoom) {
  begin();
  announce({root()});
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < kOpenPartialsMax; ++i) {
    entries.push_back(file("f" + std::to_string(i), 0, 1000));
  }
  announce(std::move(entries));
  for (std::size_t i = 0; i < kOpenPartialsMax; ++i) {
    const auto late = tree_->find(1 + i, false);
    ASSERT_TRUE(late.has_value());
    ASSERT_TRUE(tree_->on_failed({.has_file = true, .file = 1 + i}, false).has_value());
    EXPECT_TRUE(tree_->on_data(*late, 0, as_bytes("late")).has_value());
  }
  tree_->wait_for_room();  // would wait for ever
  announce({file("g", 0, 1000)});
  data(1 + kOpenPartialsMax, "begins");
}

TEST_F(TreeBuilderTest, LinksThatAreThereStayUnlessOverwriting) {
  fs::create_directories(at(""));
  fs::create_symlink("old", at("l"));
  begin(/*may_have=*/true);
  announce({root(), link("l", 0, "new"), end(0)});
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"l", Code::kExists}}));
  EXPECT_EQ(fs::read_symlink(at("l")), "old");
}

TEST_F(TreeBuilderTest, NamesThatAreOneHereAreNotMixed) {
  begin();
  announce({root(), file("a", 0), file("a", 0), directory("d", 0), end(3), directory("d", 0),
            end(5), end(0)});
  listed();
  data(1, "one");
  data(2, "two");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("a"), "one");
  EXPECT_EQ(events_.failed,
            (std::map<std::string, Code>{{"a", Code::kExists}, {"d", Code::kUnsafeName}}));
}

TEST_F(TreeBuilderTest, ASingleFileNeedsNoDirectory) {
  begin();
  announce({file("f", wire::kNoEntry)});
  listed();
  EXPECT_FALSE(tree_->is_complete());
  data(0, "abc");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(tree_->take_finished(), 1U);
  EXPECT_EQ(there_.read("dest"), "abc");
  EXPECT_EQ(tree_->shown_root(), there_ / "dest");
}

TEST_F(TreeBuilderTest, HostsThatAnnounceNonsenseAreLeft) {
  const std::vector<Entry> bad[] = {
      {directory("x", 0)},                                              // no root
      {end(0)},                                                         // an end first
      {root(), file("a", 7)},                                           // no such directory
      {root(), file("a", 0), file("b", 1)},                             // below a file
      {root(), end(0), file("a", 0)},                                   // after its end
      {root(), end(0), end(0)},                                         // ended twice
      {root(), directory("d", 0), end(1), file("a", 1)},                // after its end
      {root(), link("l", 0, "")},                                       // to nowhere
      {root(), link("l", 0, std::string("a\0b", 3))},                   // not a path
      {directory("", wire::kNoEntry), directory("d", wire::kNoEntry)},  // two roots
  };
  for (const auto& entries : bad) {
    next_ = 0;
    begin();
    expect_protocol(try_announce(entries));
    tree_->abandon(/*keeps_partials=*/false);
  }
  for (const char* name : {"", "..", ".", "a/b", "/x"}) {
    next_ = 0;
    begin();
    const auto result = try_announce({root(), file(name, 0)});
    ASSERT_FALSE(result.has_value()) << name;
    EXPECT_EQ(result.error().code, Code::kUnsafeName) << name;
  }
}

TEST_F(TreeBuilderTest, CountsAndIdsMustFit) {
  begin();
  announce({root()});
  expect_protocol(tree_->on_entries({1, 2, {file("a", 0)}}, wanted_));
  expect_protocol(tree_->on_entries({1, 0, {file("a", 0)}}, wanted_));
  expect_protocol(tree_->on_listed(1));  // the root is open
  announce({end(0)});
  expect_protocol(tree_->on_listed(1));
  expect_protocol(tree_->on_listed(3));
  listed();
  expect_protocol(tree_->on_listed(2));
  expect_protocol(try_announce({file("late", 0)}));
  EXPECT_TRUE(tree_->is_complete());
  begin();
  expect_protocol(tree_->on_listed(0));
}

TEST_F(TreeBuilderTest, NoMoreIsAnnouncedThanTheCredit) {
  begin();
  announce({root()});
  for (std::uint32_t i = 1; i < kOpenEntriesMax; ++i) announce({file(std::to_string(i), 0)});
  expect_protocol(try_announce({file("one more", 0)}));
}

TEST_F(TreeBuilderTest, DataComesOnceAndOnlyForWhatIsExpected) {
  begin();
  announce({root(), file("a", 0), link("l", 0, "x"), file("empty", 0, 0), file("c", 0, 10)});
  for (const std::uint64_t id : {0U, 2U, 3U, 5U, 77U}) expect_protocol(try_data(id, "abc"));
  expect_protocol(try_data(1, "abcd"));
  expect_protocol(try_data(1, "a", 3));
  data(1, "abc");
  expect_protocol(try_data(1, "abc"));
  data(4, "abc", 2);
  expect_protocol(try_data(4, "abc", 4));
  expect_protocol(tree_->on_hole(tree_->find(4, false).value(), 4, 1));
  expect_protocol(tree_->on_hole(tree_->find(4, false).value(), 5, UINT64_MAX));
  tree_->abandon(/*keeps_partials=*/false);
}

TEST_F(TreeBuilderTest, OpenPartialsAreBounded) {
  begin();
  announce({root()});
  for (std::size_t i = 1; i <= kOpenPartialsMax + 1; ++i) announce({file(std::to_string(i), 0)});
  for (std::size_t i = 1; i <= kOpenPartialsMax; ++i) data(i, "a");
  expect_protocol(try_data(kOpenPartialsMax + 1, "a"));
  tree_->abandon(/*keeps_partials=*/false);
  EXPECT_TRUE(fs::is_empty(at("")));
}

TEST_F(TreeBuilderTest, AFurtherStreamWaitsForTheAnnouncement) {
  begin();
  announce({root()});
  std::thread stream([&] {
    const auto found = tree_->find(1, /*may_wait=*/true);
    ASSERT_TRUE(found.has_value());
    EXPECT_TRUE(tree_->on_data(*found, 0, as_bytes("abc")).has_value());
  });
  announce({file("a", 0), end(0)});
  stream.join();
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("a"), "abc");
}

TEST_F(TreeBuilderTest, WaitingEndsWithTheListAndWithTheSession) {
  begin();
  announce({root()});
  std::thread never([&] {
    const auto found = tree_->find(9, true);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kProtocol);
  });
  announce({end(0)});
  listed();
  never.join();

  next_ = 0;
  begin();
  announce({root()});
  std::thread lost([&] {
    const auto found = tree_->find(9, true);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kLost);
  });
  tree_->wake_all();
  lost.join();
}

TEST_F(TreeBuilderTest, AFileThatTheHostGivesUpIsReportedOnceAndItsLateDataThrownAway) {
  begin();
  announce({root(), file("a", 0, 6), file("b", 0), end(0)});
  listed();
  data(1, "abc");
  const wire::Failed failed{
      .request = 1, .has_file = true, .file = 1, .code = wire::FailureCode::kChanged};
  ASSERT_TRUE(tree_->on_failed(failed, false).has_value());
  ASSERT_TRUE(tree_->on_failed(failed, false).has_value());
  data(1, "def", 3);
  data(2, "bbb");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_FALSE(fs::exists(at("a")));
  EXPECT_FALSE(fs::exists(at(store::partial_name("a"))));
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"a", Code::kChanged}}));
  EXPECT_EQ(counters_.failed, 1U);
  EXPECT_EQ(tree_->take_finished(), 3U);
  EXPECT_EQ(tree_->take_given_up(), std::vector<std::uint64_t>{1});
  EXPECT_TRUE(tree_->take_given_up().empty());
}

TEST_F(TreeBuilderTest, WhatWasNeverAnnouncedIsNamedByItsDirectory) {
  begin();
  announce({root(), directory("d", 0)});
  const auto say = [&](std::uint64_t parent, std::string name, wire::FailureCode code) {
    ASSERT_TRUE(tree_->on_failed(
        {.request = 1, .parent = parent, .name = std::move(name), .code = code}, false));
  };
  say(1, "pipe", wire::FailureCode::kSpecial);
  say(1, "secret", wire::FailureCode::kIo);
  say(0, "top", wire::FailureCode::kIo);
  say(99, "unknown", wire::FailureCode::kIo);
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"d/pipe", Code::kSkippedSpecial},
                                                         {"d/secret", Code::kRemoteIo},
                                                         {"top", Code::kRemoteIo},
                                                         {"unknown", Code::kRemoteIo}}));
  EXPECT_EQ(counters_.specials, 1U);
  EXPECT_EQ(counters_.failed, 3U);
  EXPECT_EQ(tree_->take_finished(), 0U) << "no entry, no credit";
}

TEST_F(TreeBuilderTest, AbandoningLeavesOnlyWhatIsWhole) {
  begin();
  announce({root(), file("whole", 0), file("half", 0, 6), file("none", 0), end(0)});
  data(1, "abc");
  data(2, "abc");
  tree_->abandon(/*keeps_partials=*/false);
  EXPECT_EQ(read("whole"), "abc");
  EXPECT_EQ(std::distance(fs::directory_iterator(at("")), fs::directory_iterator()), 1);
}

TEST_F(TreeBuilderTest, HiddenNamesAreRefusedWhereTheUserStands) {
  const fs::path before = fs::current_path();
  fs::current_path(there_.path());
  tree_.emplace(TakeOptions{.destination = {}, .may_have = true}, events_, counters_, clock_);
  announce({directory("", wire::kNoEntry), file(".bashrc", 0), directory(".ssh", 0), file("k", 2),
            end(2), directory("fine", 0), file(".hidden", 5), end(5), end(0)});
  listed();
  fs::current_path(before);
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{6});
  EXPECT_FALSE(fs::exists(there_ / ".ssh"));
  EXPECT_EQ(events_.failed.at(".bashrc"), Code::kUnsafeName);
  EXPECT_EQ(events_.failed.at(".ssh"), Code::kUnsafeName);
  EXPECT_TRUE(events_.failed.contains(".ssh/k"));
  data(6, "abc");
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(there_.read("fine/.hidden"), "abc");
}

}  // namespace
}  // namespace wormhole::transfer
