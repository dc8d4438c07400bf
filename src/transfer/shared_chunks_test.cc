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
    HonestHost host(paths, {.long_path = Duration(0)});
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
  EXPECT_EQ(counters_.bytes + counters_.reused_bytes, 3 * kSize + 40'000 + 5 * kMiB);
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

TEST_P(SharedChunks, OfMoreFilesThanMayWaitHalfFinishedComeOnce) {
  const std::string common = original().substr(0, 16 * kMiB);
  constexpr std::size_t kFiles = 2 * kPausedMax;
  for (std::size_t i = 0; i < kFiles; ++i) {
    add(std::to_string(i), original().substr(17 * kMiB + 50'000 * i, 1 * kMiB) + common);
  }
  get();
  expect_the_same();
  EXPECT_LE(counters_.bytes, (kFiles + 16) * kMiB + kFiles * 4 * kMiB);
}

TEST_P(SharedChunks, WithWhatIsThereAlreadyDoNotCome) {
  if (!GetParam()) GTEST_SKIP() << "nothing may be there";
  add("1", original());
  get();
  add("2", original() + noise(2, 3 * kMiB));
  const std::uint64_t before = counters_.bytes;
  get({directory_ / "src/1", directory_ / "src/2"}, {.streams = 2});
  expect_the_same();
  EXPECT_LE(counters_.bytes - before, 3 * kMiB + kSlack);
}

TEST_P(SharedChunks, ComeWithEachFileToWhoDoesNotLookForThem) {
  add("1", original());
  add("2", original() + "and more");
  get({.streams = 2, .finds_copies = false});
  expect_the_same();
  EXPECT_EQ(counters_.bytes, 2 * kSize + 8);
}

INSTANTIATE_TEST_SUITE_P(MayHave, SharedChunks, ::testing::Bool());

class HeldFiles : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kLength = kReusableMinBytes;

  static wire::Entry held(const std::string& name) {
    wire::Entry entry = file(0, name, kLength);
    entry.held = true;
    return entry;
  }
  static Chunk chunk(std::uint8_t name, std::uint64_t length = kLength) {
    Chunk made{.length = static_cast<std::uint32_t>(length)};
    made.hash.fill(std::byte{name});
    return made;
  }
  Result<void> get(EvilHost& host, bool reuse = true) {
    Victim victim(host.address());
    TakeOptions options{.destination = {directory_ / "dest"}};
    options.reuse = reuse;
    return victim.client().get("", std::move(options), failures_, counters_);
  }

  platform::TestDirectory directory_;
  Failures failures_;
  TakenCounters counters_;
};

TEST_F(HeldFiles, AreSuchAsMayBe) {
  wire::Entry holes = held("holes");
  holes.sparse = true;
  wire::Entry small = held("small");
  small.size = kReusableMinBytes - 1;
  for (const wire::Entry& entry : {holes, small, held("unasked")}) {
    EvilHost host(answer([&](Talk& talk) {
      talk.entries(0, {root_directory(), entry});
      talk.end_well(2);
    }));
    const auto got = get(host, /*reuse=*/entry.name != "unasked");
    ASSERT_FALSE(got.has_value()) << entry.name;
    EXPECT_EQ(got.error().code, Code::kProtocol) << entry.name;
  }
}

TEST_F(HeldFiles, TheChunksOfTheFirstAreToldOnceAndAsTheyAre) {
  const std::vector<std::vector<Chunk>> wrong = {
      {chunk(1, kLength + 1)}, {chunk(1, 1), chunk(2, kLength - 1)}, {chunk(1), chunk(2)}};
  for (const auto& chunks : wrong) {
    EvilHost host(answer([&](Talk& talk) {
      talk.entries(0, {root_directory(), file(0, "first", kLength), held("second")});
      static_cast<void>(talk.first.hear_a<wire::WantChunks>());
      talk.first.say(wire::Chunks{talk.request, 1, 0, chunks});
      talk.end_well(3);
    }));
    const auto got = get(host);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kProtocol);
  }
}

// Two files of other content, said to be the same: the bytes tell.
TEST_F(HeldFiles, WhatIsSaidToBeTheSameAndIsNotIsAskedFor) {
  const std::string one = noise(1, kLength);
  const std::string other = noise(2, kLength);
  EvilHost host(answer([&](Talk& talk) {
    talk.entries(0, {root_directory(), file(0, "first", kLength), held("second")});
    const auto give = [&](std::uint64_t id, const std::string& content) {
      for (std::size_t at = 0; at < kLength; at += kBlockBytes) {
        talk.first.data(talk.request, id, at, std::string_view(content).substr(at, kBlockBytes));
      }
    };
    for (const std::uint64_t id : {1U, 2U}) {
      static_cast<void>(talk.first.hear_a<wire::WantChunks>());
      talk.first.say(wire::Chunks{talk.request, id, 0, {chunk(7)}});
    }
    give(1, one);
    std::optional<wire::WantRanges> asked;
    while (!asked.has_value() || asked->ranges.empty()) {
      asked = talk.first.hear_a<wire::WantRanges>();
    }
    give(2, other);
    talk.end_well(3);
  }));
  const auto got = get(host);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(directory_.read("dest/first") == one);
  EXPECT_TRUE(directory_.read("dest/second") == other);
  EXPECT_EQ(counters_.reused_bytes, 0U);
}

}  // namespace
}  // namespace wormhole::transfer::testing
