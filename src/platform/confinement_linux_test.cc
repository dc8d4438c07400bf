#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "platform/confinement.h"
#include "platform/fd.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

namespace fs = std::filesystem;

long landlock_version() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int open_error(const fs::path& path, int flags) {
  const Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return file.get() < 0 ? errno : 0;
}

class ConfinementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"read", "written", "other"}) fs::create_directory(box_ / name);
    box_.write("read/file", "r");
    box_.write("written/file", "w");
    box_.write("other/file", "o");
  }
  // In a thread of its own: this one must be able to remove what it made.
  template <typename Try>
  void confined(const Confinement& to, const Try& attempt) {
    bool is_confined = false;
    std::thread([&] {
      const auto done = confine(to);
      ASSERT_TRUE(done.has_value()) << done.error().os_errno;
      is_confined = *done;
      if (is_confined) attempt();
    }).join();
    if (!is_confined) GTEST_SKIP() << "this kernel has no landlock";
  }
  [[nodiscard]] std::string at(const char* name) const { return (box_.path() / name).string(); }

  const TestDirectory box_;
};

TEST_F(ConfinementTest, OnlyWhatIsNamedCanBeRead) {
  const std::string outside = at("other/file");
  fs::create_symlink(outside, at("read/link"));
  confined({.written = {}, .read = {{at("read"), at("gone")}}}, [&] {
    EXPECT_EQ(open_error(at("read/file"), O_RDONLY), 0);
    EXPECT_EQ(open_error(at("read"), O_RDONLY | O_DIRECTORY), 0);
    EXPECT_EQ(open_error(at("read/file"), O_WRONLY), EACCES);
    EXPECT_EQ(open_error(at("read/new"), O_WRONLY | O_CREAT), EACCES);
    EXPECT_EQ(open_error(outside, O_RDONLY), EACCES);
    EXPECT_EQ(open_error(at("read/link"), O_RDONLY), EACCES) << "a link leads nowhere else";
    EXPECT_EQ(open_error(at("other"), O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT_EQ(open_error(at("read/../other/file"), O_RDONLY), EACCES);
  });
}

TEST_F(ConfinementTest, OnlyWhatIsNamedCanBeWritten) {
  confined({.written = {at("written")}, .read = std::nullopt}, [&] {
    EXPECT_EQ(open_error(at("written/file"), O_RDWR | O_TRUNC), 0);
    EXPECT_EQ(open_error(at("written/new"), O_WRONLY | O_CREAT), 0);
    EXPECT_EQ(::rename(at("written/new").c_str(), at("written/named").c_str()), 0);
    EXPECT_EQ(::mkdir(at("written/directory").c_str(), 0700), 0);
    if (landlock_version() >= 2) {
      EXPECT_EQ(::rename(at("written/named").c_str(), at("written/directory/named").c_str()), 0);
    }
    EXPECT_EQ(open_error(at("other/file"), O_RDONLY), 0) << "reading is free";
    EXPECT_EQ(open_error(at("other/file"), O_WRONLY), EACCES);
    EXPECT_EQ(open_error(at("other/new"), O_WRONLY | O_CREAT), EACCES);
    if (landlock_version() >= 3) {
      EXPECT_EQ(::truncate(at("other/file").c_str(), 0), -1);
    }
    EXPECT_EQ(::unlink(at("other/file").c_str()), -1);
    EXPECT_EQ(::mkdir(at("other/directory").c_str(), 0700), -1);
    EXPECT_EQ(::rename(at("written/file").c_str(), at("other/moved").c_str()), -1);
  });
}

TEST_F(ConfinementTest, AFileAloneCanBeNamed) {
  confined({.written = {at("written/file")}, .read = {{at("read/file")}}}, [&] {
    EXPECT_EQ(open_error(at("written/file"), O_RDWR), 0);
    EXPECT_EQ(open_error(at("read/file"), O_RDONLY), 0);
    EXPECT_EQ(open_error(at("read/file"), O_WRONLY), EACCES);
    EXPECT_EQ(open_error(at("written"), O_RDONLY | O_DIRECTORY), EACCES);
  });
}

TEST_F(ConfinementTest, NoOtherProgramIsStarted) {
  confined({.written = {"/"}, .read = std::nullopt}, [&] {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, name, nullptr, nullptr, arguments, nullptr), EACCES);
  });
}

}  // namespace
}  // namespace wormhole::platform
