#include "wire/messages_fuzz.h"

#include <algorithm>

#include "base/block.h"
#include "base/check.h"
#include "wire/messages.h"

namespace wormhole::wire {
namespace {

struct KeepsLimits {
  void operator()(const Hello& m) const { WH_CHECK(m.streams_max < kStreamsMax); }
  void operator()(const Join& m) const { WH_CHECK(m.stream > 0 && m.stream < kStreamsMax); }
  void operator()(const EndStream& m) const { WH_CHECK(m.stream > 0 && m.stream < kStreamsMax); }
  void operator()(const Get& m) const { request(m.path, m.credit, m.selection); }
  void operator()(const List& m) const { request(m.path, m.credit, m.selection); }
  void operator()(const Entries& m) const {
    WH_CHECK(!m.entries.empty() && m.entries.size() <= kEntriesPerMessageMax);
    WH_CHECK(m.first_id < kNoEntry - m.entries.size());
    for (const Entry& entry : m.entries) {
      WH_CHECK(entry.type <= EntryType::kDirectoryEnd);
      WH_CHECK(entry.name.size() <= kNameMaxBytes);
      WH_CHECK(entry.target.size() <= kSymlinkTargetMaxBytes);
      WH_CHECK(entry.size <= kFileMaxBytes);
      WH_CHECK(entry.mode <= 07777);
      WH_CHECK(entry.mtime_nanoseconds < 1'000'000'000);
      if (entry.archived != nullptr) archived(*entry.archived);
    }
  }
  void operator()(const Want& m) const { WH_CHECK(m.files.size() <= kWantsPerMessageMax); }
  void operator()(const Credit& m) const { credit(m.entries); }
  void operator()(const Failed& m) const {
    WH_CHECK(m.name.size() <= kNameMaxBytes && m.reason.size() <= kReasonMaxBytes);
    WH_CHECK(m.code <= FailureCode::kNotAllowed);
  }
  void operator()(const Refused& m) const {
    WH_CHECK(m.reason.size() <= kReasonMaxBytes && m.code <= FailureCode::kNotAllowed);
  }
  void operator()(const Again& m) const {
    WH_CHECK(m.length > 0 && m.length <= kBlockBytes && m.offset <= kFileMaxBytes);
  }
  void operator()(const WantRanges& m) const { ranges(m.ranges); }
  void operator()(const WantChunks& m) const {
    WH_CHECK(!m.files.empty() && m.files.size() <= kWantsPerMessageMax);
  }
  void operator()(const Chunks& m) const { chunks(m.offset, m.chunks, kChunkMaxBytes); }
  void operator()(const WantFineChunks& m) const {
    WH_CHECK(!m.ranges.empty());
    ranges(m.ranges);
  }
  void operator()(const FineChunks& m) const { chunks(m.offset, m.chunks, kFineChunkMaxBytes); }
  void operator()(const Put& m) const {
    WH_CHECK(m.source.size() <= kPathMaxBytes && m.name.size() <= kNameMaxBytes);
    WH_CHECK(m.leaves <= Leaves::kAll);
    path_and_selection(m.path, m.selection);
  }
  void operator()(const Taken& m) const { WH_CHECK(m.root.size() <= kPathMaxBytes); }
  void operator()(const NotTaken& m) const {
    WH_CHECK(m.path.size() <= kPathMaxBytes && m.reason.size() <= kReasonMaxBytes);
    WH_CHECK(m.code <= FailureCode::kNotAllowed);
  }
  void operator()(const Planned& m) const {
    WH_CHECK(m.path.size() <= kPathMaxBytes && m.reason.size() <= kReasonMaxBytes);
    WH_CHECK(m.type <= EntryType::kSymlink && m.size <= kFileMaxBytes);
    WH_CHECK(m.action <= Action::kDelete);
  }
  void operator()(const auto& /*no limits*/) const {}

 private:
  static void archived(const Archived& kept) {
    WH_CHECK(kept.owner != UINT32_MAX && kept.group != UINT32_MAX);
    WH_CHECK(kept.owner_name.size() <= kAccountNameMaxBytes);
    WH_CHECK(kept.group_name.size() <= kAccountNameMaxBytes);
    WH_CHECK(kept.attributes.size() <= kAttributesMax);
    WH_CHECK(kept.attribute_bytes() <= kAttributesMaxBytes);
    WH_CHECK(kept.atime_nanoseconds < 1'000'000'000);
    for (const Attribute& one : kept.attributes) {
      WH_CHECK(!one.name.empty() && one.name.size() <= kAttributeNameMaxBytes);
    }
  }
  static void ranges(const std::vector<RangeSet::Range>& them) {
    WH_CHECK(them.size() <= kRangesPerMessageMax);
    std::uint64_t behind = 0;
    for (const RangeSet::Range& range : them) {
      WH_CHECK(range.length > 0 && range.offset >= behind);
      behind = range.offset + range.length;
      WH_CHECK(behind <= kFileMaxBytes);
    }
  }
  static void chunks(std::uint64_t offset, const std::vector<Chunk>& them, std::uint32_t max) {
    WH_CHECK(!them.empty() && them.size() <= kChunksPerMessageMax);
    std::uint64_t behind = offset;
    for (const Chunk& chunk : them) {
      WH_CHECK(chunk.length > 0 && chunk.length <= max);
      behind += chunk.length;
    }
    WH_CHECK(behind <= kFileMaxBytes);
  }
  static void credit(std::uint32_t entries) { WH_CHECK(entries > 0 && entries <= kOpenEntriesMax); }
  static void request(const std::string& path, std::uint32_t entries, const Selection& selection) {
    credit(entries);
    path_and_selection(path, selection);
  }
  static void path_and_selection(const std::string& path, const Selection& selection) {
    WH_CHECK(path.size() <= kPathMaxBytes);
    WH_CHECK(selection.rules.size() <= kRulesMax);
    std::size_t bytes = 0;
    for (const Rule& rule : selection.rules) {
      WH_CHECK(!rule.pattern.empty());
      bytes += rule.pattern.size();
    }
    WH_CHECK(bytes <= kRulesMaxBytes);
  }
};

}  // namespace

void fuzz_messages(Bytes input) {
  if (input.size() > kBlockBytes) return;
  static BlockPool pool(2);
  const Block block = pool.acquire();  // aligned, as what arrives is
  std::ranges::copy(input, block.payload().begin());
  const auto message = decode(Bytes(block.payload()).first(input.size()));
  if (!message.has_value()) {
    WH_CHECK(message.error().code == Code::kProtocol);
    return;
  }
  std::visit(KeepsLimits{}, *message);
  WH_CHECK(!message_name(*message).empty());

  const auto size = encode(*message, block.payload());
  if (!size.has_value()) {
    // Tables may share their parts in a buffer; written out one by one they may be too large.
    WH_CHECK(size.error().code == Code::kLimit);
    return;
  }
  const auto again = decode(Bytes(block.payload()).first(*size));
  WH_CHECK(again.has_value());
  const Block other = pool.acquire();
  const auto size_again = encode(*again, other.payload());
  WH_CHECK(size_again.has_value() && *size_again == *size);
  WH_CHECK(std::ranges::equal(block.payload().first(*size), other.payload().first(*size)));
}

}  // namespace wormhole::wire

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::wire::fuzz_messages(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
