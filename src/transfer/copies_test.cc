// Files of one share that are copies of each other: the real host and the real client.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "base/noise_testing.h"
#include "transfer/hostile_attacks.h"
#include "transfer/hostile_fixture.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSize = kReusableMinBytes + 12'345;

std::string noise(std::uint64_t seed) { return wormhole::testing::noise(kSize, seed); }

class CopiesTest : public ::testing::Test {
 protected:
  CopiesTest() {
    for (const char* name : {"src/a", "src/b", "src/c", "dest"}) {
      fs::create_directories(directory_ / name);
    }
  }
  void add(const std::string& name, const std::string& content) const {
    directory_.write("src/" + name, content);
  }
  // As into a new directory, or into one where something may be.
  Result<void> get(Victim& victim, bool may_have) {
    TakeOptions options{.destination = {directory_ / "dest"}};
    options.may_have = may_have;
    return victim.client().get("", std::move(options), failures_, counters_);
  }
  void expect_the_same() const {
    EXPECT_TRUE(tree_of(directory_ / "dest") == tree_of(directory_ / "src"));
  }

  platform::TestDirectory directory_;
  Failures failures_;
  TakenCounters counters_;
};

class Copies : public CopiesTest, public ::testing::WithParamInterface<bool> {};

TEST_P(Copies, ComeOnce) {
  const std::string film = noise(1);
  add("a/film", film);
  add("b/film", film);
  add("c/another name", film);
  HonestHost host({directory_ / "src"});
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, GetParam()).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.files, 3U);
  EXPECT_EQ(counters_.bytes, kSize);
  EXPECT_EQ(counters_.reused_bytes, 2 * kSize);
  EXPECT_LT(victim.client().wire_bytes(), kSize + kSize / 8);
}

TEST_P(Copies, AreLookedAtBeforeTheyAreBelieved) {
  std::string film = noise(1);
  add("a/film", film);
  film.back() ^= 1;
  add("b/film", film);
  film.front() ^= 1;
  add("c/film", film);
  HonestHost host({directory_ / "src"});
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, GetParam()).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.bytes + counters_.reused_bytes, 3 * kSize);
}

TEST_P(Copies, OfManyFilesOfOneSizeAllArrive) {
  for (std::uint32_t i = 0; i < 24; ++i) {
    add(std::string(i % 2 == 0 ? "a" : "b") + "/" + std::to_string(i), noise(i % 3));
  }
  HonestHost host({directory_ / "src"});
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, GetParam()).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.bytes + counters_.reused_bytes, 24 * kSize);
}

TEST_P(Copies, AreTakenAsTheyComeByWhoDoesNotLookForThem) {
  const std::string film = noise(1);
  add("a/film", film);
  add("b/film", film);
  HonestHost host({directory_ / "src"});
  Victim victim(host.address(), {.streams = 2, .finds_copies = false});
  ASSERT_TRUE(get(victim, GetParam()).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.bytes, 2 * kSize);
}

INSTANTIATE_TEST_SUITE_P(MayHave, Copies, ::testing::Bool());

TEST_F(CopiesTest, OfAFileThatFailedComeThemselves) {
  const std::string film = noise(1);
  add("a/film", film);
  add("b/film", film);
  add("c/film", film);
  fs::create_directories(directory_ / "dest/a/film");
  HonestHost host({directory_ / "src"});
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, /*may_have=*/true).has_value());
  EXPECT_EQ(failures_.all(), (std::map<std::string, Code>{{"a/film", Code::kExists}}));
  EXPECT_TRUE(tree_of(directory_ / "dest").at("b/film") == film);
  EXPECT_TRUE(tree_of(directory_ / "dest").at("c/film") == film);
  EXPECT_EQ(counters_.bytes, kSize) << "one of the two is the other's original";
  EXPECT_EQ(counters_.reused_bytes, kSize);
}

// It is there, so it need not come: nor do they.
// What stands there first need not be what the host takes for the original.
TEST_F(CopiesTest, AreComparedWithTheOneThatTheHostNames) {
  const std::string film = noise(1);
  add("a/film", film);
  add("b/other", noise(2));
  add("c/film", film);
  // In that order.
  HonestHost host({directory_ / "src/a", directory_ / "src/b", directory_ / "src/c"});
  fs::create_directory(directory_ / "dest/b");
  fs::copy_file(directory_ / "src/b/other", directory_ / "dest/b/other");
  fs::last_write_time(directory_ / "dest/b/other", fs::last_write_time(directory_ / "src/b/other"));
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, /*may_have=*/true).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.skipped_files, 1U);
  EXPECT_EQ(counters_.reused_bytes, kSize);
}

TEST_F(CopiesTest, OfAFileThatIsThereAlreadyDoNotCome) {
  const std::string film = noise(1);
  add("a/film", film);
  HonestHost host({directory_ / "src"});
  {
    Victim victim(host.address());
    ASSERT_TRUE(get(victim, /*may_have=*/true).has_value());
  }
  add("b/film", film);
  Victim victim(host.address());
  counters_.reused_bytes = 0;
  ASSERT_TRUE(get(victim, /*may_have=*/true).has_value());
  expect_the_same();
  EXPECT_EQ(counters_.reused_bytes, kSize);
}

// Held back by a host that was not asked to, or that does not say of what it is a copy.
TEST_F(CopiesTest, AreHeldBackOnlyWhereTheyAreLookedFor) {
  wire::Entry copy = file(wire::kNoEntry, "copy", kSize);
  copy.parent = 0;
  copy.copy_of = 1;
  for (const std::uint64_t size : {kSize, kReusableMinBytes - 1}) {
    copy.size = size;
    EvilHost host(answer([&](Talk& talk) {
      talk.begin_well();
      talk.entries(2, {copy});
      talk.end_well(3);
    }));
    Victim victim(host.address());
    TakeOptions options{.destination = {directory_ / "held"}};
    options.reuse = size < kReusableMinBytes;
    const auto got = victim.client().get("", std::move(options), failures_, counters_);
    ASSERT_FALSE(got.has_value()) << size;
    EXPECT_EQ(got.error().code, Code::kProtocol);
  }
}

// An "original" of another size, which is not even there yet.
TEST_F(CopiesTest, OfWhatCannotBeTheOriginalAreAskedForWhole) {
  const std::string film = noise(1);
  wire::Entry copy = file(0, "copy", kSize);
  copy.copy_of = 1;
  std::optional<wire::WantRanges> asked;
  EvilHost host(answer([&](Talk& talk) {
    talk.entries(0, {root_directory(), file(0, "ok", kOkContent.size()), copy});
    static_cast<void>(talk.first.hear_a<wire::WantRanges>());
    talk.give(1, kOkContent);
    while (!asked.has_value() || !asked->last) asked = talk.first.hear_a<wire::WantRanges>();
    for (std::size_t at = 0; at < kSize; at += kBlockBytes) {
      talk.first.data(talk.request, 2, at, std::string_view(film).substr(at, kBlockBytes));
    }
    talk.end_well(3);
  }));
  Victim victim(host.address());
  ASSERT_TRUE(get(victim, /*may_have=*/false).has_value());
  EXPECT_EQ(asked->ranges, (std::vector<RangeSet::Range>{{0, kSize}}));
  EXPECT_TRUE(tree_of(directory_ / "dest").at("copy") == film);
}

}  // namespace
}  // namespace wormhole::transfer::testing
