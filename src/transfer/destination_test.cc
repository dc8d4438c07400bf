#include "transfer/destination.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "platform/test_directory.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;
using wire::Entry;
using wire::EntryType;

// Every test stands in a directory of its own.
class DestinationTest : public ::testing::Test {
 protected:
  DestinationTest() : before_(fs::current_path()) { fs::current_path(here_.path()); }
  ~DestinationTest() override { fs::current_path(before_); }

  static Entry root(EntryType type, std::string name) {
    Entry entry;
    entry.type = type;
    entry.parent = wire::kNoEntry;
    entry.name = std::move(name);
    return entry;
  }
  static Entry directory(std::string name) { return root(EntryType::kDirectory, std::move(name)); }
  static Entry file(std::string name) { return root(EntryType::kRegular, std::move(name)); }

  // The root goes below `where` (relative to here), as `name` if it is a file.
  void expect_placed(std::optional<std::string> given, const Entry& entry, const std::string& where,
                     const std::string& name, bool made, const std::string& shown) {
    const auto placed = place_root({std::move(given)}, entry);
    ASSERT_TRUE(placed.has_value()) << to_sentence(placed.error());
    const auto there = platform::Directory::open_path(here_ / where);
    ASSERT_TRUE(there.has_value()) << where;
    EXPECT_EQ(placed->directory.status()->inode, there->status()->inode) << where;
    EXPECT_EQ(placed->name, name);
    EXPECT_EQ(placed->made, made);
    EXPECT_EQ(placed->shown, shown);
  }
  static void expect_refused(std::optional<std::string> given, const Entry& entry, Code code) {
    const auto placed = place_root({std::move(given)}, entry);
    ASSERT_FALSE(placed.has_value());
    EXPECT_EQ(placed.error().code, code) << to_sentence(placed.error());
  }
  [[nodiscard]] std::size_t entries_here() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(here_.path()), fs::directory_iterator()));
  }

  const TestDirectory here_;
  const fs::path before_;
};

TEST_F(DestinationTest, ADirectorysContentsGoIntoDest) {
  expect_placed("new", directory("photos"), "new", "", true, "new");
  expect_placed("new", directory("photos"), "new", "", false, "new");
  expect_placed("a/b/c/", directory("photos"), "a/b/c", "", true, "a/b/c/");
  expect_placed(here_ / "absolute", directory("photos"), "absolute", "", true, here_ / "absolute");
  expect_placed(".", directory("photos"), ".", "", false, ".");
}

TEST_F(DestinationTest, SeveralSharesGoIntoDestLikewise) {
  expect_placed("new", directory(""), "new", "", true, "new");
  expect_placed("new", directory(""), "new", "", false, "new");
}

TEST_F(DestinationTest, WithoutDestTheNameIsItsOwnHere) {
  expect_placed(std::nullopt, directory("photos"), "photos", "", true, "./photos");
  expect_placed(std::nullopt, directory("photos"), "photos", "", false, "./photos");
  expect_placed(std::nullopt, file("a.txt"), ".", "a.txt", false, "./a.txt");
  expect_placed(std::nullopt, directory(""), ".", "", false, ".");
}

TEST_F(DestinationTest, AFileGoesIntoADirectoryOrBecomesDest) {
  fs::create_directory("there");
  expect_placed("there", file("a.txt"), "there", "a.txt", false, "there/a.txt");
  expect_placed("there/", file("a.txt"), "there", "a.txt", false, "there/a.txt");
  expect_placed("made/", file("a.txt"), "made", "a.txt", true, "made/a.txt");
  expect_placed("b.txt", file("a.txt"), ".", "b.txt", false, "b.txt");
  expect_placed("x/y/b.txt", file("a.txt"), "x/y", "b.txt", true, "x/y/b.txt");
  expect_placed(here_ / "z.txt", file("a.txt"), ".", "z.txt", false, here_ / "z.txt");
  fs::create_directory_symlink("there", "to");
  expect_placed("to", file("a.txt"), "there", "a.txt", false, "to/a.txt");
  expect_placed("to", directory("photos"), "there", "", false, "to");
}

TEST_F(DestinationTest, ASymlinkGoesWhereAFileWould) {
  expect_placed("l", root(EntryType::kSymlink, "link"), ".", "l", false, "l");
  expect_placed(std::nullopt, root(EntryType::kSymlink, "link"), ".", "link", false, "./link");
}

TEST_F(DestinationTest, AFileWhereADirectoryIsNeededIsNotTouched) {
  here_.write("taken", "mine");
  expect_refused("taken", directory("photos"), Code::kExists);
  expect_refused("taken", directory(""), Code::kExists);
  expect_refused("taken/below", directory("photos"), Code::kLocalIo);
  EXPECT_FALSE(place_root({"taken/"}, file("a.txt")).has_value());
  here_.write("photos", "mine");
  expect_refused(std::nullopt, directory("photos"), Code::kExists);
  EXPECT_EQ(here_.read("taken"), "mine");
  EXPECT_EQ(here_.read("photos"), "mine");
}

// What the host named lands where the user stands: it must not lead elsewhere.
TEST_F(DestinationTest, WithoutDestASymlinkOfThatNameIsNotFollowed) {
  const TestDirectory elsewhere;
  fs::create_directory_symlink(elsewhere.path(), "photos");
  EXPECT_FALSE(place_root({}, directory("photos")).has_value());
}

// What was fetched before may have left one there.
TEST_F(DestinationTest, OfSeveralNoneGoesThroughASymlinkOfItsName) {
  fs::create_directories(here_ / "elsewhere");
  fs::create_directories(here_ / "dest/there");
  fs::create_directory_symlink(here_ / "elsewhere", here_ / "dest/link");
  const auto place = [](const std::string& name, const Entry& entry) {
    return place_root({.path = "dest", .name = name}, entry, /*name_was_typed=*/true);
  };
  EXPECT_FALSE(place("link", directory("link")).has_value());
  EXPECT_TRUE(fs::is_empty(here_ / "elsewhere"));
  // A file replaces the link, or is refused: it does not go into what the link leads to.
  const auto as_file = place("link", file("link"));
  ASSERT_TRUE(as_file.has_value());
  EXPECT_EQ(as_file->name, "link");
  EXPECT_EQ(as_file->shown, "dest/link");
  const auto there = place("there", directory("there"));
  ASSERT_TRUE(there.has_value());
  EXPECT_FALSE(there->made);
  const auto fresh = place("new", directory("new"));
  ASSERT_TRUE(fresh.has_value());
  EXPECT_TRUE(fresh->made && fs::is_directory(here_ / "dest/new"));
  EXPECT_FALSE(may_have({.path = "dest", .name = "missing"}, "missing"));
  fs::remove_all(here_ / "dest");
  EXPECT_TRUE(place("new", directory("new")).has_value()) << "and the directory of all of them";
}

TEST_F(DestinationTest, HiddenNamesNeedADest) {
  for (const Entry& entry : {directory(".ssh"), file(".bashrc"), root(EntryType::kSymlink, ".x")}) {
    expect_refused(std::nullopt, entry, Code::kUnsafeName);
  }
  EXPECT_EQ(entries_here(), 0U);
  expect_placed("d", directory(".ssh"), "d", "", true, "d");
  expect_placed("d", file(".bashrc"), "d", ".bashrc", false, "d/.bashrc");
}

TEST_F(DestinationTest, UnusableNamesAreRefusedBeforeAnythingIsMade) {
  const std::string names[] = {
      "..", ".", "a/b", "/etc", "../x", std::string("a\0b", 3), std::string(256, 'n')};
  for (const std::string& name : names) {
    for (const auto& given : {std::optional<std::string>(), std::optional<std::string>("new"),
                              std::optional<std::string>("new/")}) {
      expect_refused(given, directory(name), Code::kUnsafeName);
      expect_refused(given, file(name), Code::kUnsafeName);
    }
  }
  expect_refused("new", file(""), Code::kUnsafeName);
  expect_refused(std::nullopt, root(EntryType::kSymlink, ""), Code::kUnsafeName);
  EXPECT_EQ(entries_here(), 0U);
}

TEST_F(DestinationTest, MayHaveLooksWhereTheRequestWouldGo) {
  EXPECT_FALSE(may_have({"missing"}, "photos"));
  EXPECT_FALSE(may_have({"missing/"}, ""));
  fs::create_directory("empty");
  EXPECT_FALSE(may_have({"empty"}, "photos"));
  fs::create_directory("full");
  here_.write("full/f", "x");
  EXPECT_TRUE(may_have({"full"}, "photos"));
  EXPECT_TRUE(may_have({"full/"}, ""));
  here_.write("file", "x");
  EXPECT_TRUE(may_have({"file"}, "photos"));
  fs::create_symlink("nowhere", "dangling");
  EXPECT_TRUE(may_have({"dangling"}, "photos"));
  fs::create_directory_symlink("full", "to");
  EXPECT_TRUE(may_have({"to"}, ""));

  EXPECT_TRUE(may_have({}, "")) << "what the host will name is not known";
  EXPECT_FALSE(may_have({}, "missing"));
  EXPECT_TRUE(may_have({}, "file"));
  EXPECT_FALSE(may_have({}, "empty"));
}

}  // namespace
}  // namespace wormhole::transfer
