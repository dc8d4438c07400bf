#include "transfer/directory_tree.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <vector>

#include "platform/test_directory.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::uint64_t inode_of(const DirectoryPtr& handle) { return handle->status().value().inode; }

TEST(DirectoryTree, OpensWhatIsBelowItsRoot) {
  const TestDirectory there;
  fs::create_directories(there / "a/b");
  DirectoryTree tree(there.open());
  const NodePtr a = DirectoryTree::child(tree.root(), "a");
  const NodePtr b = DirectoryTree::child(a, "b");
  const auto handle = tree.open(b);
  ASSERT_TRUE(handle.has_value());
  EXPECT_EQ(inode_of(*handle),
            there.open().open_directory("a")->open_directory("b")->status()->inode);
  EXPECT_EQ(inode_of(tree.open(tree.root()).value()), there.open().status()->inode);
  const auto missing = tree.open(DirectoryTree::child(b, "c"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(DirectoryTree, PathsAreRelativeToTheRoot) {
  const TestDirectory there;
  const DirectoryTree tree(there.open());
  const NodePtr a = DirectoryTree::child(tree.root(), "a");
  const NodePtr b = DirectoryTree::child(a, std::string("\xff b", 3));
  EXPECT_EQ(DirectoryTree::path_of(tree.root(), "f"), "f");
  EXPECT_EQ(DirectoryTree::path_of(b, "f"), "a/\xff b/f");
  EXPECT_EQ(DirectoryTree::path_of(b, ""), "a/\xff b");
  EXPECT_EQ(DirectoryTree::path_of(tree.root(), ""), "");
}

TEST(DirectoryTree, HoldsABoundedNumberOfHandles) {
  constexpr std::size_t kOpenMax = 8;
  const TestDirectory there;
  std::vector<NodePtr> nodes;
  DirectoryTree tree(there.open(), kOpenMax);
  for (int i = 0; i < 50; ++i) {
    fs::create_directories(there / std::to_string(i));
    nodes.push_back(DirectoryTree::child(tree.root(), std::to_string(i)));
  }
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 2; ++round) {
    for (const NodePtr& node : nodes) {
      ASSERT_TRUE(tree.open(node).has_value());
      EXPECT_LE(open_descriptors(), before + kOpenMax);
    }
  }
}

TEST(DirectoryTree, AHandleStaysOpenWhileItIsHeld) {
  const TestDirectory there;
  fs::create_directories(there / "held");
  DirectoryTree tree(there.open(), 1);
  const NodePtr held = DirectoryTree::child(tree.root(), "held");
  const auto handle = tree.open(held);
  ASSERT_TRUE(handle.has_value());
  for (int i = 0; i < 5; ++i) {
    const std::string name = std::to_string(i);
    fs::create_directories(there / name);
    ASSERT_TRUE(tree.open(DirectoryTree::child(tree.root(), name)).has_value());
  }
  there.write("held/f", "still there");
  EXPECT_TRUE((*handle)->open_file("f").has_value());
  EXPECT_EQ(*handle, tree.open(held).value()) << "the same handle, not a second one";
}

TEST(DirectoryTree, WalksTwoThousandLevelsWithFewHandles) {
  constexpr int kLevels = 2000;
  const TestDirectory there;
  DirectoryTree tree(there.open(), 16);
  std::vector<NodePtr> path = {tree.root()};
  const std::size_t before = open_descriptors();
  for (int level = 0; level < kLevels; ++level) {
    const auto parent = tree.open(path.back());
    ASSERT_TRUE(parent.has_value()) << level;
    ASSERT_TRUE((*parent)->make_directory("d", 0755).has_value()) << level;
    path.push_back(DirectoryTree::child(path.back(), "d"));
  }
  // From the bottom, then from the top again: nothing on the way is open any more.
  for (const int level : {kLevels, 0, kLevels / 2, 1, kLevels}) {
    ASSERT_TRUE(tree.open(path[level]).has_value()) << level;
    EXPECT_LE(open_descriptors(), before + 17);
  }
  EXPECT_EQ(DirectoryTree::path_of(path.back(), "f").size(), 2 * kLevels + 1);
}

TEST(DirectoryTree, RefusesADirectoryThatBecameASymlink) {
  const TestDirectory there;
  const TestDirectory elsewhere;
  fs::create_directories(there / "a/b");
  fs::create_directories(elsewhere / "b");
  DirectoryTree tree(there.open(), 1);
  const NodePtr a = DirectoryTree::child(tree.root(), "a");
  const NodePtr b = DirectoryTree::child(a, "b");
  ASSERT_TRUE(tree.open(b).has_value());
  // Room for one handle: opening another closes it.
  fs::create_directories(there / "other");
  ASSERT_TRUE(tree.open(DirectoryTree::child(tree.root(), "other")).has_value());
  fs::rename(there / "a", there / "moved");
  fs::create_directory_symlink(elsewhere.path(), there / "a");
  EXPECT_FALSE(tree.open(a).has_value());
  EXPECT_FALSE(tree.open(b).has_value());
  fs::remove(there / "a");
  fs::rename(there / "moved", there / "a");
  EXPECT_TRUE(tree.open(b).has_value());
}

}  // namespace
}  // namespace wormhole::transfer
