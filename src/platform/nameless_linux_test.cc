// Directory::make_nameless and give_name, on a file system that has nameless files.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "platform/file_system.h"
#include "platform/test_directory.h"

namespace wormhole::platform {
namespace {

namespace fs = std::filesystem;

class Nameless : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!dir.make_nameless(0600).has_value()) {
      GTEST_SKIP() << "the file system of " << temporary.path() << " has no nameless files";
    }
  }
  [[nodiscard]] bool is_empty() const { return fs::is_empty(temporary.path()); }

  const TestDirectory temporary;
  const Directory dir = temporary.open();
};

TEST_F(Nameless, LeavesNothingWithoutAName) {
  {
    const auto file = dir.make_nameless(0644);
    ASSERT_TRUE(file->write_at(as_bytes("abc"), 0).has_value());
    EXPECT_TRUE(is_empty());
  }
  EXPECT_TRUE(is_empty());
}

TEST_F(Nameless, GetsItsNameWithAllThatIsInIt) {
  const auto file = dir.make_nameless(0640);
  ASSERT_TRUE(file->write_at(as_bytes("abc"), 0).has_value());
  EXPECT_EQ(dir.give_name(*file, "name"), true);
  const auto named = dir.status_of("name");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->size_bytes, 3U);
  EXPECT_EQ(named->mode, 0640U);
  EXPECT_EQ(named->links, 1U);
  EXPECT_EQ(named->inode, file->status()->inode);
}

TEST_F(Nameless, NeverTakesANameThatIsTaken) {
  const auto there = dir.open_partial("name");
  ASSERT_TRUE(there->write_at(as_bytes("other"), 0).has_value());
  ASSERT_TRUE(dir.make_symlink("link", "nowhere").has_value());
  const auto file = dir.make_nameless(0600);
  for (const char* name : {"name", "link"}) {
    const auto given = dir.give_name(*file, name);
    ASSERT_FALSE(given.has_value()) << name;
    EXPECT_EQ(given.error().code, Code::kExists) << name;
  }
  EXPECT_EQ(dir.status_of("name")->size_bytes, 5U);
  EXPECT_FALSE(fs::exists(temporary / "nowhere"));
}

TEST_F(Nameless, RefusesNamesThatLeadElsewhere) {
  const auto file = dir.make_nameless(0600);
  for (const char* name : {"", ".", "..", "a/b", "/tmp/x"}) {
    const auto given = dir.give_name(*file, name);
    ASSERT_FALSE(given.has_value()) << name;
    EXPECT_EQ(given.error().code, Code::kUnsafeName) << name;
  }
  EXPECT_TRUE(is_empty());
}

TEST_F(Nameless, SaysWhereThereCannotBeAny) {
  ASSERT_TRUE(dir.make_directory("gone", 0700).value());
  const auto inner = dir.open_directory("gone");
  const auto file = inner->make_nameless(0600);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(dir.remove_directory("gone").has_value());
  EXPECT_EQ(inner->give_name(*file, "name"), false);
  EXPECT_FALSE(inner->make_nameless(0600).has_value());
}

}  // namespace
}  // namespace wormhole::platform
