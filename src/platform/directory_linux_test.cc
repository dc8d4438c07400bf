// Directory: names, symlinks, publishing, listing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "platform/file_system.h"
#include "platform/names_linux.h"
#include "platform/publish_linux.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& unsafe_names() {
  static const std::vector<std::string> names = {
      "",   ".",   "..",     "/",         "/x",      "../x",      "a/b",
      "a/", "./a", "a/../b", {"a\0b", 3}, {"\0", 1}, {"..\0", 3}, std::string(256, 'n')};
  return names;
}

TEST(CheckName, RefusesWhatIsNotOneComponent) {
  for (const auto& name : unsafe_names()) {
    const auto checked = check_name(name);
    ASSERT_FALSE(checked.has_value()) << name;
    EXPECT_EQ(checked.error().code, Code::kUnsafeName);
    EXPECT_EQ(checked.error().object, name);
    EXPECT_FALSE(checked.error().detail.empty());
  }
}

TEST(CheckName, TakesAnyOtherBytes) {
  for (const std::string& name :
       {std::string("a"), std::string("..."), std::string("..a"), std::string("-rf"),
        std::string("a\nb"), std::string("\xFF\xFE"), std::string("a\\b"), std::string(255, 'n')}) {
    EXPECT_TRUE(check_name(name).has_value()) << name;
  }
}

TEST(Directory, EveryCallRefusesUnsafeNames) {
  const TestDirectory temp;
  fs::create_directory(temp / "inner");
  temp.write("x", "outside");
  auto opened = temp.open().open_directory("inner");
  ASSERT_TRUE(opened.has_value());
  const Directory& inner = *opened;
  const auto refused = [](const auto& result) {
    return !result.has_value() && result.error().code == Code::kUnsafeName;
  };
  for (const auto& name : unsafe_names()) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(refused(inner.status_of(name)));
    EXPECT_TRUE(refused(inner.open_directory(name)));
    EXPECT_TRUE(refused(inner.open_file(name)));
    EXPECT_TRUE(refused(inner.read_link(name)));
    EXPECT_TRUE(refused(inner.make_directory(name, 0700)));
    EXPECT_TRUE(refused(inner.make_symlink(name, "target")));
    EXPECT_TRUE(refused(inner.set_symlink_modified(name, {})));
    EXPECT_TRUE(refused(inner.open_partial(name)));
    EXPECT_TRUE(refused(inner.publish(name, "good", Replace::kNo)));
    EXPECT_TRUE(refused(inner.publish("good", name, Replace::kYes)));
    EXPECT_TRUE(refused(inner.remove_file(name)));
  }
  EXPECT_TRUE(fs::is_empty(temp / "inner"));
  EXPECT_EQ(temp.read("x"), "outside");
}

TEST(Directory, OpenPathFollowsWhatTheUserNamed) {
  const TestDirectory temp;
  fs::create_directory(temp / "real");
  fs::create_directory_symlink("real", temp / "link");
  EXPECT_TRUE(Directory::open_path(temp / "link").has_value());
  EXPECT_EQ(Directory::open_path(temp / "none").error().code, Code::kNotFound);
  temp.write("file", "");
  EXPECT_EQ(Directory::open_path(temp / "file").error().os_errno, ENOTDIR);
  EXPECT_EQ(Directory::open_path(std::string("/\0x", 3)).error().code, Code::kUnsafeName);
}

// No call goes through a symlink, be it to a directory, to a file, or to nowhere.
class SymlinkInPlace : public ::testing::TestWithParam<const char*> {
 protected:
  SymlinkInPlace() {
    fs::create_directory(temp_ / "outside");
    temp_.write("outside/file", "precious");
    fs::create_directory(temp_ / "in");
    fs::create_symlink(GetParam(), temp_ / "in/name");
    dir_ = std::move(*temp_.open().open_directory("in"));
  }
  ~SymlinkInPlace() override {
    EXPECT_EQ(temp_.read("outside/file"), "precious");
    EXPECT_EQ(std::distance(fs::directory_iterator(temp_ / "outside"), {}), 1);
    EXPECT_FALSE(fs::exists(temp_ / "nowhere"));
  }

  [[nodiscard]] bool is_still_link() const { return fs::is_symlink(temp_ / "in/name"); }

  const TestDirectory temp_;
  Directory dir_{Fd()};
};

TEST_P(SymlinkInPlace, IsNotReadThrough) {
  EXPECT_FALSE(dir_.open_directory("name").has_value());
  EXPECT_EQ(dir_.open_file("name").error().code, Code::kSkippedSpecial);
  EXPECT_EQ(dir_.status_of("name")->type, FileType::kSymlink);
  EXPECT_EQ(*dir_.read_link("name"), GetParam());
}

TEST_P(SymlinkInPlace, IsNotCreatedThrough) {
  EXPECT_EQ(dir_.make_directory("name", 0700).error().code, Code::kExists);
  EXPECT_EQ(dir_.make_symlink("name", "x").error().code, Code::kExists);
  EXPECT_EQ(dir_.open_partial("name").error().code, Code::kUnsafeName);
  EXPECT_TRUE(is_still_link());
}

TEST_P(SymlinkInPlace, IsReplacedAndNeverFollowedByPublish) {
  ASSERT_TRUE(dir_.open_partial("partial").has_value());
  EXPECT_EQ(dir_.publish("partial", "name", Replace::kNo).error().code, Code::kExists);
  EXPECT_TRUE(is_still_link());
  ASSERT_TRUE(dir_.publish("partial", "name", Replace::kYes).has_value());
  EXPECT_EQ(dir_.status_of("name")->type, FileType::kRegular);
}

TEST_P(SymlinkInPlace, GetsItsOwnTimeAndIsRemovedItself) {
  const auto before = fs::last_write_time(temp_ / "outside/file");
  const Timestamp then{.seconds = 1'000'000'000, .nanoseconds = 123'456'789};
  ASSERT_TRUE(dir_.set_symlink_modified("name", then).has_value());
  EXPECT_EQ(dir_.status_of("name")->modified, then);
  EXPECT_EQ(fs::last_write_time(temp_ / "outside/file"), before);
  const Timestamp access{.seconds = 900'000'000, .nanoseconds = 1};
  ASSERT_TRUE(dir_.set_symlink_modified("name", then, access).has_value());
  EXPECT_EQ(dir_.status_of("name")->accessed, access);
  EXPECT_EQ(dir_.status_of("name")->modified, then);
  ASSERT_TRUE(dir_.remove_file("name").has_value());
  EXPECT_FALSE(is_still_link());
}

INSTANTIATE_TEST_SUITE_P(Targets, SymlinkInPlace,
                         ::testing::Values("../outside", "../outside/file", "../nowhere", "/",
                                           "name"));

TEST(Directory, HandleStaysWhenItsNameIsSwappedForASymlink) {
  const TestDirectory temp;
  fs::create_directory(temp / "dest");
  fs::create_directory(temp / "outside");
  const auto dest = temp.open().open_directory("dest");
  ASSERT_TRUE(dest.has_value());
  fs::rename(temp / "dest", temp / "moved");
  fs::create_directory_symlink("outside", temp / "dest");

  ASSERT_TRUE(dest->open_partial("partial").has_value());
  ASSERT_TRUE(dest->publish("partial", "file", Replace::kNo).has_value());
  ASSERT_TRUE(dest->set_mode(0711).has_value());
  EXPECT_TRUE(fs::exists(temp / "moved/file"));
  EXPECT_TRUE(fs::is_empty(temp / "outside"));
  EXPECT_NE(fs::status(temp / "outside").permissions(), fs::perms(0711));
}

TEST(Directory, OpensRegularFilesOnly) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
  fs::create_directory(temp / "dir");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = temp / "socket";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Fd owner(listener);

  for (const char* name : {"pipe", "dir", "socket"}) {  // the pipe must not be waited for
    const auto opened = dir.open_file(name);
    ASSERT_FALSE(opened.has_value()) << name;
    EXPECT_EQ(opened.error().code, Code::kSkippedSpecial) << name;
  }
  EXPECT_EQ(dir.open_file("none").error().code, Code::kNotFound);
  EXPECT_EQ(dir.open_file("none").error().object, "none");
}

TEST(Directory, ReadingAFileLeavesItsAccessTime) {
  const TestDirectory temp;
  const timespec then[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 1},
                            {.tv_sec = 1'500'000'000, .tv_nsec = 0}};
  for (const char* name : {"ours", "control"}) {
    temp.write(name, "data");
    ASSERT_EQ(::utimensat(AT_FDCWD, (temp / name).c_str(), then, 0), 0);
  }
  const auto accessed = [&](const char* name) {
    struct stat status{};
    EXPECT_EQ(::stat((temp / name).c_str(), &status), 0);
    return status.st_atim;
  };
  const auto file = temp.open().open_file("ours");
  ASSERT_TRUE(file.has_value());
  std::array<std::byte, 8> read{};
  ASSERT_EQ(file->read_at(read, 0).value_or(0), 4U);
  EXPECT_EQ(temp.read("control"), "data");
  if (accessed("control").tv_sec == then[0].tv_sec) GTEST_SKIP() << "mounted with noatime";
  EXPECT_EQ(accessed("ours").tv_sec, then[0].tv_sec);
  EXPECT_EQ(accessed("ours").tv_nsec, then[0].tv_nsec);
}

TEST(Directory, MakesADirectoryOnce) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  EXPECT_EQ(*dir.make_directory("d", 0700), true);
  EXPECT_EQ(*dir.make_directory("d", 0755), false);
  EXPECT_EQ(dir.status_of("d")->mode, 0700u);
  temp.write("file", "");
  EXPECT_EQ(dir.make_directory("file", 0700).error().code, Code::kExists);
}

TEST(Directory, SymlinksKeepAnyTarget) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  const std::string longest(kSymlinkTargetMaxBytes, 't');
  for (const std::string& target :
       {std::string("../../etc/passwd"), std::string("\xFF\n"), std::string(3000, 't')}) {
    const std::string name = "link" + std::to_string(target.size());
    ASSERT_TRUE(dir.make_symlink(name, target).has_value());
    EXPECT_EQ(*dir.read_link(name), target);
  }
  EXPECT_EQ(dir.make_symlink("empty", "").error().code, Code::kUnsafeName);
  EXPECT_EQ(dir.make_symlink("nul", std::string("a\0b", 3)).error().code, Code::kUnsafeName);
  EXPECT_EQ(dir.make_symlink("long", longest + "t").error().code, Code::kUnsafeName);
  temp.write("file", "");
  EXPECT_FALSE(dir.read_link("file").has_value());
}

TEST(Directory, PublishNeverReplacesUnlessAsked) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("partial", "new");
  temp.write("name", "old");
  EXPECT_EQ(dir.publish("partial", "name", Replace::kNo).error().code, Code::kExists);
  EXPECT_EQ(temp.read("name"), "old");
  EXPECT_EQ(temp.read("partial"), "new");
  ASSERT_TRUE(dir.publish("partial", "name", Replace::kYes).has_value());
  EXPECT_EQ(temp.read("name"), "new");
  EXPECT_FALSE(fs::exists(temp / "partial"));
  EXPECT_EQ(dir.publish("partial", "name", Replace::kYes).error().code, Code::kNotFound);
}

TEST(Directory, PublishNeverReplacesADirectory) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("partial", "new");
  fs::create_directories(temp / "full/x");
  fs::create_directory(temp / "empty");
  for (const char* name : {"full", "empty"}) {
    EXPECT_EQ(dir.publish("partial", name, Replace::kNo).error().code, Code::kExists);
    EXPECT_EQ(dir.publish("partial", name, Replace::kYes).error().code, Code::kExists);
    EXPECT_TRUE(fs::is_directory(temp / name));
  }
  EXPECT_EQ(temp.read("partial"), "new");
}

TEST(Directory, PublishByLinkDoesTheSameWhereRenameCannot) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("partial", "new");
  temp.write("taken", "old");
  fs::create_symlink("nowhere", temp / "link");
  for (const char* name : {"taken", "link"}) {
    EXPECT_EQ(publish_by_link(dir.descriptor(), "partial", name).error().code, Code::kExists);
  }
  EXPECT_EQ(temp.read("taken"), "old");
  ASSERT_TRUE(publish_by_link(dir.descriptor(), "partial", "name").has_value());
  EXPECT_EQ(temp.read("name"), "new");
  EXPECT_FALSE(fs::exists(temp / "partial"));
}

TEST(Directory, RemovesFilesNeverDirectories) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("file", "");
  fs::create_directory(temp / "dir");
  EXPECT_TRUE(dir.remove_file("file").has_value());
  EXPECT_EQ(dir.remove_file("file").error().code, Code::kNotFound);
  EXPECT_EQ(dir.remove_file("dir").error().code, Code::kLocalIo);
  EXPECT_TRUE(fs::is_directory(temp / "dir"));
}

TEST(Directory, SetsItsOwnModeAndTime) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  const Timestamp then{.seconds = -1, .nanoseconds = 999'999'999};  // just before 1970
  ASSERT_TRUE(dir.set_mode(0750).has_value());
  ASSERT_TRUE(dir.set_modified({.seconds = 1, .nanoseconds = 2}).has_value());
  EXPECT_EQ(dir.status()->mode, 0750u);
  EXPECT_EQ(dir.status()->modified, (Timestamp{.seconds = 1, .nanoseconds = 2}));
  if (dir.set_modified(then).has_value()) {  // not every file system goes back that far
    EXPECT_LE(dir.status()->modified, (Timestamp{.seconds = 1, .nanoseconds = 2}));
  }
  EXPECT_FALSE(dir.set_modified({.seconds = 1, .nanoseconds = UTIME_NOW}).has_value());
  EXPECT_TRUE(dir.sync().has_value());
}

std::vector<std::string> list(const Directory& dir) {
  std::vector<std::string> names;
  auto reader = dir.read();
  EXPECT_TRUE(reader.has_value());
  for (;;) {
    auto entry = reader->next();
    EXPECT_TRUE(entry.has_value());
    if (!entry.has_value() || !entry->has_value()) return names;
    names.emplace_back((*entry)->name);
  }
}

TEST(DirectoryReader, GivesEveryEntryOnce) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  constexpr int kEntries = 5000;  // several buffers
  for (int entry = 0; entry < kEntries; ++entry) {
    temp.write("a-name-long-enough-to-fill-buffers-" + std::to_string(entry), "");
  }
  for (int round = 0; round < 2; ++round) {  // each read begins anew
    const auto names = list(dir);
    EXPECT_EQ(names.size(), static_cast<std::size_t>(kEntries));
    EXPECT_EQ(std::set(names.begin(), names.end()).size(), static_cast<std::size_t>(kEntries));
  }
}

TEST(DirectoryReader, NamesAreBytes) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  const std::set<std::string> names = {"\xFF\xFE", "new\nline", "\x1b[2J",
                                       "...",      " ",         std::string(255, 'n')};
  for (const auto& name : names) {
    ASSERT_TRUE(dir.open_partial("p").has_value());
    ASSERT_TRUE(dir.publish("p", name, Replace::kNo).has_value()) << name;
    EXPECT_TRUE(dir.open_file(name).has_value());
  }
  const auto listed = list(dir);
  EXPECT_EQ(std::set(listed.begin(), listed.end()), names);
}

TEST(DirectoryReader, TellsTypesAsAStatWould) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("file", "");
  fs::create_directory(temp / "dir");
  fs::create_symlink("file", temp / "link");
  ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
  auto reader = dir.read();
  ASSERT_TRUE(reader.has_value());
  int entries = 0;
  for (auto entry = reader->next(); entry.has_value() && entry->has_value();
       entry = reader->next(), ++entries) {
    if (!(*entry)->type) continue;
    EXPECT_EQ((*entry)->type, dir.status_of((*entry)->name)->type) << (*entry)->name;
  }
  EXPECT_EQ(entries, 4);
}

TEST(DirectoryReader, AnEmptyDirectoryHasNoEntries) {
  const TestDirectory temp;
  EXPECT_TRUE(list(temp.open()).empty());
}

}  // namespace
}  // namespace wormhole::platform
