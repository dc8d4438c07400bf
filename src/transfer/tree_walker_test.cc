#include "transfer/tree_walker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "platform/test_directory.h"
#include "store/hash.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;
using wire::Entry;
using wire::EntryType;

// Root may read everything: what is unreadable is seen as somebody else.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) { EXPECT_TRUE(!was_root_ || ::seteuid(65534) == 0); }
  ~AsNobody() { EXPECT_TRUE(!was_root_ || ::seteuid(0) == 0); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  const bool was_root_;
};

class Recorder final : public WalkSink {
 public:
  std::optional<std::uint64_t> on_entry(Entry entry, std::optional<FoundFile> file) override {
    if (on_each) on_each(entry);
    if (entries.size() == stop_at) return std::nullopt;
    EXPECT_EQ(file.has_value(), entry.type == EntryType::kRegular);
    if (file.has_value()) {
      EXPECT_EQ(file->status.size_bytes, entry.size);
      const auto handle = file->tree->open(file->directory);
      EXPECT_TRUE(handle.has_value() && (*handle)->open_file(file->name).has_value())
          << "where the data is read";
      files.push_back(entries.size());
    }
    entries.push_back(std::move(entry));
    return entries.size() - 1;
  }
  [[nodiscard]] bool is_over() const override { return over; }
  void on_unreadable(std::uint64_t parent, std::string name, const Error& error) override {
    unreadable[path_of(parent, name)] = error.code;
  }

  [[nodiscard]] std::string path_of(std::uint64_t parent, const std::string& name) const {
    if (parent == wire::kNoEntry) return name;
    const Entry& above = entries.at(parent);
    return path_of(above.parent, above.name) + "/" + name;
  }
  // Sorted paths, "/" behind directories, "@" behind symlinks.
  [[nodiscard]] std::set<std::string> paths() const {
    std::set<std::string> all;
    for (const Entry& entry : entries) {
      if (entry.type == EntryType::kDirectoryEnd) continue;
      const char* mark = entry.type == EntryType::kDirectory ? "/"
                         : entry.type == EntryType::kSymlink ? "@"
                                                             : "";
      EXPECT_TRUE(all.insert(path_of(entry.parent, entry.name) + mark).second);
    }
    return all;
  }

  std::function<void(const Entry&)> on_each;
  bool over = false;
  std::size_t stop_at = SIZE_MAX;
  std::vector<Entry> entries;
  std::vector<std::uint64_t> files;
  std::map<std::string, Code> unreadable;
};

// Parents first; a directory's files before its subdirectories (shared paths stand in the order
// they were given); each directory ends once, after everything in it and innermost first.
void expect_buildable(const std::vector<Entry>& entries) {
  std::vector<std::uint64_t> open;
  std::set<std::uint64_t> had_subdirectory;
  for (std::uint64_t id = 0; id < entries.size(); ++id) {
    const Entry& entry = entries[id];
    if (entry.type == EntryType::kDirectoryEnd) {
      ASSERT_FALSE(open.empty()) << id;
      EXPECT_EQ(entry.parent, open.back()) << id;
      open.pop_back();
      continue;
    }
    EXPECT_EQ(entry.parent, id == 0 ? wire::kNoEntry : open.empty() ? id : open.back()) << id;
    if (entry.type == EntryType::kDirectory) {
      const bool has_order = id > 0 && !entries[entry.parent].name.empty();
      // One that is empty, or shown without what is in it, may stand anywhere.
      if (has_order && entries.at(id + 1).type != EntryType::kDirectoryEnd) {
        had_subdirectory.insert(entry.parent);
      }
      open.push_back(id);
    } else {
      EXPECT_FALSE(had_subdirectory.contains(entry.parent)) << "a file behind a subdirectory";
    }
  }
  EXPECT_TRUE(open.empty()) << "a directory did not end";
}

using Paths = std::set<std::string>;

class TreeWalkerTest : public ::testing::Test {
 protected:
  TreeWalkerTest() {
    fs::create_directories(there_ / "top/sub/deep");
    fs::create_directories(there_ / "top/empty");
    there_.write("top/a", "abc");
    there_.write("top/b", "");
    there_.write("top/sub/c", "c");
    there_.write("top/sub/deep/d", "dd");
    fs::create_symlink("../elsewhere", there_ / "top/link");
    there_.write("single", "12345");
    fs::permissions(there_.path(), fs::perms(0755));
  }

  [[nodiscard]] Shares open(const std::vector<std::string>& names) const {
    std::vector<std::string> paths;
    for (const auto& name : names) paths.push_back(there_ / name);
    auto shares = Shares::open(paths);
    EXPECT_TRUE(shares.has_value());
    return std::move(*shares);
  }
  Recorder walked(const Shares& shares, std::string_view path = "", bool recursive = true,
                  const wire::Selection& selection = {}) {
    Recorder recorder;
    const Selector selector = Selector::compile(selection).value();
    const auto place = shares.find(path);
    EXPECT_TRUE(place.has_value() && walk(shares, *place, recursive, selector, recorder));
    expect_buildable(recorder.entries);
    return recorder;
  }

  const TestDirectory there_;
};

TEST_F(TreeWalkerTest, OneDirectoryInTheOrderItCanBeBuilt) {
  const Recorder all = walked(open({"top"}));
  EXPECT_EQ(all.paths(), (Paths{"top/", "top/a", "top/b", "top/empty/", "top/link@", "top/sub/",
                                "top/sub/c", "top/sub/deep/", "top/sub/deep/d"}));
  EXPECT_EQ(all.files.size(), 4U);
  EXPECT_TRUE(all.unreadable.empty());
}

TEST_F(TreeWalkerTest, EntriesSayWhatTheFileSystemSays) {
  fs::permissions(there_ / "top/a", fs::perms(04751));
  const timespec times[2] = {{-5, 1}, {-5, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (there_ / "top/a").c_str(), times, 0), 0);
  fs::resize_file(there_ / "top/sub/c", 1 << 20);
  const Recorder all = walked(open({"top"}));
  for (const Entry& entry : all.entries) {
    if (entry.name == "a") {
      EXPECT_EQ(entry.type, EntryType::kRegular);
      EXPECT_EQ(entry.size, 3U);
      EXPECT_EQ(entry.mode, 04751);
      EXPECT_EQ(entry.mtime_seconds, -5);
      EXPECT_EQ(entry.mtime_nanoseconds, 123'456'789U);
      EXPECT_FALSE(entry.sparse);
    } else if (entry.name == "c") {
      EXPECT_EQ(entry.size, 1U << 20);
      EXPECT_TRUE(entry.sparse);
    } else if (entry.name == "link") {
      EXPECT_EQ(entry.target, "../elsewhere");
      EXPECT_EQ(entry.size, 0U);
    }
  }
}

TEST_F(TreeWalkerTest, BelowASharePartsAreTheRoot) {
  const Shares shares = open({"top"});
  EXPECT_EQ(walked(shares, "sub").paths(), (Paths{"sub/", "sub/c", "sub/deep/", "sub/deep/d"}));
  EXPECT_EQ(walked(shares, "sub/c").paths(), Paths{"c"});
  EXPECT_EQ(walked(shares, "link").paths(), Paths{"link@"});
}

TEST_F(TreeWalkerTest, SeveralSharesStandUnderARootWithoutAName) {
  fs::create_symlink("single", there_ / "named");
  const Recorder all = walked(open({"top", "named"}));
  EXPECT_EQ(all.entries.front().name, "");
  EXPECT_EQ(all.entries.front().parent, wire::kNoEntry);
  const Paths paths = all.paths();
  EXPECT_TRUE(paths.contains("/top/sub/deep/d"));
  EXPECT_TRUE(paths.contains("/named")) << "by the share's name, not the file's";
  EXPECT_EQ(walked(open({"top", "single"}), "single").paths(), Paths{"single"});
  EXPECT_EQ(walked(open({"named"})).paths(), Paths{"named"});
}

TEST_F(TreeWalkerTest, NotRecursiveShowsOneLevel) {
  EXPECT_EQ(walked(open({"top"}), "", false).paths(),
            (Paths{"top/", "top/a", "top/b", "top/empty/", "top/link@", "top/sub/"}));
  EXPECT_EQ(walked(open({"top", "single"}), "", false).paths(), (Paths{"/", "/single", "/top/"}));
  EXPECT_EQ(walked(open({"single"}), "", false).paths(), Paths{"single"});
}

wire::Selection excluding(std::vector<std::string> patterns) {
  wire::Selection selection;
  for (std::string& pattern : patterns) selection.rules.push_back({true, std::move(pattern)});
  return selection;
}

TEST_F(TreeWalkerTest, WhatIsExcludedIsPassedOver) {
  const Shares shares = open({"top"});
  EXPECT_EQ(walked(shares, "", true, excluding({"sub/", "/a"})).paths(),
            (Paths{"top/", "top/b", "top/empty/", "top/link@"}));
  EXPECT_EQ(walked(shares, "", true, excluding({"link", "deep/*", "empty"})).paths(),
            (Paths{"top/", "top/a", "top/b", "top/sub/", "top/sub/c", "top/sub/deep/"}));
  EXPECT_EQ(walked(shares, "", true, excluding({"top", "/top"})).paths().size(), 9U)
      << "what was asked for is not below itself";
  EXPECT_EQ(walked(shares, "sub", true, excluding({"/c"})).paths(),
            (Paths{"sub/", "sub/deep/", "sub/deep/d"}))
      << "the top is what was asked for";
  EXPECT_EQ(walked(shares, "sub/c", true, excluding({"c", "*"})).paths(), Paths{"c"})
      << "and what was asked for by name comes";
  EXPECT_EQ(walked(shares, "", false, excluding({"sub/", "b"})).paths(),
            (Paths{"top/", "top/a", "top/empty/", "top/link@"}));
}

TEST_F(TreeWalkerTest, TheFirstRuleThatFitsDecides) {
  wire::Selection selection{.rules = {{false, "*/"}, {false, "c"}, {true, "*"}}};
  EXPECT_EQ(walked(open({"top"}), "", true, selection).paths(),
            (Paths{"top/", "top/empty/", "top/sub/", "top/sub/c", "top/sub/deep/"}));
}

TEST_F(TreeWalkerTest, SharesAreBelowTheRootOfAll) {
  EXPECT_EQ(walked(open({"top", "single"}), "", true, excluding({"/top/sub", "/single"})).paths(),
            (Paths{"/", "/top/", "/top/a", "/top/b", "/top/empty/", "/top/link@"}));
  EXPECT_EQ(walked(open({"top", "single"}), "", true, excluding({"top/"})).paths(),
            (Paths{"/", "/single"}));
}

// A directory that is not meant is not even looked into: it costs nothing, and what is wrong in it
// is nobody's matter.
TEST_F(TreeWalkerTest, AnExcludedDirectoryIsNotOpened) {
  fs::permissions(there_ / "top/sub", fs::perms(0));
  const Shares shares = open({"top"});
  Recorder all;
  {
    const AsNobody nobody;
    const Selector selector = Selector::compile(excluding({"sub"})).value();
    EXPECT_TRUE(walk(shares, shares.find("").value(), true, selector, all));
  }
  fs::permissions(there_ / "top/sub", fs::perms(0755));
  EXPECT_TRUE(all.unreadable.empty());
}

TEST_F(TreeWalkerTest, LongerFilesThanAskedForArePassedOver) {
  EXPECT_EQ(walked(open({"top"}), "", true, {.size_max_bytes = 2}).paths(),
            (Paths{"top/", "top/b", "top/empty/", "top/link@", "top/sub/", "top/sub/c",
                   "top/sub/deep/", "top/sub/deep/d"}));
  EXPECT_EQ(walked(open({"single"}), "", true, {.size_max_bytes = 2}).paths(), Paths{"single"});
  EXPECT_EQ(
      walked(open({"single", "top"}), "", true, {.size_max_bytes = 2}).paths().count("/single"),
      0U);
}

TEST_F(TreeWalkerTest, IgnoreFilesAreHonouredOnRequest) {
  // With what some editors put in front of UTF-8: Git passes over that.
  there_.write("top/.gitignore", "\xEF\xBB\xBF/a\nd\ndeep/\n*.tmp\n");
  there_.write("top/sub/.gitignore", "!deep/\n!d\nc\n");
  there_.write("top/sub/x.tmp", "");
  there_.write("top/empty/c", "not ignored here");
  const Shares shares = open({"top"});
  EXPECT_TRUE(walked(shares).paths().contains("top/a"));
  EXPECT_EQ(walked(shares, "", true, {.honours_ignore_files = true}).paths(),
            (Paths{"top/", "top/.gitignore", "top/b", "top/empty/", "top/empty/c", "top/link@",
                   "top/sub/", "top/sub/.gitignore", "top/sub/deep/", "top/sub/deep/d"}));
}

TEST_F(TreeWalkerTest, AnIgnoreFileThatCannotBeUsedIsNamed) {
  fs::create_symlink("/etc/passwd", there_ / "top/sub/.gitignore");
  there_.write("top/.gitignore", std::string(300'000, 'x'));
  const Recorder all = walked(open({"top"}), "", true, {.honours_ignore_files = true});
  EXPECT_EQ(all.unreadable.size(), 2U);
  EXPECT_EQ(all.unreadable.at("top/.gitignore"), Code::kLimit);
  EXPECT_TRUE(all.paths().contains("top/sub/deep/d")) << "the rest arrives";
}

TEST_F(TreeWalkerTest, SpecialsAndUnfinishedDownloadsArePassedOverAndNamed) {
  const std::string partial = store::partial_name("movie");
  ASSERT_EQ(::mkfifo((there_ / "top/pipe").c_str(), 0600), 0);
  there_.write("top/" + partial, "half");
  const Recorder all = walked(open({"top"}));
  EXPECT_EQ(all.unreadable,
            (std::map<std::string, Code>{{"top/pipe", Code::kSkippedSpecial},
                                         {"top/" + partial, Code::kSkippedSpecial}}));
  EXPECT_TRUE(all.paths().contains("top/sub/deep/d")) << "the rest arrives";
}

TEST_F(TreeWalkerTest, WhatCannotBeReadIsNamedAndTheRestArrives) {
  fs::permissions(there_ / "top/sub", fs::perms(0));
  const Shares shares = open({"top"});
  Recorder all;
  {
    const AsNobody nobody;
    EXPECT_TRUE(walk(shares, shares.find("").value(), true, {}, all));
  }
  fs::permissions(there_ / "top/sub", fs::perms(0755));
  expect_buildable(all.entries);
  EXPECT_EQ(all.unreadable, (std::map<std::string, Code>{{"top/sub", Code::kLocalIo}}));
  EXPECT_TRUE(all.paths().contains("top/a"));
  EXPECT_TRUE(all.paths().contains("top/empty/"));
  EXPECT_FALSE(all.paths().contains("top/sub/"));
}

TEST_F(TreeWalkerTest, ARootThatCannotBeReadIsNamedUnderNoEntry) {
  const Shares shares = open({"top"});
  const auto place = shares.find("sub");
  fs::remove_all(there_ / "top/sub");
  Recorder all;
  EXPECT_TRUE(walk(shares, *place, true, {}, all));
  EXPECT_TRUE(all.entries.empty());
  EXPECT_EQ(all.unreadable, (std::map<std::string, Code>{{"sub", Code::kNotFound}}));
}

// Each is swapped after its parent's entries were read, before it is entered itself.
TEST_F(TreeWalkerTest, ADirectoryReplacedMeanwhileIsNotFollowed) {
  const TestDirectory secret;
  secret.write("password", "x");
  const std::function<void()> swaps[] = {
      [&] { fs::create_directory_symlink(secret.path(), there_ / "top/sub"); },
      [&] { there_.write("top/sub", "a file now"); }, [] {},  // gone
  };
  for (const auto& swap : swaps) {
    fs::create_directories(there_ / "top/sub");
    const Shares shares = open({"top"});
    Recorder all;
    bool swapped = false;
    all.on_each = [&](const Entry& entry) {
      if (swapped || entry.name != "a") return;
      swapped = true;
      fs::remove_all(there_ / "top/sub");
      swap();
    };
    EXPECT_TRUE(walk(shares, shares.find("").value(), true, {}, all));
    EXPECT_TRUE(swapped);
    expect_buildable(all.entries);
    for (const std::string& path : all.paths()) {
      EXPECT_EQ(path.find("password"), std::string::npos);
      EXPECT_NE(path, "top/sub/");
    }
    fs::remove(there_ / "top/sub");
  }
}

// Where all is passed over the sink hears of nothing, and could not stop it.
TEST_F(TreeWalkerTest, StopsWhereNothingIsTakenAndNobodyWantsMore) {
  const Shares shares = open({"top"});
  const Selector selector = Selector::compile(excluding({"*"})).value();
  Recorder recorder;
  recorder.over = true;
  EXPECT_FALSE(walk(shares, shares.find("").value(), true, selector, recorder));
}

TEST_F(TreeWalkerTest, StopsWhereTheSinkSaysSo) {
  const Shares shares = open({"top", "single"});
  const std::size_t all = walked(shares).entries.size();
  for (std::size_t stop = 0; stop < all; ++stop) {
    Recorder recorder;
    recorder.stop_at = stop;
    EXPECT_FALSE(walk(shares, shares.find("").value(), true, {}, recorder));
    EXPECT_EQ(recorder.entries.size(), stop);
  }
}

TEST_F(TreeWalkerTest, DeepTreesEndAtTheLimit) {
  constexpr std::size_t kDeep = 2000;
  DirectoryTree tree(there_.open());
  NodePtr at = DirectoryTree::child(tree.root(), "top");
  for (std::size_t level = 0; level < kDeep; ++level) {
    ASSERT_TRUE(tree.open(at).value()->make_directory("d", 0755).has_value());
    at = DirectoryTree::child(at, "d");
  }
  const Recorder all = walked(open({"top"}));
  EXPECT_EQ(std::ranges::count(all.entries, "d", &Entry::name), kDeep + 1);  // top/sub/deep/d too
}

}  // namespace
}  // namespace wormhole::transfer
