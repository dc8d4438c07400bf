// Directory::open_partial: planted, locked and left-over files.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "platform/file_system.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kOtherUser = 65534;

// Without the powers of root, where the test has them.
class AsNormalUser {
 public:
  AsNormalUser() : was_root_(::geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(::seteuid(kOtherUser), 0);
    }
  }
  ~AsNormalUser() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  bool was_root_;
};

TEST(OpenPartial, MakesAnEmptyPrivateFile) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  const mode_t before = ::umask(0777);
  const auto file = dir.open_partial("p");
  ::umask(before);
  ASSERT_TRUE(file.has_value());
  const FileStatus status = *file->status();
  EXPECT_EQ(status.mode, 0600u);
  EXPECT_EQ(status.size_bytes, 0u);
  EXPECT_TRUE(file->write_at(as_bytes("x"), 0).has_value());
}

TEST(OpenPartial, TakesOverWhatAnEarlierRunLeft) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("p", "half a file");
  fs::permissions(temp / "p", fs::perms(0644));
  const auto inode = dir.status_of("p")->inode;
  const auto file = dir.open_partial("p");
  ASSERT_TRUE(file.has_value());
  const FileStatus status = *file->status();
  EXPECT_EQ(status.inode, inode);
  EXPECT_EQ(status.size_bytes, 0u);
  EXPECT_EQ(status.allocated_bytes, 0u);
  EXPECT_EQ(status.mode, 0600u);
}

TEST(OpenPartial, TakesOverOneThatHadItsFinalModeAlready) {
  const TestDirectory temp;
  fs::permissions(temp.path(), fs::perms(0777));
  const Directory dir = temp.open();
  const AsNormalUser user;
  for (const unsigned mode : {0400u, 0000u, 0200u, 0555u}) {
    {
      const auto first = dir.open_partial("p");
      ASSERT_TRUE(first.has_value());
      ASSERT_TRUE(first->write_at(as_bytes("left"), 0).has_value());
      ASSERT_TRUE(first->set_mode(mode).has_value());
    }
    const auto file = dir.open_partial("p");
    ASSERT_TRUE(file.has_value()) << to_sentence(file.error());
    EXPECT_EQ(file->status()->mode, 0600u);
    EXPECT_EQ(file->status()->size_bytes, 0u);
  }
}

TEST(OpenPartial, OneHolderAtATime) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  {
    const auto held = dir.open_partial("p");
    ASSERT_TRUE(held.has_value());
    ASSERT_TRUE(held->write_at(as_bytes("mine"), 0).has_value());
    const auto second = dir.open_partial("p");
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Code::kExists);
    EXPECT_FALSE(second.error().advice.empty());
    EXPECT_EQ(temp.read("p"), "mine");  // not emptied by the one who came late
  }
  EXPECT_TRUE(dir.open_partial("p").has_value());
}

TEST(OpenPartial, RefusesASecondName) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("precious", "data");
  fs::create_hard_link(temp / "precious", temp / "p");
  EXPECT_EQ(dir.open_partial("p").error().code, Code::kUnsafeName);
  EXPECT_EQ(temp.read("precious"), "data");
}

TEST(OpenPartial, RefusesASecondNameOfAReadOnlyFile) {
  const TestDirectory temp;
  fs::permissions(temp.path(), fs::perms(0777));
  const Directory dir = temp.open();
  const AsNormalUser user;
  ASSERT_TRUE(dir.open_partial("precious")->set_mode(0400).has_value());
  ASSERT_EQ(::linkat(dir.descriptor(), "precious", dir.descriptor(), "p", 0), 0);
  EXPECT_EQ(dir.open_partial("p").error().code, Code::kUnsafeName);
  EXPECT_EQ(dir.status_of("precious")->mode, 0400u);
}

TEST(OpenPartial, RefusesASymlinkWhereverItLeads) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("precious", "data");
  for (const char* target : {"precious", "nowhere", ".", "/etc/passwd", "p"}) {
    fs::create_symlink(target, temp / "p");
    EXPECT_EQ(dir.open_partial("p").error().code, Code::kUnsafeName) << target;
    fs::remove(temp / "p");
  }
  EXPECT_EQ(temp.read("precious"), "data");
  EXPECT_FALSE(fs::exists(temp / "nowhere"));
}

TEST(OpenPartial, RefusesAPipeADirectoryWithoutWaiting) {
  const TestDirectory temp;
  const Directory dir = temp.open();
  ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
  fs::create_directory(temp / "dir");
  EXPECT_EQ(dir.open_partial("pipe").error().code, Code::kUnsafeName);
  EXPECT_EQ(dir.open_partial("dir").error().code, Code::kUnsafeName);
}

TEST(OpenPartial, RefusesAnotherUsersFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const TestDirectory temp;
  const Directory dir = temp.open();
  temp.write("p", "theirs");
  ASSERT_EQ(::chown((temp / "p").c_str(), kOtherUser, kOtherUser), 0);
  EXPECT_EQ(dir.open_partial("p").error().code, Code::kUnsafeName);
  EXPECT_EQ(temp.read("p"), "theirs");
}

TEST(OpenPartial, AHolderIsAloneThoughOthersRemoveAndRecreate) {
  const TestDirectory temp;
  std::atomic<int> holders{0};
  std::atomic<int> held{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      const Directory dir = temp.open();
      for (int round = 0; round < 300; ++round) {
        const auto file = dir.open_partial("p");
        if (!file) {
          EXPECT_EQ(file.error().code, Code::kExists) << to_sentence(file.error());
          continue;
        }
        EXPECT_EQ(++holders, 1);
        ++held;
        const std::string mark = std::to_string(thread * 1000 + round);
        EXPECT_TRUE(file->write_at(as_bytes(mark), 0).has_value());
        EXPECT_EQ(temp.read("p"), mark);
        --holders;
        if (round % 2 == 0) {
          EXPECT_TRUE(dir.remove_file("p").has_value());
        } else {
          EXPECT_TRUE(dir.publish("p", "final", Replace::kYes).has_value());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(held.load(), 0);
}

TEST(Partial, ItsContentsAreKeptWhereThatIsAskedFor) {
  const TestDirectory temp;
  temp.write("p", "what came");
  fs::permissions(temp / "p", fs::perms::owner_read);
  const Directory dir = temp.open();
  {
    const auto file = dir.open_partial("p", Contents::kKeep);
    ASSERT_TRUE(file.has_value()) << to_sentence(file.error());
    EXPECT_EQ(file->status()->mode, 0600U);
    ByteVector read(9);
    EXPECT_EQ(file->read_at(read, 0).value_or(0), 9U);
    EXPECT_EQ(as_text(read), "what came");
    EXPECT_EQ(dir.open_partial("p", Contents::kKeep).error().code, Code::kExists) << "locked";
  }
  ASSERT_TRUE(dir.open_partial("p").has_value());
  EXPECT_EQ(temp.read("p"), "");
}

TEST(Partial, NothingPlantedIsKeptEither) {
  const TestDirectory temp;
  temp.write("mine", "precious");
  fs::create_symlink("mine", temp / "link");
  fs::create_hard_link(temp / "mine", temp / "second");
  fs::create_directory(temp / "directory");
  for (const char* name : {"link", "second", "directory"}) {
    const auto file = temp.open().open_partial(name, Contents::kKeep);
    ASSERT_FALSE(file.has_value()) << name;
    EXPECT_EQ(file.error().code, Code::kUnsafeName) << name;
  }
  EXPECT_EQ(temp.read("mine"), "precious");
}

}  // namespace
}  // namespace wormhole::platform
