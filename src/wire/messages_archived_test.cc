// What is told of entries besides (Archived).
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "wire/messages.h"
#include "wire/messages_generated.h"
#include "wire/messages_testing.h"

namespace wormhole::wire {
namespace {

struct Limit {
  const char* what;
  Entries edge;
  Entries over;
};

Entries with_archived(auto set) {
  auto archived = std::make_shared<Archived>();
  set(*archived);
  Entry entry;
  entry.archived = archived;
  return Entries{1, 0, {entry}};
}

std::vector<Limit> archived_limits() {
  const auto owner = [](std::uint32_t n) {
    return with_archived([&](Archived& a) { a.owner = n; });
  };
  const auto group = [](std::uint32_t n) {
    return with_archived([&](Archived& a) { a.group = n; });
  };
  const auto owner_name = [](std::string name) {
    return with_archived([&](Archived& a) { a.owner_name = std::move(name); });
  };
  const auto group_name = [](std::string name) {
    return with_archived([&](Archived& a) { a.group_name = std::move(name); });
  };
  const auto nano = [](std::uint32_t n) {
    return with_archived([&](Archived& a) { a.atime_nanoseconds = n; });
  };
  const auto one = [](std::size_t name, std::size_t value) {
    return with_archived(
        [&](Archived& a) { a.attributes = {{std::string(name, 'n'), std::string(value, 'v')}}; });
  };
  const auto many = [](std::size_t n) {
    return with_archived([&](Archived& a) { a.attributes.assign(n, Attribute{"n", ""}); });
  };
  // Of several entries.
  const auto in_all = [](std::size_t entries, std::size_t attributes) {
    auto archived = std::make_shared<Archived>();
    archived->attributes.assign(attributes, Attribute{"n", ""});
    Entry entry;
    entry.archived = archived;
    return Entries{1, 0, std::vector<Entry>(entries, entry)};
  };
  const std::string long_name(kAccountNameMaxBytes, 'n');
  return {{"owner", owner(UINT32_MAX - 1), owner(UINT32_MAX)},
          {"group", group(UINT32_MAX - 1), group(UINT32_MAX)},
          {"owner's name", owner_name(long_name), owner_name(long_name + "n")},
          {"group's name", group_name(long_name), group_name(long_name + "n")},
          {"NUL in owner's name", owner_name("root"), owner_name(std::string("root\0x", 6))},
          {"NUL in group's name", group_name("root"), group_name(std::string("root\0x", 6))},
          {"access time", nano(999'999'999), nano(1'000'000'000)},
          {"attribute's name", one(kAttributeNameMaxBytes, 1), one(kAttributeNameMaxBytes + 1, 1)},
          {"no attribute's name", one(1, 0), one(0, 0)},
          {"attribute", one(1, kAttributesMaxBytes - 1), one(1, kAttributesMaxBytes)},
          {"attributes", many(kAttributesMax), many(kAttributesMax + 1)},
          {"attributes of all entries", in_all(kAttributesPerMessageMax / 64, 64),
           in_all(kAttributesPerMessageMax / 64 + 1, 64)}};
}

TEST(ArchivedMessages, LimitsAtTheEdgeAndOneOver) {
  for (const auto& [what, edge, over] : archived_limits()) {
    const auto good = decode(Encoded(edge).bytes());
    ASSERT_TRUE(good.has_value()) << what;
    EXPECT_EQ(*std::get<Entries>(*good).entries.back().archived, *edge.entries.back().archived);
    const auto bad = decode(Encoded(over).bytes());
    ASSERT_FALSE(bad.has_value()) << what;
    EXPECT_EQ(bad.error().code, Code::kProtocol) << what;
    EXPECT_FALSE(bad.error().detail.empty()) << what;
  }
}

TEST(ArchivedMessages, ASymlinkHasNoAttributes) {
  Archived archived{.attributes = {{"user.a", "1"}}};
  Entry entry;
  for (const EntryType type : {EntryType::kRegular, EntryType::kDirectory, EntryType::kSymlink}) {
    entry.type = type;
    entry.archived = std::make_shared<const Archived>(archived);
    EXPECT_EQ(decode(Encoded(Entries{1, 9, {entry}}).bytes()).has_value(),
              type != EntryType::kSymlink);
  }
}

// A buffer may hold a table once and name it a thousand times.
TEST(ArchivedMessages, AttributesOfAllEntriesFitWhatAMessageHolds) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<std::uint8_t> bytes(kAttributesMaxBytes - 1);
  const auto value = builder.CreateVector(bytes);
  const auto name = builder.CreateVector(std::vector<std::uint8_t>{'n'});
  const auto attribute = fb::CreateAttribute(builder, name, value);
  const auto attributes = builder.CreateVector(&attribute, 1);
  const auto kept = fb::CreateArchived(builder, 0, 0, 0, 0, attributes);
  fb::EntryBuilder one(builder);
  one.add_archived(kept);
  const auto entry = one.Finish();
  for (const std::size_t count : {2U, 3U, 1000U}) {
    auto copy = builder.CreateVector(std::vector(count, entry));
    const auto entries = fb::CreateEntries(builder, 1, 0, copy);
    builder.Finish(fb::CreateMessage(builder, fb::Body::Entries, entries.Union()));
    BlockPool pool(1);
    const Block block = pool.acquire();
    std::memcpy(block.payload().data(), builder.GetBufferPointer(), builder.GetSize());
    const auto decoded = decode(Bytes(block.payload()).first(builder.GetSize()));
    EXPECT_EQ(decoded.has_value(), count == 2) << count;
  }
}

TEST(ArchivedMessages, AttributesCostOfTheCredit) {
  Entry entry;
  EXPECT_EQ(entry.cost(), 1U);
  const auto with = [&](std::size_t bytes) {
    entry.archived = std::make_shared<const Archived>(
        Archived{.attributes = {{"n", std::string(bytes - 1, 'v')}}});
    return entry.cost();
  };
  EXPECT_EQ(with(1), 1U);
  EXPECT_EQ(with(1023), 1U);
  EXPECT_EQ(with(1024), 2U);
  EXPECT_EQ(with(kAttributesMaxBytes), 65U);
}

}  // namespace
}  // namespace wormhole::wire
