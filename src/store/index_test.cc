#include "store/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "platform/test_directory.h"

namespace wormhole::store {
namespace {

namespace fs = std::filesystem;

Place place(const std::string& path, std::uint64_t size = 10, std::uint64_t version = 0) {
  return {.path = path,
          .inode = 1,
          .size_bytes = size,
          .modified = {2, 3},
          .changed = {4, 5},
          .version = version};
}

class IndexTest : public ::testing::Test {
 protected:
  std::unique_ptr<Index> open() {
    auto index = Index::open(file_);
    EXPECT_TRUE(index.has_value()) << to_sentence(index.error());
    return index.has_value() ? std::move(*index) : nullptr;
  }
  const platform::TestDirectory box_;
  const std::string file_ = (box_ / "cache/wormhole/index.db").string();
};

std::vector<std::string> paths(const std::vector<Place>& places) {
  std::vector<std::string> all;
  for (const Place& one : places) all.push_back(one.path);
  return all;
}
using Paths = std::vector<std::string>;

TEST_F(IndexTest, RemembersWhenItIsOpenedAnew) {
  {
    const auto index = open();
    EXPECT_TRUE(index->was_empty());
    index->add(place("/a", 10, 7));
    index->add(place("/b", 10));
    index->add(place("/c", 11, UINT64_MAX));
    index->count(true, 10);
    index->count(false, 0);
  }
  const auto index = open();
  EXPECT_FALSE(index->was_empty());
  EXPECT_EQ(index->of_version(7), (std::vector<Place>{place("/a", 10, 7)}));
  EXPECT_EQ(paths(index->of_version(UINT64_MAX)), (Paths{"/c"}));
  EXPECT_TRUE(index->of_version(0).empty()) << "no version is none";
  EXPECT_EQ(paths(index->of_size(10, {})), (Paths{"/b", "/a"})) << "the last one first";
  EXPECT_TRUE(index->of_size(12, {}).empty());
  const auto summary = index->summary().value();
  EXPECT_EQ(summary.files, 3U);
  EXPECT_EQ(summary.bytes, 31U);
  EXPECT_EQ(summary.lookups, 2U);
  EXPECT_EQ(summary.found, 1U);
  EXPECT_EQ(summary.reused_bytes, 10U);
  EXPECT_GT(summary.disk_bytes, 0U);
}

TEST_F(IndexTest, OneRecordAPath) {
  const auto index = open();
  index->add(place("/a", 10, 7));
  index->add(place("/a", 20, 8));
  EXPECT_EQ(index->all().value(), (std::vector<Place>{place("/a", 20, 8)}));
  EXPECT_EQ(index->at("/a"), place("/a", 20, 8));
  EXPECT_EQ(index->at("/b"), std::nullopt);
  EXPECT_TRUE(index->of_version(7).empty());
  index->remove("/a");
  EXPECT_TRUE(index->all().value().empty());
}

TEST_F(IndexTest, PathsAreBytes) {
  const std::string path = "/\xff\xfe\n'; DROP TABLE files; --";
  open()->add(place(path));
  EXPECT_EQ(paths(open()->all().value()), (Paths{path}));
}

TEST_F(IndexTest, OffersNoMoreThanCanBeLookedAt) {
  const auto index = open();
  for (int i = 0; i < 50; ++i) index->add(place("/" + std::to_string(i), 10, 7));
  static_cast<void>(index->summary());
  EXPECT_EQ(index->of_size(10, {}).size(), kCandidatesMax);
  EXPECT_EQ(index->of_version(7).front().path, "/49");
}

TEST_F(IndexTest, OfManyOfOneSizeThoseOfThatTimeComeFirst) {
  const auto index = open();
  for (int i = 0; i < 50; ++i) {
    Place one = place("/" + std::to_string(i));
    one.modified = {-i, 5};
    index->add(one);
  }
  static_cast<void>(index->summary());
  const auto found = index->of_size(10, {-3, 5});
  ASSERT_EQ(found.size(), kCandidatesMax);
  EXPECT_EQ(found[0].path, "/3");
  EXPECT_EQ(found[1].path, "/49");
}

TEST_F(IndexTest, ForgetsWhatWasNotUsedForLongest) {
  const auto index = open();
  for (std::size_t i = 0; i <= kIndexedFilesMax; ++i) index->add(place("/" + std::to_string(i)));
  const auto all = index->all().value();
  EXPECT_LE(all.size(), kIndexedFilesMax);
  EXPECT_GE(all.size(), kIndexedFilesMax / 2);
  const auto left = paths(all);
  EXPECT_FALSE(std::ranges::binary_search(left, "/0"));
  EXPECT_TRUE(std::ranges::binary_search(left, "/" + std::to_string(kIndexedFilesMax)));
}

TEST_F(IndexTest, ClearForgetsEverything) {
  const auto index = open();
  index->add(place("/a"));
  index->count(true, 5);
  ASSERT_TRUE(index->clear().has_value());
  EXPECT_TRUE(index->all().value().empty());
  EXPECT_EQ(index->summary().value().lookups, 0U);
  index->add(place("/b"));
  EXPECT_EQ(paths(index->all().value()), (Paths{"/b"}));
}

TEST_F(IndexTest, IsSharedByManyAtOnce) {
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([this, user] {
      for (int round = 0; round < 5; ++round) {
        const auto index = open();
        for (int i = 0; i < 20; ++i) {
          index->add(place("/" + std::to_string(user) + "/" + std::to_string(20 * round + i)));
          static_cast<void>(index->of_size(10, {}));
        }
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(open()->all().value().size(), 400U);
}

TEST_F(IndexTest, IsNobodyElsesBusiness) {
  open()->add(place("/a"));
  using fs::perms;
  EXPECT_EQ(fs::status(file_).permissions(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(fs::status(fs::path(file_).parent_path()).permissions(), perms::owner_all);
}

TEST_F(IndexTest, WhatIsNoIndexIsSetAside) {
  fs::create_directories(fs::path(file_).parent_path());
  std::ofstream(file_) << std::string(100'000, 'x');
  {
    const auto index = open();
    ASSERT_NE(index, nullptr);
    EXPECT_NE(index->set_aside(), "");
    EXPECT_EQ(fs::file_size(index->set_aside()), 100'000U);
    index->add(place("/a"));
  }
  const auto index = open();
  EXPECT_EQ(index->set_aside(), "");
  EXPECT_EQ(paths(index->all().value()), (Paths{"/a"}));
}

TEST_F(IndexTest, ALinkInItsPlaceIsNotFollowed) {
  fs::create_directories(fs::path(file_).parent_path());
  std::ofstream(box_ / "victim") << "mine";
  fs::create_symlink(box_ / "victim", file_);
  const auto index = Index::open(file_);
  EXPECT_EQ(box_.read("victim"), "mine");
}

TEST_F(IndexTest, IsMadeWhereThereIsNone) {
  EXPECT_TRUE(open()->was_empty());
  EXPECT_TRUE(fs::exists(file_)) << "by a thread that it waits for at its end";
}

TEST_F(IndexTest, WhereNoneCanBeNothingIsRemembered) {
  std::ofstream(box_ / "cache") << "a file";
  const auto index = open();
  index->add(place("/a", 10, 7));
  EXPECT_EQ(index->summary().error().code, Code::kLocalIo);
  EXPECT_TRUE(index->of_version(7).empty());
  EXPECT_TRUE(index->was_empty());
}

TEST_F(IndexTest, WhatCannotBeOpenedIsAnError) {
  fs::create_directories(file_);
  const auto index = Index::open(file_);
  ASSERT_FALSE(index.has_value());
  EXPECT_EQ(index.error().code, Code::kLocalIo);
}

// Another process has found it damaged as well, and goes on with a new one.
TEST_F(IndexTest, WhatAnotherProcessMadeAnewIsNotSetAside) {
  {
    const auto index = open();
    ASSERT_TRUE(index->clear().has_value());
    for (int i = 0; i < 500; ++i) index->add(place("/" + std::to_string(i), 100 + i, 1000 + i));
  }
  const fs::path fresh = box_ / "fresh.db";
  {
    const auto other = Index::open(fresh.string());
    ASSERT_TRUE(other.has_value() && (*other)->clear().has_value());
  }
  {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192);
    for (auto rest = fs::file_size(file_) - 8192; rest > 0; --rest) file.put('x');
  }
  auto index = open();
  ASSERT_FALSE(index->check().has_value());
  fs::rename(fresh, file_);
  index.reset();
  EXPECT_FALSE(fs::exists(file_ + ".damaged"));
  EXPECT_TRUE(fs::exists(file_));
}

// Whatever is done to its file, it answers with what was put in, or not at all; and works again
// when it is opened once more.
TEST_F(IndexTest, AnyDamageCostsNoMoreThanWhatItKnew) {
  constexpr std::uint64_t kSeed = 5;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  constexpr int kFiles = 500;
  {  // into the database itself: a log that is left is replayed over any damage
    const auto index = open();
    ASSERT_TRUE(index->clear().has_value());
    for (int i = 0; i < kFiles; ++i) {
      index->add(place("/" + std::to_string(i), 100 + i, 1000 + i));
    }
  }
  const auto copy = [](const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  };
  const fs::path directory = fs::path(file_).parent_path();
  copy(directory, box_ / "good");
  for (int round = 0; round < 60; ++round) {
    copy(box_ / "good", directory);
    for (const char* name : {"index.db", "index.db-wal"}) {
      const fs::path path = directory / name;
      if (!fs::exists(path) || fs::file_size(path) == 0 || generator() % 4 == 0) continue;
      const auto size = fs::file_size(path);
      if (round % 6 == 0) fs::resize_file(path, generator() % size);
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      for (int i = 0; i < 1 << round % 9 && round % 6 != 0; ++i) {
        file.seekp(static_cast<std::streamoff>(generator() % size));
        file.put(static_cast<char>(generator()));
      }
    }
    for (int again = 0; again < 2; ++again) {
      const auto index = Index::open(file_);
      if (!index.has_value()) continue;
      for (int i = 0; i < kFiles; ++i) {
        for (const Place& found : (*index)->of_version(1000 + i)) {
          EXPECT_EQ(found, place("/" + std::to_string(i), 100 + i, 1000 + i)) << round;
        }
      }
      (*index)->add(place("/new", 7, 7));
      static_cast<void>((*index)->summary());
    }
    // Where only its order is damaged, that is seen when all of it is looked at.
    if (auto index = open(); !index->check().has_value()) index.reset();
    const auto index = open();
    ASSERT_NE(index, nullptr) << round;
    index->add(place("/newer", 8, 8));
    static_cast<void>(index->summary());
    EXPECT_EQ(paths(index->of_version(8)), (Paths{"/newer"})) << round;
  }
}

}  // namespace
}  // namespace wormhole::store
