#include "wire/messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "base/block.h"
#include "base/corpus_testing.h"
#include "base/document_testing.h"
#include "wire/messages_fuzz.h"
#include "wire/messages_testing.h"

namespace wormhole::wire {
namespace {

auto fields(const Hello& m) {
  return std::tie(m.version, m.features, m.streams_max, m.unencrypted, m.proof);
}
auto fields(const Join& m) { return std::tie(m.stream, m.gives); }
auto fields(const EndStream& m) { return std::tie(m.stream); }
auto fields(const Get& m) {
  return std::tie(m.request, m.path, m.may_have, m.credit, m.selection, m.keeps);
}
auto fields(const List& m) {
  return std::tie(m.request, m.path, m.recursive, m.credit, m.selection);
}
// Not what is shared by copies, but what it says.
std::optional<Archived> archived(const Entry& e) {
  return e.archived == nullptr ? std::nullopt : std::optional(*e.archived);
}
auto fields(const Entry& e) {
  return std::tuple_cat(
      std::tie(e.type, e.parent, e.name, e.size, e.mode, e.mtime_seconds, e.mtime_nanoseconds,
               e.target, e.sparse, e.version, e.copy_of, e.held, e.names, e.link_of),
      std::tuple(archived(e)));
}
auto fields(const Listed& m) { return std::tie(m.request, m.entries); }
auto fields(const Want& m) { return std::tie(m.request, m.files, m.decided); }
auto fields(const Credit& m) { return std::tie(m.request, m.entries); }
auto fields(const Failed& m) {
  return std::tie(m.request, m.has_file, m.file, m.parent, m.name, m.code, m.reason);
}
auto fields(const Refused& m) { return std::tie(m.request, m.code, m.reason, m.by_giver); }
auto fields(const Again& m) { return std::tie(m.request, m.file, m.offset, m.length); }
auto fields(const Cancel& m) { return std::tie(m.request); }
auto fields(const Ping& /*m*/) { return std::tuple<>(); }
auto fields(const Bye& /*m*/) { return std::tuple<>(); }
auto fields(const WantRanges& m) { return std::tie(m.request, m.file, m.ranges, m.last); }
auto fields(const WantChunks& m) { return std::tie(m.request, m.files); }
auto fields(const Chunks& m) { return std::tie(m.request, m.file, m.offset, m.chunks); }
auto fields(const WantFineChunks& m) { return std::tie(m.request, m.file, m.ranges); }
auto fields(const FineChunks& m) { return std::tie(m.request, m.file, m.offset, m.chunks); }
auto fields(const Put& m) {
  return std::tie(m.request, m.source, m.name, m.path, m.selection, m.overwrite, m.leaves,
                  m.checksum, m.reuse, m.sync, m.may_delete, m.dry_run, m.run, m.keeps, m.as_shown);
}
auto fields(const Taken& m) {
  return std::tie(m.request, m.last, m.all_announced, m.made_root, m.counts, m.root);
}
auto fields(const NotTaken& m) {
  return std::tie(m.request, m.path, m.code, m.by_giver, m.is_replaceable, m.reason);
}
auto fields(const Planned& m) {
  return std::tie(m.request, m.path, m.type, m.size, m.is_link, m.action, m.reason);
}

template <typename T>
bool same(const T& a, const T& b) {
  return fields(a) == fields(b);
}
bool same(const Entries& a, const Entries& b) {
  return a.request == b.request && a.first_id == b.first_id &&
         std::ranges::equal(a.entries, b.entries,
                            [](const Entry& x, const Entry& y) { return fields(x) == fields(y); });
}
bool same_message(const Message& a, const Message& b) {
  return a.index() == b.index() &&
         std::visit(
             [&](const auto& value) {
               return same(value, std::get<std::decay_t<decltype(value)>>(b));
             },
             a);
}

const std::string kBytes("a\0/\xff\xc3\n", 6);  // names and paths are bytes

// One of each kind, no field at its default.
Chunk chunk(std::uint32_t length) {
  Chunk made{.length = length};
  for (std::size_t i = 0; i < made.hash.size(); ++i) made.hash[i] = std::byte(i + length);
  return made;
}

// The document's.
HostProof some_proof() {
  const auto values = testing::documented_values("docs/formats/messages.md");
  HostProof proof;
  std::ranges::copy(from_hex(values.at("host key")).value(), proof.key.begin());
  std::ranges::copy(from_hex(values.at("signature")).value(), proof.signature.begin());
  return proof;
}

std::vector<Message> samples() {
  Entry file;
  file.parent = 0x1122334455667788;
  file.name = kBytes;
  file.size = kFileMaxBytes - 5;
  file.mode = 04755;
  file.mtime_seconds = -0x123456789a;
  file.mtime_nanoseconds = 999'999'999;
  file.sparse = true;
  file.version = 0x8877665544332211;
  file.copy_of = 0x0fffffffff;
  file.held = true;
  file.names = 0xfedcba98;
  Archived kept{.owner = 0xfffffffe,
                .group = 0x12345678,
                .owner_name = "an\xff",
                .group_name = "staff",
                .attributes = {{"user.empty", ""}, {kBytes, kBytes}},
                .left_out = 0xffffffff,
                .has_capabilities = true,
                .atime_seconds = -0x1122334455,
                .atime_nanoseconds = 999'999'998};
  file.archived = std::make_shared<const Archived>(kept);
  Entry name = file;
  name.archived = nullptr;
  name.copy_of = 0;
  name.held = false;
  name.names = 0;
  name.link_of = 0x0ffffffffe;
  Entry link = file;
  link.copy_of = 0;
  link.held = false;
  link.names = 0;
  link.type = EntryType::kSymlink;
  link.target = "../" + kBytes;
  kept.attributes.clear();
  link.archived = std::make_shared<const Archived>(kept);
  Entry directory = link;
  directory.target.clear();
  directory.type = EntryType::kDirectory;
  Entry end;
  end.type = EntryType::kDirectoryEnd;
  end.parent = 9;
  Put put{30, kBytes, kBytes + "n", kBytes + "p"};
  put.selection = {{{true, kBytes}, {false, "b"}}, 0x1234567890, true};
  put.overwrite = put.checksum = put.sync = put.may_delete = put.dry_run = true;
  put.leaves = Leaves::kAll;
  put.reuse = false;
  put.run = 0xfedcba9876543210;
  put.keeps = {true, true};
  put.as_shown = true;
  Taken taken{31, true, true, true};
  for (std::size_t i = 0; i < taken.counts.size(); ++i) taken.counts[i] = 0x0123456789abcdef + i;
  taken.root = kBytes;
  return {Hello{7, 0xfedcba9876543210, 63, true, some_proof()},
          Join{63, true},
          EndStream{1},
          Get{0x01020304,
              kBytes,
              true,
              77,
              {{{true, kBytes}, {false, "b"}}, 0x1234567890, true},
              {true, true}},
          List{0xffffffff, kBytes, true, 78, {{{false, kBytes}, {true, "c"}}, 0, true}},
          Entries{5, 0x1000000000, {file, name, link, directory, end}},
          Listed{6, 0xffffffffffffffff},
          Want{7, {1, 0, 0xffffffffffffffff}, 12},
          Credit{8, 79},
          Failed{9, true, 10, 11, kBytes, FailureCode::kUnsafeName, kBytes},
          Refused{12, FailureCode::kNotFound, kBytes, true},
          Again{13, 14, 15, 16},
          Cancel{17},
          Ping{},
          Bye{},
          WantRanges{18, 19, {{0, 1}, {1, 20}, {kFileMaxBytes - 21, 21}}, true},
          WantChunks{20, {21, 0, 0xffffffffffffffff}},
          Chunks{22, 23, 24, {chunk(1), chunk(kChunkMaxBytes), chunk(0x123456)}},
          WantFineChunks{25, 26, {{0, 1}, {1, 20}, {kFileMaxBytes - 21, 21}}},
          FineChunks{27, 28, 29, {chunk(1), chunk(kFineChunkMaxBytes), chunk(0x1234)}},
          put,
          taken,
          NotTaken{32, kBytes, FailureCode::kNotAllowed, true, true, kBytes},
          Planned{33, kBytes, EntryType::kSymlink, 34, true, Action::kDelete, kBytes}};
}

TEST(Messages, EveryFieldOfEveryMessageComesBack) {
  const auto all = samples();
  ASSERT_EQ(all.size(), std::variant_size_v<Message>);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].index(), i) << "one sample of each kind";
    const auto decoded = decode(Encoded(all[i]).bytes());
    ASSERT_TRUE(decoded.has_value()) << message_name(all[i]);
    EXPECT_TRUE(same_message(all[i], *decoded)) << message_name(all[i]);
  }
}

TEST(Messages, DefaultsComeBackToo) {
  const std::vector<Message> defaults = {Hello{},
                                         Get{0, "", false, 1},
                                         List{0, "", false, 1},
                                         Want{},
                                         Listed{},
                                         Failed{},
                                         Refused{},
                                         Cancel{},
                                         Entries{0, 0, {Entry{}}}};
  for (const Message& message : defaults) {
    const auto decoded = decode(Encoded(message).bytes());
    ASSERT_TRUE(decoded.has_value()) << message_name(message);
    EXPECT_TRUE(same_message(message, *decoded)) << message_name(message);
  }
}

Message with_entry(auto set) {
  Entry entry;
  set(entry);
  return Entries{1, 0, {entry}};
}

struct Limit {
  const char* what;
  Message edge;
  Message over;
};

std::vector<Limit> entry_limits() {
  const auto name = [](std::size_t n) {
    return with_entry([&](Entry& e) { e.name.assign(n, 'n'); });
  };
  const auto target = [](std::size_t n) {
    return with_entry([&](Entry& e) { e.target.assign(n, 't'); });
  };
  const auto size = [](std::uint64_t n) { return with_entry([&](Entry& e) { e.size = n; }); };
  const auto mode = [](std::uint16_t n) { return with_entry([&](Entry& e) { e.mode = n; }); };
  const auto nano = [](std::uint32_t n) {
    return with_entry([&](Entry& e) { e.mtime_nanoseconds = n; });
  };
  const auto type = [](int n) {
    return with_entry([&](Entry& e) { e.type = static_cast<EntryType>(n); });
  };
  const auto ids = [](std::uint64_t first) { return Entries{1, first, {Entry{}, Entry{}}}; };
  return {{"name", name(kNameMaxBytes), name(kNameMaxBytes + 1)},
          {"target", target(kSymlinkTargetMaxBytes), target(kSymlinkTargetMaxBytes + 1)},
          {"size", size(kFileMaxBytes), size(kFileMaxBytes + 1)},
          {"size, all bits", size(0), size(UINT64_MAX)},
          {"mode", mode(07777), mode(010000)},
          {"nanoseconds", nano(999'999'999), nano(1'000'000'000)},
          {"type", type(3), type(4)},
          {"type, all bits", type(0), type(255)},
          {"ids", ids(kNoEntry - 3), ids(kNoEntry - 2)},
          {"ids, last", ids(0), ids(UINT64_MAX)},
          {"entries", Entries{1, 0, std::vector<Entry>(kEntriesPerMessageMax)},
           Entries{1, 0, std::vector<Entry>(kEntriesPerMessageMax + 1)}},
          {"no entries", Entries{1, 0, {Entry{}}}, Entries{1, 0, {}}}};
}

std::vector<RangeSet::Range> consecutive(std::uint64_t count) {
  std::vector<RangeSet::Range> ranges;
  for (std::uint64_t i = 0; i < count; ++i) ranges.push_back({i, 1});
  return ranges;
}

std::vector<Limit> other_limits() {
  const auto code = [](int n) { return static_cast<FailureCode>(n); };
  const auto failed = [](std::string name, FailureCode failure, std::string reason) {
    return Failed{.name = std::move(name), .code = failure, .reason = std::move(reason)};
  };
  const std::string path(kPathMaxBytes, 'p');
  const std::string reason(kReasonMaxBytes, 'r');
  const std::string name(kNameMaxBytes, 'n');
  const auto io = FailureCode::kIo;
  const auto block = static_cast<std::uint32_t>(kBlockBytes);
  const auto selected = [](std::size_t rules, std::string pattern) {
    return Selection{.rules = std::vector<Rule>(rules, Rule{true, std::move(pattern)})};
  };
  const std::string half(kRulesMaxBytes / 2, 'h');
  return {
      {"Hello streams", Hello{.streams_max = 63}, Hello{.streams_max = 64}},
      {"Join high", Join{63}, Join{64}},
      {"Join low", Join{1}, Join{0}},
      {"EndStream high", EndStream{63}, EndStream{64}},
      {"EndStream low", EndStream{1}, EndStream{0}},
      {"Get path", Get{1, path, false, 1}, Get{1, path + "p", false, 1}},
      {"Get credit", Get{1, "", false, kOpenEntriesMax}, Get{1, "", false, kOpenEntriesMax + 1}},
      {"Get no credit", Get{1, "", false, 1}, Get{1, "", false, 0}},
      {"Get rules", Get{1, "", false, 1, selected(kRulesMax, "r")},
       Get{1, "", false, 1, selected(kRulesMax + 1, "r")}},
      {"Get rules' bytes", Get{1, path, false, 1, selected(2, half)},
       Get{1, path, false, 1, selected(2, half + "h")}},
      {"Get rule", Get{1, "", false, 1, selected(1, "r")}, Get{1, "", false, 1, selected(1, "")}},
      {"List rules", List{1, "", false, 1, selected(kRulesMax, "r")},
       List{1, "", false, 1, selected(kRulesMax + 1, "r")}},
      {"List path", List{1, path, false, 1}, List{1, path + "p", false, 1}},
      {"List credit", List{1, "", false, kOpenEntriesMax}, List{1, "", false, kOpenEntriesMax + 1}},
      {"List no credit", List{1, "", false, 1}, List{1, "", false, 0}},
      {"Credit", Credit{1, kOpenEntriesMax}, Credit{1, kOpenEntriesMax + 1}},
      {"Credit none", Credit{1, 1}, Credit{1, 0}},
      {"Want files", Want{1, std::vector<std::uint64_t>(kWantsPerMessageMax), 0},
       Want{1, std::vector<std::uint64_t>(kWantsPerMessageMax + 1), 0}},
      {"WantRanges ranges", WantRanges{1, 1, consecutive(kRangesPerMessageMax)},
       WantRanges{1, 1, consecutive(kRangesPerMessageMax + 1)}},
      {"WantRanges no length", WantRanges{1, 1, {{5, 1}}}, WantRanges{1, 1, {{5, 0}}}},
      {"WantRanges order", WantRanges{1, 1, {{0, 5}, {5, 5}}}, WantRanges{1, 1, {{0, 5}, {4, 5}}}},
      {"WantRanges end", WantRanges{1, 1, {{kFileMaxBytes - 1, 1}}},
       WantRanges{1, 1, {{kFileMaxBytes - 1, 2}}}},
      {"WantRanges offset", WantRanges{1, 1, {{1, 1}}}, WantRanges{1, 1, {{UINT64_MAX, 1}}}},
      {"WantRanges length", WantRanges{1, 1, {{1, 1}}}, WantRanges{1, 1, {{1, UINT64_MAX}}}},
      {"WantChunks files", WantChunks{1, std::vector<std::uint64_t>(kWantsPerMessageMax)},
       WantChunks{1, std::vector<std::uint64_t>(kWantsPerMessageMax + 1)}},
      {"WantChunks none", WantChunks{1, {0}}, WantChunks{1, {}}},
      {"Chunks", Chunks{1, 1, 0, std::vector<Chunk>(kChunksPerMessageMax, chunk(1))},
       Chunks{1, 1, 0, std::vector<Chunk>(kChunksPerMessageMax + 1, chunk(1))}},
      {"Chunks none", Chunks{1, 1, 0, {chunk(1)}}, Chunks{1, 1, 0, {}}},
      {"Chunks length", Chunks{1, 1, 0, {chunk(kChunkMaxBytes)}},
       Chunks{1, 1, 0, {chunk(kChunkMaxBytes + 1)}}},
      {"Chunks no length", Chunks{1, 1, 0, {chunk(1)}}, Chunks{1, 1, 0, {chunk(0)}}},
      {"Chunks end", Chunks{1, 1, kFileMaxBytes - 3, {chunk(1), chunk(2)}},
       Chunks{1, 1, kFileMaxBytes - 3, {chunk(2), chunk(2)}}},
      {"Chunks offset", Chunks{1, 1, 0, {chunk(1)}}, Chunks{1, 1, UINT64_MAX, {chunk(1)}}},
      {"WantFineChunks ranges", WantFineChunks{1, 1, consecutive(kRangesPerMessageMax)},
       WantFineChunks{1, 1, consecutive(kRangesPerMessageMax + 1)}},
      {"WantFineChunks no length", WantFineChunks{1, 1, {{5, 1}}}, WantFineChunks{1, 1, {{5, 0}}}},
      {"WantFineChunks order", WantFineChunks{1, 1, {{0, 5}, {5, 5}}},
       WantFineChunks{1, 1, {{0, 5}, {4, 5}}}},
      {"WantFineChunks end", WantFineChunks{1, 1, {{kFileMaxBytes - 1, 1}}},
       WantFineChunks{1, 1, {{kFileMaxBytes - 1, 2}}}},
      {"WantFineChunks offset", WantFineChunks{1, 1, {{1, 1}}},
       WantFineChunks{1, 1, {{UINT64_MAX, 1}}}},
      {"WantFineChunks length", WantFineChunks{1, 1, {{1, 1}}},
       WantFineChunks{1, 1, {{1, UINT64_MAX}}}},
      {"WantFineChunks none", WantFineChunks{1, 1, {{5, 1}}}, WantFineChunks{1, 1, {}}},
      {"FineChunks", FineChunks{1, 1, 0, std::vector<Chunk>(kChunksPerMessageMax, chunk(1))},
       FineChunks{1, 1, 0, std::vector<Chunk>(kChunksPerMessageMax + 1, chunk(1))}},
      {"FineChunks none", FineChunks{1, 1, 0, {chunk(1)}}, FineChunks{1, 1, 0, {}}},
      {"FineChunks length", FineChunks{1, 1, 0, {chunk(kFineChunkMaxBytes)}},
       FineChunks{1, 1, 0, {chunk(kFineChunkMaxBytes + 1)}}},
      {"FineChunks no length", FineChunks{1, 1, 0, {chunk(1)}}, FineChunks{1, 1, 0, {chunk(0)}}},
      {"FineChunks end", FineChunks{1, 1, kFileMaxBytes - 3, {chunk(1), chunk(2)}},
       FineChunks{1, 1, kFileMaxBytes - 3, {chunk(2), chunk(2)}}},
      {"FineChunks offset", FineChunks{1, 1, 0, {chunk(1)}},
       FineChunks{1, 1, UINT64_MAX, {chunk(1)}}},
      {"Failed name", failed(name, io, ""), failed(name + "n", io, "")},
      {"Failed reason", failed("", io, reason), failed("", io, reason + "r")},
      {"Failed code", failed("", code(7), ""), failed("", code(8), "")},
      {"Refused reason", Refused{1, io, reason}, Refused{1, io, reason + "r"}},
      {"Refused code", Refused{1, code(7), ""}, Refused{1, code(255), ""}},
      {"Put source", Put{1, path, name}, Put{1, path + "p", name}},
      {"Put name", Put{1, "", name}, Put{1, "", name + "n"}},
      {"Put path", Put{1, "", name, path}, Put{1, "", name, path + "p"}},
      {"Put leaves", Put{.request = 1, .leaves = Leaves::kAll},
       Put{.request = 1, .leaves = static_cast<Leaves>(3)}},
      {"Taken root", Taken{.request = 1, .root = path}, Taken{.request = 1, .root = path + "p"}},
      {"NotTaken path", NotTaken{1, path}, NotTaken{1, path + "p"}},
      {"NotTaken reason", NotTaken{1, "", io, false, false, reason},
       NotTaken{1, "", io, false, false, reason + "r"}},
      {"NotTaken code", NotTaken{1, "", code(7)}, NotTaken{1, "", code(8)}},
      {"Planned path", Planned{1, path}, Planned{1, path + "p"}},
      {"Planned reason", Planned{.request = 1, .reason = reason},
       Planned{.request = 1, .reason = reason + "r"}},
      {"Planned type", Planned{1, "", EntryType::kSymlink},
       Planned{1, "", EntryType::kDirectoryEnd}},
      {"Planned action", Planned{.request = 1, .action = Action::kDelete},
       Planned{.request = 1, .action = static_cast<Action>(6)}},
      {"Planned size", Planned{.request = 1, .size = kFileMaxBytes},
       Planned{.request = 1, .size = kFileMaxBytes + 1}},
      {"Again length", Again{1, 1, 0, block}, Again{1, 1, 0, block + 1}},
      {"Again no length", Again{1, 1, 0, 1}, Again{1, 1, 0, 0}},
      {"Again offset", Again{1, 1, kFileMaxBytes, 1}, Again{1, 1, kFileMaxBytes + 1, 1}}};
}

void expect_limits(const std::vector<Limit>& limits) {
  for (const auto& [what, edge, over] : limits) {
    const auto good = decode(Encoded(edge).bytes());
    ASSERT_TRUE(good.has_value()) << what;
    EXPECT_TRUE(same_message(edge, *good)) << what;
    const auto bad = decode(Encoded(over).bytes());
    ASSERT_FALSE(bad.has_value()) << what;
    EXPECT_EQ(bad.error().code, Code::kProtocol) << what;
    EXPECT_FALSE(bad.error().detail.empty()) << what;
  }
}

TEST(Messages, LimitsOfEntriesAtTheEdgeAndOneOver) { expect_limits(entry_limits()); }
TEST(Messages, OtherLimitsAtTheEdgeAndOneOver) { expect_limits(other_limits()); }

TEST(Messages, ACopyIsOfAnEarlierFile) {
  Entry copy;
  for (const std::uint64_t of : {0U, 1U, 8U, 9U, 10U, 11U}) {
    copy.copy_of = of;
    EXPECT_EQ(decode(Encoded(Entries{1, 9, {Entry{}, copy}}).bytes()).has_value(), of < 10) << of;
  }
  copy.copy_of = 1;
  copy.type = EntryType::kDirectory;
  EXPECT_FALSE(decode(Encoded(Entries{1, 9, {copy}}).bytes()).has_value());
}

TEST(Messages, AHardLinkIsOfAnEarlierEntryAndHasNothingOfItsOwn) {
  const auto is_taken = [](const Entry& entry) {
    return decode(Encoded(Entries{1, 9, {Entry{}, entry}}).bytes()).has_value();
  };
  Entry link;
  for (const std::uint64_t of : {0U, 1U, 8U, 9U, 10U, 11U}) {
    link.link_of = of;
    EXPECT_EQ(is_taken(link), of < 10) << of;
  }
  link.link_of = 1;
  for (const auto& change : std::vector<std::function<void(Entry&)>>{
           [](Entry& entry) { entry.type = EntryType::kDirectory; },
           [](Entry& entry) { entry.type = EntryType::kSymlink; },
           [](Entry& entry) { entry.copy_of = 1; }, [](Entry& entry) { entry.held = true; },
           [](Entry& entry) { entry.names = 2; },
           [](Entry& entry) { entry.archived = std::make_shared<const Archived>(); }}) {
    Entry changed = link;
    change(changed);
    EXPECT_FALSE(is_taken(changed));
  }
  Entry first;
  for (const std::uint32_t names : {0U, 1U, 2U, UINT32_MAX}) {
    first.names = names;
    EXPECT_EQ(is_taken(first), names != 1) << names;
  }
  first.type = EntryType::kDirectory;
  EXPECT_FALSE(is_taken(first));
}

TEST(Messages, OnlyFilesAreHeldBack) {
  Entry entry;
  entry.held = true;
  EXPECT_TRUE(decode(Encoded(Entries{1, 9, {entry}}).bytes()).has_value());
  entry.type = EntryType::kDirectory;
  EXPECT_FALSE(decode(Encoded(Entries{1, 9, {entry}}).bytes()).has_value());
}

TEST(Messages, AProofOfAnotherLengthIsRefused) {
  const Encoded hello(Hello{.proof = some_proof()});
  ByteVector bytes(hello.bytes().begin(), hello.bytes().end());
  const std::array<std::byte, 4> length = {std::byte{96}, std::byte{0}, std::byte{0}, std::byte{0}};
  const auto at = std::ranges::search(bytes, length).begin();
  ASSERT_NE(at, bytes.end());
  for (const int wrong : {0, 32, 64, 95}) {
    *at = std::byte(wrong);
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded.has_value()) << wrong;
    EXPECT_EQ(decoded.error().object, "Hello") << wrong;
  }
}

TEST(Messages, AWholeBatchOfEntriesComesBack) {
  Entries batch{3, 1000, {}};
  for (std::size_t i = 0; i < kEntriesPerMessageMax; ++i) {
    Entry entry;
    entry.parent = i;
    entry.name = "file " + std::to_string(i);
    entry.size = i * 3;
    batch.entries.push_back(entry);
  }
  const auto decoded = decode(Encoded(batch).bytes());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(same_message(batch, *decoded));
}

// A giver flushes once the estimate is past kEntriesBatchBytes: the entry that goes over it may
// be of any size.
TEST(Messages, WhatABatchMayHoldFitsAMessage) {
  Entry largest = std::get<Entries>(samples()[5]).entries[1];
  largest.name.assign(kNameMaxBytes, 'n');
  largest.target.assign(kSymlinkTargetMaxBytes, 't');
  largest.link_of = 0;
  Archived kept{.owner_name = std::string(kAccountNameMaxBytes, 'o'),
                .group_name = std::string(kAccountNameMaxBytes, 'g')};
  // The rest of what they may have in the last one.
  kept.attributes.assign(kAttributesMax, {"user.n", ""});
  kept.attributes.back().value.assign(kAttributesMaxBytes - kept.attribute_bytes(), 'v');
  largest.archived = std::make_shared<const Archived>(std::move(kept));
  for (const auto& [name_bytes, attributes] : std::vector<std::pair<std::size_t, std::size_t>>{
           {1, 0}, {7, 0}, {255, 0}, {1, 1}, {255, 2}, {1, kAttributesMax}}) {
    Entry each = largest;
    each.target.clear();
    each.name.assign(name_bytes, 'n');
    each.archived = nullptr;
    if (attributes > 0) {
      Archived few{.owner_name = "o", .group_name = "g"};
      few.attributes.assign(attributes, {"n", ""});
      each.archived = std::make_shared<const Archived>(std::move(few));
    }
    Entries batch{1, 0, {}};
    std::size_t estimate = 0;
    while (estimate + each.encoded_bytes() < kEntriesBatchBytes) {
      batch.entries.push_back(each);
      estimate += each.encoded_bytes();
    }
    batch.entries.push_back(largest);
    estimate += largest.encoded_bytes();
    ASSERT_LE(batch.entries.size(), kEntriesPerMessageMax);
    EXPECT_LE(Encoded(batch).bytes().size(), estimate + 256) << "the estimate is too low";
    EXPECT_LE(Encoded(batch).bytes().size(), kMessageMaxBytes);
    EXPECT_TRUE(decode(Encoded(batch).bytes()).has_value());
  }
}

TEST(Messages, WhatDoesNotFitIsNotEncoded) {
  Entry entry;
  entry.name.assign(kNameMaxBytes, 'n');
  const Entries batch{1, 0, std::vector<Entry>(kEntriesPerMessageMax, entry)};
  BlockPool pool(1);
  const Block block = pool.acquire();
  const auto over_limit = encode(batch, block.payload());
  ASSERT_FALSE(over_limit.has_value());
  EXPECT_EQ(over_limit.error().code, Code::kLimit);
  const std::size_t needed = Encoded(Cancel{1}).bytes().size();
  EXPECT_TRUE(encode(Cancel{1}, block.payload().first(needed)).has_value());
  EXPECT_FALSE(encode(Cancel{1}, block.payload().first(needed - 1)).has_value());
}

TEST(Messages, RefusesBuffersThatAreNoMessage) {
  BlockPool pool(1);
  const Block block = pool.acquire();
  std::ranges::fill(block.payload(), std::byte{0});
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, kMessageMaxBytes,
                                 kMessageMaxBytes + 1, kBlockBytes}) {
    const auto decoded = decode(Bytes(block.payload()).first(size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code, Code::kProtocol) << size;
  }
}

// fuzz_messages() asserts that what decodes keeps every limit.
TEST(Messages, TruncatedBuffersNeverGiveAnOverLimitValue) {
  for (const Message& message : samples()) {
    const Encoded encoded(message);
    for (std::size_t size = 0; size < encoded.bytes().size(); ++size) {
      fuzz_messages(encoded.bytes().first(size));
    }
  }
}

TEST(Messages, FlippedBitsNeverGiveAnOverLimitValue) {
  for (const Message& message : samples()) {
    const Encoded encoded(message);
    for (std::size_t bit = 0; bit < 8 * encoded.bytes().size(); ++bit) {
      encoded.bytes()[bit / 8] ^= std::byte(1U << (bit % 8));
      fuzz_messages(encoded.bytes());
      encoded.bytes()[bit / 8] ^= std::byte(1U << (bit % 8));
    }
  }
}

TEST(Messages, FuzzBodyOverRandomInputs) {
  constexpr std::uint64_t kSeed = 20'240'010;
  RecordProperty("seed", std::to_string(kSeed));
  std::mt19937_64 generator(kSeed);
  const auto all = samples();
  for (int round = 0; round < 20'000; ++round) {
    const Encoded encoded(all[generator() % all.size()]);
    const MutableBytes bytes = encoded.bytes();
    for (auto changes = 1 + generator() % 6; changes > 0; --changes) {
      bytes[generator() % bytes.size()] = std::byte(generator() % (round % 2 == 0 ? 8 : 256));
    }
    fuzz_messages(bytes);
  }
}

TEST(Messages, NamesAreThoseOfTheSchema) {
  std::string names;
  for (const Message& message : samples()) names += std::string(message_name(message)) + " ";
  EXPECT_EQ(names,
            "Hello Join EndStream Get List Entries Listed Want Credit Failed Refused Again Cancel "
            "Ping Bye WantRanges WantChunks Chunks WantFineChunks FineChunks Put Taken NotTaken "
            "Planned ");
}

// --- docs/formats/messages.md ------------------------------------------------------------------

std::vector<std::pair<std::string, Message>> example_session() {
  Entry root;
  root.type = EntryType::kDirectory;
  root.parent = kNoEntry;
  root.name = "photos";
  root.mode = 0755;
  root.mtime_seconds = 1'700'000'000;
  Entry file;
  file.parent = 0;
  file.name = "a.txt";
  file.size = 6;
  file.mode = 0644;
  file.mtime_seconds = 1'700'000'001;
  file.mtime_nanoseconds = 500'000'000;
  Entry end;
  end.type = EntryType::kDirectoryEnd;
  end.parent = 0;
  return {{"taker Hello", Hello{.streams_max = 2}},
          {"host Hello", Hello{.streams_max = 2, .proof = some_proof()}},
          {"Get", Get{1, "", true, 16'384}},
          {"Entries, root", Entries{1, 0, {root}}},
          {"Want, none", Want{1, {}, 1}},
          {"Entries, rest", Entries{1, 1, {file, end}}},
          {"Listed", Listed{1, 3}},
          {"Want, file", Want{1, {1}, 3}},
          {"Cancel", Cancel{1}},
          {"Bye", Bye{}}};
}

TEST(Messages, TheDocumentsExample) {
  const auto values = testing::documented_values("docs/formats/messages.md");
  for (const auto& [name, message] : example_session()) {
    if (!values.contains(name)) {
      ADD_FAILURE() << "missing: " << name << " = " << to_hex(Encoded(message).bytes());
      continue;
    }
    EXPECT_EQ(values.at(name), to_hex(Encoded(message).bytes())) << name;
    const auto bytes = from_hex(values.at(name));
    ASSERT_TRUE(bytes.has_value()) << name;
    BlockPool pool(1);
    const Block block = pool.acquire();
    std::ranges::copy(*bytes, block.payload().begin());
    const auto decoded = decode(Bytes(block.payload()).first(bytes->size()));
    ASSERT_TRUE(decoded.has_value()) << name;
    EXPECT_TRUE(same_message(message, *decoded)) << name;
  }
}

// Every number in the document's table of limits is the code's.
TEST(Messages, TheDocumentsLimits) {
  std::ifstream file(WORMHOLE_SOURCE_DIR "/docs/formats/messages.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::pair<const char*, std::uint64_t> limits[] = {
      {"message", kMessageMaxBytes},
      {"entries in one Entries", kEntriesPerMessageMax},
      {"files in one Want", kWantsPerMessageMax},
      {"ranges in one WantRanges", kRangesPerMessageMax},
      {"files in one WantChunks", kWantsPerMessageMax},
      {"ranges in one WantFineChunks", kRangesPerMessageMax},
      {"chunks in one Chunks", kChunksPerMessageMax},
      {"chunks in one FineChunks", kChunksPerMessageMax},
      {"length of a chunk", kChunkMaxBytes},
      {"length of a fine chunk", kFineChunkMaxBytes},
      {"name", kNameMaxBytes},
      {"path", kPathMaxBytes},
      {"symlink target", kSymlinkTargetMaxBytes},
      {"reason", kReasonMaxBytes},
      {"file size and offset", kFileMaxBytes},
      {"credit", kOpenEntriesMax},
      {"length in Again", kBlockBytes},
      {"stream numbers", kStreamsMax - 1},
      {"name of a user or group", kAccountNameMaxBytes},
      {"attributes of an entry", kAttributesMax},
      {"their names and values together", kAttributesMaxBytes},
      {"name of an attribute", kAttributeNameMaxBytes},
      {"attributes in one Entries", kAttributesPerMessageMax},
  };
  for (const auto& [what, limit] : limits) {
    const std::string row = "| " + std::string(what) + " | " + std::to_string(limit) + " |";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}

TEST(Messages, FuzzBodyOverTheCommittedCorpus) {
  EXPECT_GT(wormhole::testing::run_corpus("wire", "messages_fuzz", fuzz_messages), 0U);
}

}  // namespace
}  // namespace wormhole::wire
