#include "transfer/shares.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "platform/test_directory.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;

class SharesTest : public ::testing::Test {
 protected:
  SharesTest() {
    fs::create_directories(there_ / "photos/2024/may");
    fs::create_directories(there_ / "other");
    there_.write("photos/a.txt", "a");
    there_.write("photos/2024/b.txt", "b");
    there_.write("notes.txt", "notes");
    fs::create_symlink("a.txt", there_ / "photos/link");
    fs::create_directory_symlink("2024", there_ / "photos/year");
  }
  [[nodiscard]] std::string path(std::string_view name) const { return there_ / name; }

  [[nodiscard]] Shares open(const std::vector<std::string>& names) const {
    std::vector<std::string> paths;
    for (const auto& name : names) paths.push_back(path(name));
    auto shares = Shares::open(paths);
    EXPECT_TRUE(shares.has_value());
    return std::move(*shares);
  }
  // What a place is, in a word: "all", "directory NAME at PATH", "single NAME in PATH" or the
  // error's code.
  static std::string found(const Shares& shares, std::string_view asked) {
    const auto place = shares.find(asked);
    if (!place.has_value()) return std::string(code_name(place.error().code));
    if (std::holds_alternative<Shares::All>(*place)) return "all";
    if (const auto* whole = std::get_if<Shares::WholeDirectory>(&*place)) {
      return "directory " + whole->name + " at " + DirectoryTree::path_of(whole->node, "");
    }
    const auto& single = std::get<Shares::Single>(*place);
    return "single " + single.name + " in " + DirectoryTree::path_of(single.directory, "");
  }
  const std::string not_found_ = std::string(code_name(Code::kNotFound));
  const std::string unsafe_ = std::string(code_name(Code::kUnsafeName));

  const TestDirectory there_;
};

TEST_F(SharesTest, AreNamedByTheLastPartOfTheirPath) {
  fs::create_directory_symlink("photos", there_ / "pictures");
  fs::create_symlink("notes.txt", there_ / "todo");
  const struct {
    const char* given;
    const char* name;
    bool is_directory;
  } cases[] = {{"photos", "photos", true},         {"photos/", "photos", true},
               {"photos//", "photos", true},       {"photos/.", "photos", true},
               {"photos/2024/..", "photos", true}, {"other/../photos", "photos", true},
               {"notes.txt", "notes.txt", false},  {"pictures", "pictures", true},
               {"pictures/", "pictures", true},    {"todo", "todo", false}};
  for (const auto& [given, name, is_directory] : cases) {
    const Shares shares = open({given});
    EXPECT_EQ(shares.all().front().name, name) << given;
    EXPECT_EQ(shares.all().front().is_directory, is_directory) << given;
  }
}

TEST_F(SharesTest, TheRootOfTheFileSystemHasAName) {
  const auto shares = Shares::open({"/"});
  ASSERT_TRUE(shares.has_value());
  EXPECT_EQ(shares->all().front().name, "root");
}

TEST_F(SharesTest, ALinkTheUserNamedIsFollowedOnce) {
  fs::create_directory_symlink("photos", there_ / "pictures");
  fs::create_symlink("notes.txt", there_ / "todo");
  const Shares shares = open({"pictures", "todo"});
  EXPECT_EQ(found(shares, "pictures/a.txt"), "single a.txt in ");
  EXPECT_EQ(found(shares, "todo"), "single notes.txt in ");
}

TEST_F(SharesTest, EqualLastNamesAreRefused) {
  fs::create_directories(there_ / "other/photos");
  for (const auto& second : {path("other/photos"), path("photos"), path("photos/")}) {
    const auto shares = Shares::open({path("photos"), second});
    ASSERT_FALSE(shares.has_value()) << second;
    EXPECT_EQ(shares.error().code, Code::kUsage);
    EXPECT_EQ(shares.error().object, second);
  }
}

TEST_F(SharesTest, WhatIsNotThereOrNoFileIsRefused) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  fs::create_symlink("nowhere", there_ / "dangling");
  const std::pair<std::string, Code> cases[] = {{path("missing"), Code::kNotFound},
                                                {path("dangling"), Code::kNotFound},
                                                {path("pipe"), Code::kSkippedSpecial},
                                                {"/dev/null", Code::kSkippedSpecial}};
  for (const auto& [given, code] : cases) {
    const auto shares = Shares::open({given});
    ASSERT_FALSE(shares.has_value()) << given;
    EXPECT_EQ(shares.error().code, code) << given;
  }
  EXPECT_FALSE(Shares::open({""}).has_value());
}

TEST_F(SharesTest, OneDirectoryIsAskedForByWhatIsInIt) {
  const Shares shares = open({"photos"});
  EXPECT_EQ(found(shares, ""), "directory photos at ");
  for (const char* root : {"/", ".", "./", "//", "/./"}) {
    EXPECT_EQ(found(shares, root), "directory photos at ") << root;
  }
  EXPECT_EQ(found(shares, "2024"), "directory 2024 at 2024");
  for (const char* same : {"2024/may", "2024/may/", "/2024//may", "./2024/./may//"}) {
    EXPECT_EQ(found(shares, same), "directory may at 2024/may") << same;
  }
  EXPECT_EQ(found(shares, "a.txt"), "single a.txt in ");
  EXPECT_EQ(found(shares, "2024/b.txt"), "single b.txt in 2024");
  EXPECT_EQ(found(shares, "photos"), not_found_);
  EXPECT_EQ(found(shares, "2024/missing"), not_found_);
  EXPECT_EQ(found(shares, "a.txt/x"), not_found_);
}

TEST_F(SharesTest, SymlinksBelowAShareAreNeverFollowed) {
  const Shares shares = open({"photos"});
  EXPECT_EQ(found(shares, "link"), "single link in ");
  EXPECT_EQ(found(shares, "year"), "single year in ");
  EXPECT_EQ(found(shares, "year/b.txt"), not_found_);
}

TEST_F(SharesTest, SeveralAreAskedForByTheirNames) {
  const Shares shares = open({"photos", "notes.txt"});
  EXPECT_EQ(found(shares, ""), "all");
  EXPECT_EQ(found(shares, "/"), "all");
  EXPECT_EQ(found(shares, "photos"), "directory photos at ");
  EXPECT_EQ(found(shares, "photos/2024/"), "directory 2024 at 2024");
  EXPECT_EQ(found(shares, "photos/a.txt"), "single a.txt in ");
  EXPECT_EQ(found(shares, "notes.txt"), "single notes.txt in ");
  EXPECT_EQ(found(shares, "notes.txt/x"), not_found_);
  EXPECT_EQ(found(shares, "other"), not_found_);
  EXPECT_EQ(found(shares, "a.txt"), not_found_);
}

TEST_F(SharesTest, OneFileIsEverythingAndItsName) {
  const Shares shares = open({"notes.txt"});
  EXPECT_EQ(found(shares, ""), "single notes.txt in ");
  EXPECT_EQ(found(shares, "notes.txt"), "single notes.txt in ");
  EXPECT_EQ(found(shares, "photos"), not_found_);
}

TEST_F(SharesTest, NothingLeadsOut) {
  for (const Shares& shares : {open({"photos"}), open({"photos", "notes.txt"})}) {
    for (const char* out :
         {"..", "../other", "2024/../..", "photos/../other", "photos/..", "photos/2024/.."}) {
      EXPECT_EQ(found(shares, out), unsafe_) << out;
    }
    EXPECT_EQ(found(shares, std::string_view("a\0b", 3)), unsafe_);
    EXPECT_EQ(found(shares, std::string(300, 'x')), unsafe_);
  }
}

TEST_F(SharesTest, NoSharesHoldNothing) {
  const auto shares = Shares::open({});
  ASSERT_TRUE(shares.has_value());
  EXPECT_EQ(found(*shares, "x"), not_found_);
}

}  // namespace
}  // namespace wormhole::transfer
