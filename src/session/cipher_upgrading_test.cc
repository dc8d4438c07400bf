#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "session/frame_cipher_aead.h"

namespace wormhole::session {
namespace {

using Tag = std::array<std::byte, kTagBytes>;

// Notes which of several does what, under which key.
class NotingAead final : public Aead {
 public:
  NotingAead(std::string name, std::vector<std::string>& notes, bool takes_keys = true)
      : name_(std::move(name)), notes_(notes), takes_keys_(takes_keys) {}
  bool set_key(const AeadKey& key) override {
    note("key", key);
    key_ = key;
    return takes_keys_;
  }
  bool seal(const AeadNonce&, Bytes, MutableBytes, std::span<std::byte, kTagBytes>) override {
    note("seal", key_);
    return true;
  }
  Opened open(const AeadNonce&, Bytes, MutableBytes,
              std::span<const std::byte, kTagBytes>) override {
    note("open", key_);
    return Opened::kOk;
  }

 private:
  void note(const char* what, const AeadKey& key) {
    notes_.push_back(name_ + " " + what + " " + std::to_string(std::to_integer<int>(key[0])));
  }

  const std::string name_;
  std::vector<std::string>& notes_;
  const bool takes_keys_;
  AeadKey key_{};
};

AeadKey key(unsigned char fill) {
  AeadKey bytes;
  bytes.fill(std::byte{fill});
  return bytes;
}

class UpgradingAeadTest : public ::testing::Test {
 protected:
  std::unique_ptr<Aead> slow() { return std::make_unique<NotingAead>("slow", notes_); }
  std::unique_ptr<Aead> upgrading(FindAead faster) {
    return make_upgrading_aead(slow(), std::move(faster));
  }
  FindAead fast(bool takes_keys = true) {
    return [this, takes_keys] {
      ++asked_;
      return std::make_unique<NotingAead>("fast", notes_, takes_keys);
    };
  }
  // A frame of that size; the notes that it makes.
  std::vector<std::string> seal(Aead& aead, std::size_t bytes = kBlockBytes) {
    notes_.clear();
    Tag tag{};
    buffer_.resize(bytes);
    EXPECT_TRUE(aead.seal({}, {}, buffer_, tag));
    return notes_;
  }

  using Notes = std::vector<std::string>;
  Notes notes_;
  ByteVector buffer_;
  int asked_ = 0;
};

TEST_F(UpgradingAeadTest, ALittleTrafficNeverAsksForTheFaster) {
  const auto aead = upgrading(fast());
  ASSERT_TRUE(aead->set_key(key(1)));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seal(*aead, 10 * kKiB), Notes{"slow seal 1"});
  EXPECT_EQ(asked_, 0);
}

TEST_F(UpgradingAeadTest, TheFasterTakesOverUnderTheSameKey) {
  const auto aead = upgrading(fast());
  ASSERT_TRUE(aead->set_key(key(1)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(seal(*aead), Notes{"slow seal 1"});
  EXPECT_EQ(seal(*aead), (Notes{"fast key 1", "fast seal 1"}));
  EXPECT_EQ(seal(*aead), Notes{"fast seal 1"});
  EXPECT_EQ(asked_, 1);
  notes_.clear();
  ASSERT_TRUE(aead->set_key(key(2)));
  EXPECT_EQ(notes_, Notes{"fast key 2"});
  EXPECT_EQ(seal(*aead), Notes{"fast seal 2"});
}

TEST_F(UpgradingAeadTest, TheKeyIsTheLastOneThatWasSet) {
  const auto aead = upgrading(fast());
  ASSERT_TRUE(aead->set_key(key(1)));
  seal(*aead);
  ASSERT_TRUE(aead->set_key(key(2)));
  seal(*aead, kMiB);
  EXPECT_EQ(notes_, (Notes{"fast key 2", "fast seal 2"}));
}

TEST_F(UpgradingAeadTest, WhatIsOnlyCheckedCountsToo) {
  const auto aead = upgrading(fast());
  ASSERT_TRUE(aead->set_key(key(1)));
  const ByteVector block(kMiB);
  notes_.clear();
  EXPECT_EQ(aead->open({}, block, {}, Tag{}), Opened::kOk);
  EXPECT_EQ(notes_, (Notes{"fast key 1", "fast open 1"}));
}

TEST_F(UpgradingAeadTest, WhileItIsLookedForTheFirstGoesOn) {
  bool found = false;
  const auto aead = upgrading([&]() -> std::optional<std::unique_ptr<Aead>> {
    ++asked_;
    if (!found) return std::nullopt;
    return std::make_unique<NotingAead>("fast", notes_);
  });
  ASSERT_TRUE(aead->set_key(key(1)));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(seal(*aead), Notes{"slow seal 1"});
  EXPECT_EQ(asked_, 7);
  found = true;
  EXPECT_EQ(seal(*aead), (Notes{"fast key 1", "fast seal 1"}));
}

TEST_F(UpgradingAeadTest, WhereThereIsNoneTheFirstStaysAndNobodyIsAskedAgain) {
  const auto aead = upgrading([this] {
    ++asked_;
    return nullptr;
  });
  ASSERT_TRUE(aead->set_key(key(1)));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(seal(*aead), Notes{"slow seal 1"});
  notes_.clear();
  ASSERT_TRUE(aead->set_key(key(2)));
  EXPECT_EQ(notes_, Notes{"slow key 2"});
  EXPECT_EQ(seal(*aead), Notes{"slow seal 2"});
  EXPECT_EQ(asked_, 1);
}

TEST_F(UpgradingAeadTest, OneThatRefusesTheKeyDoesNotTakeOver) {
  const auto aead = upgrading(fast(false));
  ASSERT_TRUE(aead->set_key(key(1)));
  EXPECT_EQ(seal(*aead, kMiB), (Notes{"fast key 1", "slow seal 1"}));
  EXPECT_EQ(seal(*aead), Notes{"slow seal 1"});
  EXPECT_EQ(asked_, 1);
}

}  // namespace
}  // namespace wormhole::session
