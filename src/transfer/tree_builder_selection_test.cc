// Which of what a host announces is taken, and which of what is there is touched.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "transfer/tree_builder_testing.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using wire::Entry;

// A host that does not go by what it was asked would have us take what the user does not want.
TEST_F(TreeBuilderTest, WhatWasExcludedIsNotTakenFromAHost) {
  const wire::Selection selection{.rules = {{true, "no*"}, {true, "d/x"}, {true, "only/"}},
                                  .size_max_bytes = 3};
  const std::vector<std::vector<Entry>> attacks = {
      {root(), file("no", 0)},           {root(), link("nothing", 0, "a")},
      {root(), directory("nowhere", 0)}, {root(), directory("d", 0), file("x", 1)},
      {root(), directory("only", 0)},    {root(), file("long", 0, 4)},
  };
  for (const auto& attack : attacks) {
    begin_with({.selection = selection});
    next_ = 0;
    expect_protocol(try_announce(attack));
  }
  begin_with({.selection = selection});
  next_ = 0;
  announce({root(), file("only", 0), directory("d", 0), file("y", 2), end(2), end(0)});
  data(1, "abc");
  data(3, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("d/y"), "abc");
}

TEST_F(TreeBuilderTest, ASingleFileComesWhateverIsExcluded) {
  begin_with({.requested_name = "no", .selection = {.rules = {{true, "*"}}, .size_max_bytes = 1}});
  announce({file("no", wire::kNoEntry)});
  data(0, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
}

TEST_F(TreeBuilderTest, NewerOnesAreLeftAndOlderOnesReplaced) {
  fs::create_directories(at("."));
  there_.write("dest/newer", "mine");
  there_.write("dest/older", "mine");
  fs::create_symlink("x", at("link"));
  fs::last_write_time(at("older"),
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 9000));
  begin_with(
      {.overwrite = true, .leaves = Leaves::kNewer, .started = {INT64_MAX, 0}, .may_have = true});
  announce({root(), file("newer", 0), file("older", 0), file("new", 0), end(0)});
  EXPECT_EQ(wanted_.whole, (std::vector<std::uint64_t>{2, 3}));
  data(2, "abc");
  data(3, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("newer"), "mine");
  EXPECT_EQ(read("older"), "abc");
  EXPECT_EQ(counters_.left_files, 1U);
  EXPECT_EQ(counters_.left_bytes, 3U);
  EXPECT_TRUE(events_.failed.empty());
}

TEST_F(TreeBuilderTest, WhatIsThereIsLeftWhereAllOfItIs) {
  fs::create_directories(at("directory"));
  there_.write("dest/file", "mine");
  there_.write("dest/link", "mine");
  begin_with({.leaves = Leaves::kAll, .may_have = true});
  announce({root(), file("file", 0), link("link", 0, "target"), file("directory", 0),
            file("new", 0), end(0)});
  EXPECT_EQ(wanted_.whole, std::vector<std::uint64_t>{4});
  data(4, "abc");
  listed();
  EXPECT_TRUE(tree_->is_complete());
  EXPECT_EQ(read("file"), "mine");
  EXPECT_EQ(read("link"), "mine");
  EXPECT_EQ(counters_.left_files, 2U) << "of files; a symlink is none";
  EXPECT_TRUE(events_.failed.empty());
}

}  // namespace
}  // namespace wormhole::transfer
