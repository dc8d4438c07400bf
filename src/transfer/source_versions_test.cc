#include "transfer/source_versions.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"

namespace wormhole::transfer {
namespace {

platform::FileStatus status() {
  return {.type = platform::FileType::kRegular,
          .size_bytes = kReusableMinBytes,
          .accessed = {},
          .modified = {1'600'000'000, 5},
          .changed = {1'700'000'000, 6},
          .device = 3,
          .inode = 77};
}

TEST(SourceVersions, AreTheSameForTheSameFileInAnotherProcess) {
  EXPECT_EQ(SourceVersions().of(status()), SourceVersions().of(status()));
  EXPECT_NE(SourceVersions().of(status()), 0U);
  auto after_a_boot = status();
  after_a_boot.device = 4;
  EXPECT_EQ(SourceVersions().of(after_a_boot), SourceVersions().of(status()));
}

TEST(SourceVersions, ChangeWithAnythingThatTellsOfAnotherContent) {
  const SourceVersions versions;
  std::set<std::uint64_t> all = {versions.of(status())};
  const auto add = [&](auto change) {
    auto changed = status();
    change(changed);
    EXPECT_TRUE(all.insert(versions.of(changed)).second);
  };
  add([](auto& s) { ++s.inode; });
  add([](auto& s) { ++s.size_bytes; });
  add([](auto& s) { ++s.modified.seconds; });
  add([](auto& s) { ++s.modified.nanoseconds; });
  add([](auto& s) { ++s.changed.seconds; });
  add([](auto& s) { ++s.changed.nanoseconds; });
}

TEST(SourceVersions, ShortFilesHaveNone) {
  auto small = status();
  --small.size_bytes;
  EXPECT_EQ(SourceVersions().of(small), 0U);
}

}  // namespace
}  // namespace wormhole::transfer
