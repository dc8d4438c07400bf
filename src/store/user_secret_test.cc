#include "store/user_secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "platform/process.h"
#include "platform/test_directory.h"

namespace wormhole::store {
namespace {

namespace fs = std::filesystem;

class UserSecretTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file() const { return directory_.path() / "state/wormhole/secret"; }
  std::string opened() {
    const auto secret = UserSecret::open(file(), random_);
    EXPECT_TRUE(secret.has_value()) << to_sentence(secret.error());
    return to_hex(secret->key("a purpose"));
  }
  void write(const std::string& text) const { std::ofstream(file()) << text; }

  platform::TestDirectory directory_;
  platform::SystemRandom random_;
};

TEST_F(UserSecretTest, IsMadeOnceAndIsTheSameFromThenOn) {
  const std::string first = opened();
  EXPECT_EQ(opened(), first);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(fs::path(file()).parent_path()).permissions(), fs::perms::owner_all);
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(fs::path(file()).parent_path()), {}), 1);
  fs::remove(file());
  EXPECT_NE(opened(), first);
}

TEST_F(UserSecretTest, AKeyIsForOnePurpose) {
  const UserSecret secret(Hash{std::byte{1}});
  EXPECT_EQ(secret.key("a"), UserSecret(Hash{std::byte{1}}).key("a"));
  EXPECT_NE(secret.key("a"), secret.key("b"));
  EXPECT_NE(secret.key("a"), UserSecret(Hash{std::byte{2}}).key("a"));
}

TEST_F(UserSecretTest, WhatIsNoSecretIsReplaced) {
  static_cast<void>(opened());
  const std::string nothing = to_hex(UserSecret(Hash{}).key("a purpose"));
  for (const std::string& text :
       {std::string(), std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'g')}) {
    write(text);
    const std::string made = opened();
    EXPECT_NE(made, nothing) << text;
    EXPECT_EQ(opened(), made) << text;
  }
}

TEST_F(UserSecretTest, WhatOthersMayReadIsReplaced) {
  const std::string first = opened();
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::add);
  const std::string second = opened();
  EXPECT_NE(second, first);
  EXPECT_EQ(opened(), second);
}

TEST_F(UserSecretTest, ALinkInItsPlaceIsNotFollowed) {
  static_cast<void>(opened());
  const fs::path elsewhere = directory_.path() / "elsewhere";
  fs::rename(file(), elsewhere);
  fs::create_symlink(elsewhere, file());
  EXPECT_FALSE(UserSecret::open(file(), random_).has_value());
}

TEST_F(UserSecretTest, SeveralThatComeAtOnceGetTheSame) {
  for (int round = 0; round < 20; ++round) {
    fs::remove_all(directory_.path() / "state");
    std::vector<std::string> seen(8);
    {
      std::vector<std::jthread> threads;
      for (auto& each : seen) threads.emplace_back([&] { each = opened(); });
    }
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 1U);
  }
}

}  // namespace
}  // namespace wormhole::store
