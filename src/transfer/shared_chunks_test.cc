// What several files of one share have in common, over a path that is long: the real host and the
// real client.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/limits.h"
#include "base/noise_testing.h"
#include "transfer/hostile_attacks.h"
#include "transfer/hostile_fixture.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;

// Both ends of a change belong to chunks that are new.
constexpr std::size_t kSlack = std::size_t{2} * kChunkMaxBytes;
constexpr std::size_t kSize = 24 * kMiB;

std::string noise(std::uint64_t seed, std::size_t size) {
  return wormhole::testing::noise(size, seed);
}

// Made once: it takes a second.
const std::string& original() {
  static const std::string made = noise(1, kSize);
  return made;
}

class SharedChunks : public ::testing::TestWithParam<bool> {
 protected:
  SharedChunks() {
    fs::create_directories(directory_ / "src");
    fs::create_directories(directory_ / "dest");
  }
  void add(const std::string& name, const std::string& content) const {
    directory_.write("src/" + name, content);
  }
  // Over loopback, which the host takes for a long path.
  void get(ClientOptions client = {.streams = 2}) { get({directory_ / "src"}, client); }
  void get(const std::vector<std::string>& paths, ClientOptions client) {
    HonestHost host(paths, /*allow_plain=*/false, /*long_path=*/Duration(0));
    Victim victim(host.address(), client);
    TakeOptions options{.destination = {directory_ / "dest"}};
    options.may_have = GetParam();
    ASSERT_TRUE(victim.client().get("", std::move(options), failures_, counters_).has_value());
  }
  void expect_the_same() const {
    EXPECT_TRUE(tree_of(directory_ / "dest") == tree_of(directory_ / "src"));
  }

  platform::TestDirectory directory_;
  Failures failures_;
  TakenCounters counters_;
};

TEST_P(SharedChunks, ComeOnce) {
  std::string edited = original();
  edited.replace(9 * kMiB, 100'000, noise(2, 120'000));
  add("1", original());
  add("2", edited);
  add("3", noise(3, 5 * kMiB) + edited);
  get();
  expect_the_same();
  EXPECT_LE(counters_.bytes, kSize + 120'000 + 5 * kMiB + 2 * kSlack);
  EXPECT_EQ(counters_.bytes + counters_.reused_bytes, 3 * kSize + 2 * 20'000 + 5 * kMiB);
}

TEST_P(SharedChunks, OfFilesOfOneSizeComeOnce) {
  add("1", original());
  for (const char* name : {"2", "3", "4"}) {
    std::string other = original();
    other[kSize / 2] ^= *name;
    add(name, other);
  }
  get();
  expect_the_same();
  EXPECT_LE(counters_.bytes, kSize + 3 * kSlack);
}

TEST_P(SharedChunks, OfACopyAreComparedWithTheOneFile) {
  add("1", original());
  add("2", original());
  add("3", original());
  get();
  expect_the_same();
  EXPECT_EQ(counters_.bytes, kSize);
  EXPECT_EQ(counters_.reused_bytes, 2 * kSize);
}

TEST_P(SharedChunks, WithinAFileComeOnce) {
  add("1", noise(2, 3 * kMiB));
  add("2", original() + original() + original());
  get({directory_ / "src/1", directory_ / "src/2"}, {.streams = 2});
  expect_the_same();
  EXPECT_LE(counters_.bytes, 3 * kMiB + kSize + kSlack);
}

TEST_P(SharedChunks, OfAFileThatFailedComeThemselves) {
  const std::string longer = original() + noise(2, 3 * kMiB);
  add("1", original());
  add("2", longer);
  fs::create_directories(directory_ / "dest/1");
  get();
  EXPECT_EQ(failures_.all(), (std::map<std::string, Code>{{"1", Code::kExists}}));
  EXPECT_TRUE(directory_.read("dest/2") == longer);
}

TEST_P(SharedChunks, OfManyFilesArriveAllTheSame) {
  const std::string common = original().substr(0, 9 * kMiB);
  for (std::size_t i = 0; i < 2 * kPausedMax; ++i) {
    add(std::to_string(i), original().substr(12 * kMiB + 50'000 * i, 1 * kMiB) + common);
  }
  get();
  expect_the_same();
}

TEST_P(SharedChunks, ComeWithEachFileToWhoDoesNotLookForThem) {
  add("1", original());
  add("2", original() + "and more");
  get({.streams = 2, .finds_copies = false});
  expect_the_same();
  EXPECT_EQ(counters_.bytes, 2 * kSize + 8);
}

INSTANTIATE_TEST_SUITE_P(MayHave, SharedChunks, ::testing::Bool());

}  // namespace
}  // namespace wormhole::transfer::testing
