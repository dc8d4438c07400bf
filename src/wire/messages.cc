#include "wire/messages.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <ranges>

#include "base/check.h"
#include "wire/messages_generated.h"

namespace wormhole::wire {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using ByteField = Offset<flatbuffers::Vector<std::uint8_t>>;

// Deepest nesting of the schema is 5 (Message, Entries, Entry, Archived, Attribute); tables are
// bounded by the batch.
constexpr std::size_t kVerifierDepth = 8;
constexpr std::size_t kVerifierTables = 2 * kEntriesPerMessageMax + kAttributesPerMessageMax + 16;

constexpr std::size_t kHashBytes = sizeof(Chunk::hash);

static_assert(kChunksPerMessageMax * (kHashBytes + 4) < kMessageMaxBytes);
static_assert(kMessageMaxBytes <= kBlockBytes, "a message fits one frame");

ByteField put_bytes(FlatBufferBuilder& builder, std::string_view text) {
  if (text.empty()) return 0;
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::string get_bytes(const flatbuffers::Vector<std::uint8_t>* field) {
  if (field == nullptr) return {};
  return {reinterpret_cast<const char*>(field->data()), field->size()};
}

Error broken(std::string_view message, std::string_view why) {
  return {.code = Code::kProtocol,
          .operation = "read control message",
          .object = std::string(message),
          .detail = std::string(why)};
}

// --- encode: one overload a message, each returns the union member -----------------------------

template <typename T>
struct Body {
  fb::Body type;
  Offset<T> offset;
};

auto put(FlatBufferBuilder& b, const Hello& m) {
  ByteField proof = 0;
  if (m.proof.has_value()) {
    std::string both(as_text(m.proof->key));
    both += as_text(m.proof->signature);
    proof = put_bytes(b, both);
  }
  return Body{fb::Body::Hello,
              fb::CreateHello(b, m.version, m.features, m.streams_max, m.unencrypted, proof)};
}
auto put(FlatBufferBuilder& b, const Join& m) {
  return Body{fb::Body::Join, fb::CreateJoin(b, m.stream, m.gives)};
}
auto put(FlatBufferBuilder& b, const EndStream& m) {
  return Body{fb::Body::EndStream, fb::CreateEndStream(b, m.stream)};
}
auto put_rules(FlatBufferBuilder& b, const std::vector<Rule>& from) {
  std::vector<Offset<fb::Rule>> rules;
  rules.reserve(from.size());
  for (const Rule& rule : from) {
    const auto pattern = put_bytes(b, rule.pattern);
    rules.push_back(fb::CreateRule(b, rule.excludes, pattern));
  }
  return rules.empty() ? Offset<flatbuffers::Vector<Offset<fb::Rule>>>(0) : b.CreateVector(rules);
}
auto put(FlatBufferBuilder& b, const Get& m) {
  const auto path = put_bytes(b, m.path);
  const auto rules = put_rules(b, m.selection.rules);
  return Body{
      fb::Body::Get,
      fb::CreateGet(b, m.request, path, m.may_have, m.credit, rules, m.selection.size_max_bytes,
                    m.selection.honours_ignore_files, m.keeps.archive, m.keeps.access_times)};
}
auto put(FlatBufferBuilder& b, const List& m) {
  const auto path = put_bytes(b, m.path);
  const auto rules = put_rules(b, m.selection.rules);
  return Body{fb::Body::List,
              fb::CreateList(b, m.request, path, m.recursive, m.credit, rules,
                             m.selection.size_max_bytes, m.selection.honours_ignore_files)};
}
Offset<fb::Archived> put_archived(FlatBufferBuilder& b, const Archived& a) {
  std::vector<Offset<fb::Attribute>> attributes;
  attributes.reserve(a.attributes.size());
  for (const Attribute& one : a.attributes) {
    const auto name = put_bytes(b, one.name);
    const auto value = put_bytes(b, one.value);
    attributes.push_back(fb::CreateAttribute(b, name, value));
  }
  const auto owner_name = put_bytes(b, a.owner_name);
  const auto group_name = put_bytes(b, a.group_name);
  const auto vector = attributes.empty() ? Offset<flatbuffers::Vector<Offset<fb::Attribute>>>(0)
                                         : b.CreateVector(attributes);
  return fb::CreateArchived(b, a.owner, a.group, owner_name, group_name, vector, a.left_out,
                            a.has_capabilities, a.atime_seconds, a.atime_nanoseconds);
}
auto put(FlatBufferBuilder& b, const Entries& m) {
  std::vector<Offset<fb::Entry>> entries;
  entries.reserve(m.entries.size());
  for (const Entry& e : m.entries) {
    const auto name = put_bytes(b, e.name);
    const auto target = put_bytes(b, e.target);
    const auto archived =
        e.archived == nullptr ? Offset<fb::Archived>(0) : put_archived(b, *e.archived);
    entries.push_back(fb::CreateEntry(b, static_cast<fb::EntryType>(e.type), e.parent, name, e.size,
                                      e.mode, e.mtime_seconds, e.mtime_nanoseconds, target,
                                      e.sparse, e.version, e.copy_of, e.held, e.names, e.link_of,
                                      archived));
  }
  const auto vector = b.CreateVector(entries);
  return Body{fb::Body::Entries, fb::CreateEntries(b, m.request, m.first_id, vector)};
}
auto put(FlatBufferBuilder& b, const Listed& m) {
  return Body{fb::Body::Listed, fb::CreateListed(b, m.request, m.entries)};
}
auto put(FlatBufferBuilder& b, const Want& m) {
  const auto files = b.CreateVector(m.files);
  return Body{fb::Body::Want, fb::CreateWant(b, m.request, files, m.decided)};
}
auto put(FlatBufferBuilder& b, const Credit& m) {
  return Body{fb::Body::Credit, fb::CreateCredit(b, m.request, m.entries)};
}
auto put(FlatBufferBuilder& b, const Failed& m) {
  const auto name = put_bytes(b, m.name);
  const auto reason = put_bytes(b, m.reason);
  return Body{fb::Body::Failed, fb::CreateFailed(b, m.request, m.has_file, m.file, m.parent, name,
                                                 static_cast<std::uint8_t>(m.code), reason)};
}
auto put(FlatBufferBuilder& b, const Refused& m) {
  const auto reason = put_bytes(b, m.reason);
  return Body{fb::Body::Refused, fb::CreateRefused(b, m.request, static_cast<std::uint8_t>(m.code),
                                                   reason, m.by_giver)};
}
auto put(FlatBufferBuilder& b, const Again& m) {
  return Body{fb::Body::Again, fb::CreateAgain(b, m.request, m.file, m.offset, m.length)};
}
auto put(FlatBufferBuilder& b, const Cancel& m) {
  return Body{fb::Body::Cancel, fb::CreateCancel(b, m.request)};
}
auto put(FlatBufferBuilder& b, const Ping&) { return Body{fb::Body::Ping, fb::CreatePing(b)}; }
auto put(FlatBufferBuilder& b, const Bye&) { return Body{fb::Body::Bye, fb::CreateBye(b)}; }
auto put_ranges(FlatBufferBuilder& b, const std::vector<RangeSet::Range>& from) {
  std::vector<fb::Range> ranges;
  ranges.reserve(from.size());
  for (const RangeSet::Range& range : from) ranges.emplace_back(range.offset, range.length);
  return b.CreateVectorOfStructs(ranges);
}
auto put(FlatBufferBuilder& b, const WantRanges& m) {
  const auto ranges = put_ranges(b, m.ranges);
  return Body{fb::Body::WantRanges, fb::CreateWantRanges(b, m.request, m.file, ranges, m.last)};
}
auto put(FlatBufferBuilder& b, const WantChunks& m) {
  const auto files = b.CreateVector(m.files);
  return Body{fb::Body::WantChunks, fb::CreateWantChunks(b, m.request, files)};
}
auto put_chunks(FlatBufferBuilder& b, const std::vector<Chunk>& chunks) {
  std::vector<std::uint32_t> lengths;
  std::vector<std::uint8_t> hashes;
  lengths.reserve(chunks.size());
  hashes.reserve(chunks.size() * kHashBytes);
  for (const Chunk& chunk : chunks) {
    lengths.push_back(chunk.length);
    for (const std::byte byte : chunk.hash) hashes.push_back(std::to_integer<std::uint8_t>(byte));
  }
  const auto lengths_at = b.CreateVector(lengths);
  return std::pair(lengths_at, b.CreateVector(hashes));
}
auto put(FlatBufferBuilder& b, const Chunks& m) {
  const auto [lengths, hashes] = put_chunks(b, m.chunks);
  return Body{fb::Body::Chunks, fb::CreateChunks(b, m.request, m.file, m.offset, lengths, hashes)};
}
auto put(FlatBufferBuilder& b, const WantFineChunks& m) {
  const auto ranges = put_ranges(b, m.ranges);
  return Body{fb::Body::WantFineChunks, fb::CreateWantFineChunks(b, m.request, m.file, ranges)};
}
auto put(FlatBufferBuilder& b, const FineChunks& m) {
  const auto [lengths, hashes] = put_chunks(b, m.chunks);
  return Body{fb::Body::FineChunks,
              fb::CreateFineChunks(b, m.request, m.file, m.offset, lengths, hashes)};
}

auto put(FlatBufferBuilder& b, const Put& m) {
  const auto source = put_bytes(b, m.source);
  const auto name = put_bytes(b, m.name);
  const auto path = put_bytes(b, m.path);
  const auto rules = put_rules(b, m.selection.rules);
  return Body{
      fb::Body::Put,
      fb::CreatePut(b, m.request, source, name, path, rules, m.selection.size_max_bytes,
                    m.selection.honours_ignore_files, m.overwrite,
                    static_cast<std::uint8_t>(m.leaves), m.checksum, m.reuse, m.sync, m.may_delete,
                    m.dry_run, m.run, m.keeps.archive, m.keeps.access_times, m.as_shown)};
}
auto put(FlatBufferBuilder& b, const Taken& m) {
  const auto counts = b.CreateVector(m.counts.data(), m.counts.size());
  const auto root = put_bytes(b, m.root);
  return Body{fb::Body::Taken,
              fb::CreateTaken(b, m.request, m.last, m.all_announced, m.made_root, counts, root)};
}
auto put(FlatBufferBuilder& b, const NotTaken& m) {
  const auto path = put_bytes(b, m.path);
  const auto reason = put_bytes(b, m.reason);
  return Body{fb::Body::NotTaken,
              fb::CreateNotTaken(b, m.request, path, static_cast<std::uint8_t>(m.code), m.by_giver,
                                 reason, m.is_replaceable)};
}
auto put(FlatBufferBuilder& b, const Planned& m) {
  const auto path = put_bytes(b, m.path);
  const auto reason = put_bytes(b, m.reason);
  return Body{fb::Body::Planned,
              fb::CreatePlanned(b, m.request, path, static_cast<fb::EntryType>(m.type), m.size,
                                m.is_link, static_cast<std::uint8_t>(m.action), reason)};
}

// --- decode: one function a message ------------------------------------------------------------

Result<std::string> bounded(const flatbuffers::Vector<std::uint8_t>* field, std::size_t max_bytes,
                            std::string_view message, std::string_view what) {
  if (field != nullptr && field->size() > max_bytes) {
    return fail(broken(message, std::string(what) + " is too long"));
  }
  return get_bytes(field);
}

Result<FailureCode> failure_code(std::uint8_t code, std::string_view message) {
  if (code > static_cast<std::uint8_t>(FailureCode::kNotAllowed)) {
    return fail(broken(message, "unknown failure code"));
  }
  return static_cast<FailureCode>(code);
}

Result<std::uint32_t> credit_of(std::uint32_t entries, std::string_view message) {
  if (entries == 0 || entries > kOpenEntriesMax) {
    return fail(broken(message, "credit out of range"));
  }
  return entries;
}

Result<Message> take(const fb::Hello& m) {
  if (m.streams_max() >= kStreamsMax) return fail(broken("Hello", "too many streams"));
  Hello hello{m.version(), m.features(), m.streams_max(), m.unencrypted()};
  if (m.proof() == nullptr) return hello;
  HostProof proof;
  if (m.proof()->size() != proof.key.size() + proof.signature.size()) {
    return fail(broken("Hello", "a proof of another length"));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(m.proof()->data());
  std::copy_n(bytes, proof.key.size(), proof.key.begin());
  std::copy_n(bytes + proof.key.size(), proof.signature.size(), proof.signature.begin());
  hello.proof = proof;
  return hello;
}
Result<Message> take(const fb::Join& m) {
  if (m.stream() == 0 || m.stream() >= kStreamsMax) {
    return fail(broken("Join", "stream out of range"));
  }
  return Join{m.stream(), m.gives()};
}
Result<Message> take(const fb::EndStream& m) {
  if (m.stream() == 0 || m.stream() >= kStreamsMax) {
    return fail(broken("EndStream", "stream out of range"));
  }
  return EndStream{m.stream()};
}
template <typename Table>
Result<Selection> selection_of(const Table& m, std::string_view message) {
  Selection selection{.size_max_bytes = m.size_max(), .honours_ignore_files = m.ignore_files()};
  if (m.rules() == nullptr) return selection;
  if (m.rules()->size() > kRulesMax) return fail(broken(message, "too many rules"));
  std::size_t left = kRulesMaxBytes;
  for (const fb::Rule* rule : *m.rules()) {
    if (rule == nullptr) return fail(broken(message, "missing rule"));
    WH_ASSIGN(auto pattern, bounded(rule->pattern(), left, message, "rules"));
    if (pattern.empty()) return fail(broken(message, "a rule without a pattern"));
    left -= pattern.size();
    selection.rules.push_back({rule->excludes(), std::move(pattern)});
  }
  return selection;
}
Result<Message> take(const fb::Get& m) {
  WH_ASSIGN(auto path, bounded(m.path(), kPathMaxBytes, "Get", "path"));
  WH_ASSIGN(const auto credit, credit_of(m.credit(), "Get"));
  WH_ASSIGN(auto selection, selection_of(m, "Get"));
  return Get{m.request(), std::move(path),      m.may_have(),
             credit,      std::move(selection), {m.archive(), m.access_times()}};
}
Result<Message> take(const fb::List& m) {
  WH_ASSIGN(auto path, bounded(m.path(), kPathMaxBytes, "List", "path"));
  WH_ASSIGN(const auto credit, credit_of(m.credit(), "List"));
  WH_ASSIGN(auto selection, selection_of(m, "List"));
  return List{m.request(), std::move(path), m.recursive(), credit, std::move(selection)};
}

Result<std::string> account_name(const flatbuffers::Vector<std::uint8_t>* field) {
  WH_ASSIGN(auto name, bounded(field, kAccountNameMaxBytes, "Entries", "a name of an account"));
  if (name.find('\0') != std::string::npos) return fail(broken("Entries", "a name with a NUL"));
  return name;
}

// What all entries of a message may still have: tables can be shared in a buffer, and would be as
// many strings here.
struct AttributesLeft {
  std::size_t count = kAttributesPerMessageMax;
  std::size_t bytes = kMessageMaxBytes;
};

Result<std::vector<Attribute>> attributes_of(
    const flatbuffers::Vector<flatbuffers::Offset<fb::Attribute>>* from, AttributesLeft& left) {
  std::vector<Attribute> out;
  if (from == nullptr) return out;
  if (from->size() > std::min(kAttributesMax, left.count)) {
    return fail(broken("Entries", "too many attributes"));
  }
  left.count -= from->size();
  std::size_t room = std::min(kAttributesMaxBytes, left.bytes);
  for (const fb::Attribute* one : *from) {
    if (one == nullptr) return fail(broken("Entries", "missing attribute"));
    WH_ASSIGN(auto name, bounded(one->name(), std::min(kAttributeNameMaxBytes, room), "Entries",
                                 "a name of an attribute"));
    if (name.empty()) return fail(broken("Entries", "an attribute without a name"));
    room -= name.size();
    left.bytes -= name.size();
    WH_ASSIGN(auto value, bounded(one->value(), room, "Entries", "an attribute"));
    room -= value.size();
    left.bytes -= value.size();
    out.push_back({std::move(name), std::move(value)});
  }
  return out;
}

Result<std::shared_ptr<const Archived>> take_archived(const fb::Archived& a, EntryType type,
                                                      AttributesLeft& left) {
  constexpr std::uint32_t kNobody = UINT32_MAX;  // chown(2) takes it for "as it is"
  if (a.owner() == kNobody || a.group() == kNobody) {
    return fail(broken("Entries", "an owner out of range"));
  }
  if (a.atime_nanoseconds() >= 1'000'000'000) return fail(broken("Entries", "time out of range"));
  auto archived = std::make_shared<Archived>();
  archived->owner = a.owner();
  archived->group = a.group();
  WH_ASSIGN(archived->owner_name, account_name(a.owner_name()));
  WH_ASSIGN(archived->group_name, account_name(a.group_name()));
  WH_ASSIGN(archived->attributes, attributes_of(a.attributes(), left));
  const bool may_have_some = type == EntryType::kRegular || type == EntryType::kDirectory;
  if (!archived->attributes.empty() && !may_have_some) {
    return fail(broken("Entries", "attributes of a symlink"));
  }
  archived->left_out = a.left_out();
  archived->has_capabilities = a.capabilities();
  archived->atime_seconds = a.atime_seconds();
  archived->atime_nanoseconds = a.atime_nanoseconds();
  return archived;
}

Result<Entry> take_entry(const fb::Entry& e, AttributesLeft& left) {
  Entry entry;
  if (e.type() > fb::EntryType::DirectoryEnd) return fail(broken("Entries", "unknown type"));
  entry.type = static_cast<EntryType>(e.type());
  entry.parent = e.parent();
  WH_ASSIGN(entry.name, bounded(e.name(), kNameMaxBytes, "Entries", "name"));
  WH_ASSIGN(entry.target, bounded(e.target(), kSymlinkTargetMaxBytes, "Entries", "target"));
  if (e.size() > kFileMaxBytes) return fail(broken("Entries", "file is too large"));
  if (e.mode() > 07777) return fail(broken("Entries", "mode out of range"));
  if (e.mtime_nanoseconds() >= 1'000'000'000) return fail(broken("Entries", "time out of range"));
  entry.size = e.size();
  entry.mode = e.mode();
  entry.mtime_seconds = e.mtime_seconds();
  entry.mtime_nanoseconds = e.mtime_nanoseconds();
  entry.sparse = e.sparse();
  entry.version = e.version();
  entry.copy_of = e.copy_of();
  entry.held = e.held();
  entry.names = e.names();
  entry.link_of = e.link_of();
  if (e.archived() != nullptr) {
    WH_ASSIGN(entry.archived, take_archived(*e.archived(), entry.type, left));
  }
  return entry;
}

Result<Message> take(const fb::Entries& m) {
  Entries out{m.request(), m.first_id(), {}};
  const auto* entries = m.entries();
  if (entries == nullptr || entries->size() == 0) return fail(broken("Entries", "is empty"));
  if (entries->size() > kEntriesPerMessageMax) return fail(broken("Entries", "too many"));
  if (m.first_id() > kNoEntry - 1 - entries->size()) return fail(broken("Entries", "id overflows"));
  out.entries.reserve(entries->size());
  AttributesLeft left;
  for (const fb::Entry* e : *entries) {
    if (e == nullptr) return fail(broken("Entries", "missing entry"));
    WH_ASSIGN(auto entry, take_entry(*e, left));
    const std::uint64_t id = out.first_id + out.entries.size();
    const bool may_be_a_copy = entry.type == EntryType::kRegular && entry.copy_of < id;
    if (entry.copy_of != 0 && !may_be_a_copy) return fail(broken("Entries", "a copy of nothing"));
    if (entry.held && entry.type != EntryType::kRegular) {
      return fail(broken("Entries", "held back, and no file"));
    }
    const bool may_be_a_link = entry.type == EntryType::kRegular && entry.link_of < id &&
                               entry.copy_of == 0 && !entry.held && entry.names == 0 &&
                               entry.archived == nullptr;
    if (entry.link_of != 0 && !may_be_a_link) return fail(broken("Entries", "a link of nothing"));
    if (entry.names == 1 || (entry.names != 0 && entry.type != EntryType::kRegular)) {
      return fail(broken("Entries", "a count of names that says nothing"));
    }
    out.entries.push_back(std::move(entry));
  }
  return out;
}
Result<Message> take(const fb::Listed& m) { return Listed{m.request(), m.entries()}; }
// Copied as bytes: the verifier sees that the vector lies inside the buffer, but not that its
// elements are aligned, and a peer may place them anywhere.
template <typename T>
std::vector<T> copied(const flatbuffers::Vector<T>* field) {
  std::vector<T> values(field == nullptr ? 0 : field->size());
  if (!values.empty()) std::memcpy(values.data(), field->Data(), values.size() * sizeof(T));
  return values;
}

Result<Message> take(const fb::Want& m) {
  if (m.files() != nullptr && m.files()->size() > kWantsPerMessageMax) {
    return fail(broken("Want", "too many files"));
  }
  return Want{m.request(), copied(m.files()), m.decided()};
}
Result<Message> take(const fb::Credit& m) {
  WH_ASSIGN(const auto entries, credit_of(m.entries(), "Credit"));
  return Credit{m.request(), entries};
}
Result<Message> take(const fb::Failed& m) {
  WH_ASSIGN(auto name, bounded(m.name(), kNameMaxBytes, "Failed", "name"));
  WH_ASSIGN(auto reason, bounded(m.reason(), kReasonMaxBytes, "Failed", "reason"));
  WH_ASSIGN(const auto code, failure_code(m.code(), "Failed"));
  return Failed{m.request(),     m.has_file(), m.file(),         m.parent(),
                std::move(name), code,         std::move(reason)};
}
Result<Message> take(const fb::Refused& m) {
  WH_ASSIGN(auto reason, bounded(m.reason(), kReasonMaxBytes, "Refused", "reason"));
  WH_ASSIGN(const auto code, failure_code(m.code(), "Refused"));
  return Refused{m.request(), code, std::move(reason), m.by_giver()};
}
Result<Message> take(const fb::Again& m) {
  if (m.length() == 0 || m.length() > kBlockBytes || m.offset() > kFileMaxBytes) {
    return fail(broken("Again", "range out of bounds"));
  }
  return Again{m.request(), m.file(), m.offset(), m.length()};
}
Result<Message> take(const fb::Cancel& m) { return Cancel{m.request()}; }
Result<Message> take(const fb::Ping&) { return Ping{}; }
Result<Message> take(const fb::Bye&) { return Bye{}; }
Result<std::vector<RangeSet::Range>> ranges_of(const flatbuffers::Vector<const fb::Range*>* ranges,
                                               std::string_view message) {
  std::vector<RangeSet::Range> out;
  if (ranges == nullptr) return out;
  if (ranges->size() > kRangesPerMessageMax) return fail(broken(message, "too many"));
  out.resize(ranges->size());
  std::uint64_t behind = 0;  // the range before
  const std::uint8_t* at = ranges->Data();
  for (RangeSet::Range& range : out) {
    // Copied as bytes, as in Want.
    std::memcpy(&range.offset, at, sizeof range.offset);
    std::memcpy(&range.length, at + sizeof range.offset, sizeof range.length);
    at += sizeof(fb::Range);
    if (range.offset < behind || range.offset > kFileMaxBytes || range.length == 0 ||
        range.length > kFileMaxBytes - range.offset) {
      return fail(broken(message, "range out of bounds or order"));
    }
    behind = range.offset + range.length;
  }
  return out;
}
Result<Message> take(const fb::WantRanges& m) {
  WH_ASSIGN(auto ranges, ranges_of(m.ranges(), "WantRanges"));
  return WantRanges{m.request(), m.file(), std::move(ranges), m.last()};
}
Result<Message> take(const fb::WantChunks& m) {
  if (m.files() == nullptr || m.files()->size() == 0) return fail(broken("WantChunks", "is empty"));
  if (m.files()->size() > kWantsPerMessageMax) return fail(broken("WantChunks", "too many files"));
  return WantChunks{m.request(), copied(m.files())};
}
template <typename Table>
Result<std::vector<Chunk>> chunks_of(const Table& m, std::uint32_t length_max,
                                     std::string_view message) {
  const std::vector<std::uint32_t> lengths = copied(m.lengths());
  const auto* hashes = m.hashes();
  if (lengths.empty()) return fail(broken(message, "is empty"));
  if (lengths.size() > kChunksPerMessageMax) return fail(broken(message, "too many"));
  if (hashes == nullptr || hashes->size() != lengths.size() * kHashBytes) {
    return fail(broken(message, "has not one hash a chunk"));
  }
  if (m.offset() > kFileMaxBytes) return fail(broken(message, "offset out of bounds"));
  std::vector<Chunk> out(lengths.size());
  std::uint64_t left = kFileMaxBytes - m.offset();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] == 0 || lengths[i] > length_max || lengths[i] > left) {
      return fail(broken(message, "length out of bounds"));
    }
    left -= lengths[i];
    out[i].length = lengths[i];
    std::memcpy(out[i].hash.data(), hashes->Data() + i * kHashBytes, kHashBytes);
  }
  return out;
}
Result<Message> take(const fb::Chunks& m) {
  WH_ASSIGN(auto chunks, chunks_of(m, kChunkMaxBytes, "Chunks"));
  return Chunks{m.request(), m.file(), m.offset(), std::move(chunks)};
}
Result<Message> take(const fb::WantFineChunks& m) {
  WH_ASSIGN(auto ranges, ranges_of(m.ranges(), "WantFineChunks"));
  if (ranges.empty()) return fail(broken("WantFineChunks", "is empty"));
  return WantFineChunks{m.request(), m.file(), std::move(ranges)};
}
Result<Message> take(const fb::FineChunks& m) {
  WH_ASSIGN(auto chunks, chunks_of(m, kFineChunkMaxBytes, "FineChunks"));
  return FineChunks{m.request(), m.file(), m.offset(), std::move(chunks)};
}

Result<Message> take(const fb::Put& m) {
  Put out;
  out.request = m.request();
  WH_ASSIGN(out.source, bounded(m.source(), kPathMaxBytes, "Put", "source"));
  WH_ASSIGN(out.name, bounded(m.name(), kNameMaxBytes, "Put", "name"));
  WH_ASSIGN(out.path, bounded(m.path(), kPathMaxBytes, "Put", "path"));
  WH_ASSIGN(out.selection, selection_of(m, "Put"));
  if (m.leaves() > static_cast<std::uint8_t>(Leaves::kAll)) {
    return fail(broken("Put", "unknown kind of file to leave"));
  }
  out.overwrite = m.overwrite();
  out.leaves = static_cast<Leaves>(m.leaves());
  out.checksum = m.checksum();
  out.reuse = m.reuse();
  out.sync = m.sync();
  out.may_delete = m.may_delete();
  out.dry_run = m.dry_run();
  out.run = m.run();
  out.keeps = {m.archive(), m.access_times()};
  out.as_shown = m.as_shown();
  return out;
}
Result<Message> take(const fb::Taken& m) {
  Taken out{m.request(), m.last(), m.all_announced(), m.made_root()};
  const std::vector<std::uint64_t> counts = copied(m.counts());
  if (counts.size() > kTakenCountsMax) return fail(broken("Taken", "too many counts"));
  std::ranges::copy(counts | std::views::take(out.counts.size()), out.counts.begin());
  WH_ASSIGN(out.root, bounded(m.root(), kPathMaxBytes, "Taken", "root"));
  return out;
}
Result<Message> take(const fb::NotTaken& m) {
  WH_ASSIGN(auto path, bounded(m.path(), kPathMaxBytes, "NotTaken", "path"));
  WH_ASSIGN(auto reason, bounded(m.reason(), kReasonMaxBytes, "NotTaken", "reason"));
  WH_ASSIGN(const auto code, failure_code(m.code(), "NotTaken"));
  return NotTaken{m.request(),  std::move(path), code,
                  m.by_giver(), m.replaceable(), std::move(reason)};
}
Result<Message> take(const fb::Planned& m) {
  Planned out;
  out.request = m.request();
  WH_ASSIGN(out.path, bounded(m.path(), kPathMaxBytes, "Planned", "path"));
  WH_ASSIGN(out.reason, bounded(m.reason(), kReasonMaxBytes, "Planned", "reason"));
  if (m.type() > fb::EntryType::Symlink) return fail(broken("Planned", "unknown type"));
  if (m.size() > kFileMaxBytes) return fail(broken("Planned", "file is too large"));
  if (m.action() > static_cast<std::uint8_t>(Action::kDelete)) {
    return fail(broken("Planned", "unknown action"));
  }
  out.type = static_cast<EntryType>(m.type());
  out.size = m.size();
  out.is_link = m.is_link();
  out.action = static_cast<Action>(m.action());
  return out;
}

}  // namespace

Result<std::size_t> encode(const Message& message, MutableBytes out) {
  FlatBufferBuilder builder(1024);
  std::visit(
      [&](const auto& value) {
        const auto body = put(builder, value);
        builder.Finish(fb::CreateMessage(builder, body.type, body.offset.Union()));
      },
      message);
  if (builder.GetSize() > out.size() || builder.GetSize() > kMessageMaxBytes) {
    return fail({.code = Code::kLimit,
                 .operation = "encode control message",
                 .object = std::string(message_name(message)),
                 .detail = "it is larger than a message may be"});
  }
  std::memcpy(out.data(), builder.GetBufferPointer(), builder.GetSize());
  return builder.GetSize();
}

Result<Message> decode(Bytes payload) {
  if (payload.size() > kMessageMaxBytes) return fail(broken("", "longer than a message may be"));
  // FlatBuffers reads in place and wants 8-byte alignment: blocks are page-aligned.
  WH_CHECK(reinterpret_cast<std::uintptr_t>(payload.data()) % 8 == 0);
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(payload.data()),
                                 payload.size(), kVerifierDepth, kVerifierTables);
  if (!fb::VerifyMessageBuffer(verifier)) return fail(broken("", "malformed"));
  const fb::Message& message = *fb::GetMessage(payload.data());
  if (message.body() == nullptr) return fail(broken("", "empty"));
  switch (message.body_type()) {
#define WH_CASE(name)  \
  case fb::Body::name: \
    return take(*message.body_as_##name())
    WH_CASE(Hello);
    WH_CASE(Join);
    WH_CASE(EndStream);
    WH_CASE(Get);
    WH_CASE(List);
    WH_CASE(Entries);
    WH_CASE(Listed);
    WH_CASE(Want);
    WH_CASE(WantRanges);
    WH_CASE(WantChunks);
    WH_CASE(Chunks);
    WH_CASE(WantFineChunks);
    WH_CASE(FineChunks);
    WH_CASE(Credit);
    WH_CASE(Failed);
    WH_CASE(Refused);
    WH_CASE(Again);
    WH_CASE(Cancel);
    WH_CASE(Put);
    WH_CASE(Taken);
    WH_CASE(NotTaken);
    WH_CASE(Planned);
    WH_CASE(Ping);
    WH_CASE(Bye);
#undef WH_CASE
    case fb::Body::NONE:
      break;
  }
  return fail(broken("", "unknown kind of message"));
}

std::uint32_t request_of(const Message& message) {
  return std::visit(
      [](const auto& value) -> std::uint32_t {
        if constexpr (requires { value.request; }) {
          return value.request;
        } else {
          return 0;
        }
      },
      message);
}

std::string_view message_name(const Message& message) {
  static constexpr std::array<std::string_view, std::variant_size_v<Message>> kNames = {
      "Hello",          "Join",       "EndStream", "Get",        "List",       "Entries",
      "Listed",         "Want",       "Credit",    "Failed",     "Refused",    "Again",
      "Cancel",         "Ping",       "Bye",       "WantRanges", "WantChunks", "Chunks",
      "WantFineChunks", "FineChunks", "Put",       "Taken",      "NotTaken",   "Planned"};
  return kNames[message.index()];
}

}  // namespace wormhole::wire
