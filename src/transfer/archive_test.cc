// What a giver tells of owners, attributes and access times, and what a taker makes of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "platform/ownership.h"
#include "transfer/archive_teller.h"
#include "transfer/connection_pair.h"
#include "transfer/giver.h"
#include "transfer/tree_builder_testing.h"
#include "transfer/tree_walker.h"

namespace wormhole::transfer {
namespace {

namespace fs = std::filesystem;
using platform::TestDirectory;
using wire::Archived;

constexpr wire::Keeps kArchive{.archive = true, .access_times = false};
constexpr wire::Keeps kTimes{.archive = false, .access_times = true};
constexpr wire::Keeps kBoth{.archive = true, .access_times = true};
constexpr std::uint32_t kSomebody = 123'456'789;

bool set(const fs::path& path, const char* name, std::string_view value) {
  return ::setxattr(path.c_str(), name, value.data(), value.size(), 0) == 0;
}
bool has_attributes() {
  const TestDirectory probe;
  probe.write("f", "");
  return set(probe / "f", "user.probe", "");
}
std::vector<Attribute> attributes(const fs::path& path) {
  auto file =
      platform::Directory::open_path(path.parent_path())->open_file(path.filename().string());
  if (!file.has_value()) return {};
  auto kept = platform::read_attributes(file->descriptor()).kept;
  std::ranges::sort(kept, {}, &Attribute::name);
  return kept;
}

// --- the giver ---------------------------------------------------------------------------------

class EntriesOf final : public WalkSink {
 public:
  std::optional<std::uint64_t> on_entry(wire::Entry entry, std::optional<FoundFile>) override {
    entries.push_back(std::move(entry));
    return entries.size() - 1;
  }
  [[nodiscard]] bool is_over() const override { return false; }
  void on_unreadable(std::uint64_t, std::string, const Error& error) override {
    ADD_FAILURE() << to_sentence(error);
  }
  // Of the entry of that name.
  [[nodiscard]] const Archived* of(const std::string& name) const {
    const auto found = std::ranges::find(entries, name, &wire::Entry::name);
    return found == entries.end() ? nullptr : found->archived.get();
  }
  std::vector<wire::Entry> entries;
};

class ArchiveTellerTest : public ::testing::Test {
 protected:
  ArchiveTellerTest() {
    fs::create_directory(there_ / "d");
    there_.write("d/f", "content");
    fs::create_symlink("f", there_ / "d/l");
  }
  EntriesOf walked(std::optional<wire::Keeps> keeps) {
    const auto shares = Shares::open({there_ / "d"}).value();
    EntriesOf all;
    std::optional<ArchiveTeller> teller;
    if (keeps.has_value()) teller.emplace(*keeps, accounts_);
    EXPECT_TRUE(walk(shares, shares.find("").value(), true, Selector::compile({}).value(), all,
                     teller.has_value() ? &*teller : nullptr));
    return all;
  }
  const TestDirectory there_;
  platform::Accounts accounts_{
      {.user_name = [](std::uint32_t number) { return "u" + std::to_string(number); },
       .group_name = [](std::uint32_t number) { return "g" + std::to_string(number); },
       .user_number = nullptr,
       .group_number = nullptr}};
};

TEST_F(ArchiveTellerTest, NothingIsToldUnasked) {
  for (const wire::Entry& entry : walked(std::nullopt).entries) EXPECT_EQ(entry.archived, nullptr);
}

TEST_F(ArchiveTellerTest, OwnersAreToldByNumberAndName) {
  const EntriesOf all = walked(kArchive);
  for (const char* name : {"d", "f", "l"}) {
    const Archived* told = all.of(name);
    ASSERT_NE(told, nullptr) << name;
    struct stat status{};
    ASSERT_EQ(
        ::lstat((name == std::string("d") ? there_ / "d" : there_ / "d" / name).c_str(), &status),
        0);
    EXPECT_EQ(told->owner, status.st_uid);
    EXPECT_EQ(told->group, status.st_gid);
    EXPECT_EQ(told->owner_name, "u" + std::to_string(status.st_uid));
    EXPECT_EQ(told->group_name, "g" + std::to_string(status.st_gid));
    EXPECT_EQ(told->atime_seconds, 0) << "nobody asked";
  }
  EXPECT_EQ(all.entries.back().archived, nullptr) << "the end of a directory";
}

TEST_F(ArchiveTellerTest, OnlyTimesAreToldWhereOnlyThoseWereAskedFor) {
  const timespec times[2] = {{-7, 9}, {5, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (there_ / "d/f").c_str(), times, 0), 0);
  static_cast<void>(set(there_ / "d/f", "user.a", "1"));
  EXPECT_EQ(*walked(kTimes).of("f"), (Archived{.atime_seconds = -7, .atime_nanoseconds = 9}));
  EXPECT_EQ(walked(kBoth).of("f")->atime_seconds, -7);
}

TEST_F(ArchiveTellerTest, AttributesAreTold) {
  if (!has_attributes()) GTEST_SKIP() << "no user attributes here";
  ASSERT_TRUE(set(there_ / "d/f", "user.a", "1"));
  ASSERT_TRUE(set(there_ / "d", "user.b", ""));
  const EntriesOf all = walked(kArchive);
  EXPECT_EQ(all.of("f")->attributes, (std::vector<Attribute>{{"user.a", "1"}}));
  EXPECT_EQ(all.of("d")->attributes, (std::vector<Attribute>{{"user.b", ""}}));
  EXPECT_TRUE(all.of("l")->attributes.empty());
}

// An entry that costs more than there is of the credit waits, and goes once that is there.
TEST(GiverOfAttributes, TheyCostOfTheCredit) {
  if (!has_attributes()) GTEST_SKIP() << "no user attributes here";
  const TestDirectory directory;
  directory.write("f", "");
  ASSERT_TRUE(set(directory / "f", "user.a", std::string(2500, 'v')));
  const auto shares = Shares::open({directory.path()});
  testing::ConnectionPair pair;
  BlockPool pool{4};
  ControlWriter control{*pair.near().writer, pool};
  Giver giver{*shares, control};
  std::thread writer([&] { static_cast<void>(control.run(nullptr)); });
  ASSERT_TRUE(giver.on_get({.request = 1, .path = "", .credit = 3, .keeps = kArchive}).has_value());
  const auto hear = [&]() -> std::optional<wire::Entries> {
    Block block = pool.acquire();
    while (true) {
      const auto header = pair.far().reader->receive(block);
      if (!header.has_value()) return std::nullopt;
      auto message = wire::decode(Bytes(block.payload()).first(header->payload_bytes));
      if (!message.has_value()) return std::nullopt;
      if (auto* heard = std::get_if<wire::Entries>(&*message)) return std::move(*heard);
    }
  };
  const auto root = hear();
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->entries.size(), 1u);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(giver.on_want({.request = 1, .files = {}, .decided = 2}).has_value())
      << "announced without credit for it";
  ASSERT_TRUE(giver.on_credit({1, 1}).has_value());
  const auto rest = hear();
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(rest->entries.front().cost(), 3u);
  giver.stop();
  control.close();
  writer.join();
}

// --- the taker ---------------------------------------------------------------------------------

wire::Entry with(wire::Entry entry, Archived archived) {
  entry.archived = std::make_shared<const Archived>(std::move(archived));
  return entry;
}
Archived ours() { return {.owner = ::geteuid(), .group = ::getegid()}; }
Archived ours(std::vector<Attribute> attributes) {
  Archived archived = ours();
  archived.attributes = std::move(attributes);
  return archived;
}

class ArchiveKeeperTest : public TreeBuilderTest {
 protected:
  void begin_keeping(wire::Keeps keeps, bool overwrite = false) {
    TakeOptions options;
    options.keeps = keeps;
    options.overwrite = overwrite;
    options.may_have = overwrite;
    begin_with(options);
    next_ = 0;
    wanted_ = {};
  }
  void take(const wire::Entry& one) {
    announce({with(root(), ours())});
    announce({one, end(0)});
    listed();
    if (one.type == wire::EntryType::kRegular && (!wanted_.whole.empty() || !overwrites_)) {
      data(1, std::string(one.size, 'x'));
    }
    EXPECT_TRUE(tree_->is_complete());
  }
  void expect_lost(std::uint64_t owners, std::uint64_t groups, std::uint64_t xattrs,
                   std::uint64_t acls) {
    EXPECT_EQ(counters_.owners_lost, owners);
    EXPECT_EQ(counters_.groups_lost, groups);
    EXPECT_EQ(counters_.xattrs_lost, xattrs);
    EXPECT_EQ(counters_.acls_lost, acls);
  }
  bool overwrites_ = false;
};

TEST_F(ArchiveKeeperTest, OwnersAreKeptOrCounted) {
  begin_keeping(kArchive);
  take(with(file("f", 0), {.owner = kSomebody, .group = kSomebody + 1}));
  if (::geteuid() == 0) {
    EXPECT_EQ(status(at("f")).owner, kSomebody);
    EXPECT_EQ(status(at("f")).group, kSomebody + 1);
    expect_lost(0, 0, 0, 0);
  } else {
    expect_lost(1, 1, 0, 0);
  }
  EXPECT_EQ(status(at("f")).mode, 0644u);
  EXPECT_EQ(read("f"), "xxx");
}

TEST_F(ArchiveKeeperTest, ANameIsTheUsersOfThatNameHere) {
  begin_keeping(kArchive);
  if (::geteuid() != 0) GTEST_SKIP() << "takes root";
  take(with(file("f", 0), {.owner = kSomebody,
                           .group = kSomebody,
                           .owner_name = "root",
                           .group_name = "no such group here"}));
  EXPECT_EQ(status(at("f")).owner, 0u);
  EXPECT_EQ(status(at("f")).group, kSomebody);
}

TEST_F(ArchiveKeeperTest, RootIsNobodyElseWhateverItsName) {
  begin_keeping(kArchive);
  if (::geteuid() != 0) GTEST_SKIP() << "takes root";
  take(with(file("f", 0), {.owner_name = "daemon", .group_name = "daemon"}));
  EXPECT_EQ(status(at("f")).owner, 0u);
  EXPECT_EQ(status(at("f")).group, 0u);
}

TEST_F(ArchiveKeeperTest, SetUserIdIsDroppedWhoeverOwnsIt) {
  begin_keeping(kArchive);
  wire::Entry entry = with(file("f", 0), {.owner = 0, .group = 0});
  entry.mode = 06755;
  take(entry);
  EXPECT_EQ(status(at("f")).mode, 0755u);
}

TEST_F(ArchiveKeeperTest, WhatAHostDoesNotTellIsLost) {
  begin_keeping(kArchive);
  take(file("f", 0));
  expect_lost(1, 1, 0, 0);
}

TEST_F(ArchiveKeeperTest, WhatAHostCouldNotTellIsLost) {
  begin_keeping(kArchive);
  Archived archived = ours();
  archived.left_out = 7;
  archived.has_capabilities = true;
  take(with(file("f", 0), archived));
  expect_lost(0, 0, 7, 0);
  EXPECT_EQ(counters_.capabilities_lost, 1u);
}

TEST_F(ArchiveKeeperTest, AttributesAreExactAndOnlyOnWhatWasAskedFor) {
  if (!has_attributes()) GTEST_SKIP() << "no user attributes here";
  begin_keeping(kArchive);
  const std::vector<Attribute> given = {{"user.a", std::string("\0\xff", 2)}, {"user.b", ""}};
  take(with(file("f", 0), ours(given)));
  EXPECT_EQ(attributes(at("f")), given);
  // Equal: as it is, but for who asks for more.
  const std::vector<Attribute> other = {{"user.a", "2"}, {"user.c", ""}};
  overwrites_ = true;
  begin_keeping(wire::Keeps{}, /*overwrite=*/true);
  announce({root()});
  announce({file("f", 0), end(0)});
  EXPECT_EQ(attributes(at("f")), given);
  begin_keeping(kArchive, /*overwrite=*/true);
  take(with(file("f", 0), ours(other)));
  EXPECT_EQ(attributes(at("f")), other);
  expect_lost(0, 0, 0, 0);
}

TEST_F(ArchiveKeeperTest, AccessTimesAreKeptWhereTheyWereAskedFor) {
  begin_keeping(kTimes);
  take(with(file("f", 0), {.owner = kSomebody, .atime_seconds = 77, .atime_nanoseconds = 8}));
  EXPECT_EQ(status(at("f")).accessed, (platform::Timestamp{77, 8}));
  EXPECT_EQ(status(at("f")).modified, time_of(file("f", 0)));
  EXPECT_EQ(status(at("f")).owner, ::geteuid()) << "not asked for";
  expect_lost(0, 0, 0, 0);
}

TEST_F(ArchiveKeeperTest, WhatWasNotAskedForEndsTheSession) {
  begin_keeping({});
  expect_protocol(try_announce({with(root(), {})}));
  begin_keeping(kTimes);
  announce({with(root(), {})});
  expect_protocol(try_announce({with(file("f", 0), ours({{"user.a", ""}}))}));
  for (const char* name : {"security.capability", "trusted.a", "system.data", "user."}) {
    begin_keeping(kArchive);
    announce({root()});
    expect_protocol(try_announce({with(file("f", 0), ours({{name, ""}}))}));
    EXPECT_FALSE(fs::exists(at("f")));
  }
}

// A directory whose handle made room for others is opened by its name once more.
TEST_F(ArchiveKeeperTest, ADirectoryThatTookAnothersPlaceIsLeftAsItIs) {
  begin_keeping(kArchive);
  announce({with(root(), ours())});
  announce({with(directory("d", 0, 0755), ours())});
  std::uint64_t id = 2;
  for (std::size_t i = 0; i < kOpenDirectoriesMax + 10; ++i, id += 2) {
    announce({with(directory("e" + std::to_string(i), 0), ours()), end(id)});
  }
  fs::rename(at("d"), at("moved"));
  fs::create_directory(at("d"));
  fs::permissions(at("d"), fs::perms(0711));
  announce({end(1), end(0)});
  listed();
  EXPECT_EQ(events_.failed, (std::map<std::string, Code>{{"d", Code::kChanged}}));
  EXPECT_EQ(status(at("d")).mode, 0711u);
  EXPECT_TRUE(tree_->is_complete());
}

TEST_F(ArchiveKeeperTest, AttributesCostCreditUntilTheyAreDoneWith) {
  begin_keeping(kArchive);
  const auto costly = [&](wire::Entry entry) {
    return with(std::move(entry), ours({{"user.a", std::string(2 * kKiB, 'v')}}));
  };
  announce({costly(root())});
  announce({costly(directory("d", 0)), costly(file("f", 0)), costly(file("empty", 0, 0)),
            link("l", 0, "t")});
  EXPECT_EQ(tree_->take_finished(), 3u + 1u) << "the empty file and the link";
  data(2, "xxx");
  EXPECT_EQ(tree_->take_finished(), 3u);
  announce({end(1)});
  EXPECT_EQ(tree_->take_finished(), 3u);
  announce({end(0)});
  EXPECT_EQ(tree_->take_finished(), 3u);
}

}  // namespace
}  // namespace wormhole::transfer
