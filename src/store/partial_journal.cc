#include "store/partial_journal.h"

#ifdef XXHASH_HAS_DISPATCH
#include <xxh_x86dispatch.h>  // AVX2 and AVX-512 where the CPU has them
#else
#include <xxhash.h>
#endif

#include <algorithm>

#include "base/check.h"

namespace wormhole::store {
namespace {

constexpr std::string_view kMagic = "\211WHPART\n";
constexpr std::uint32_t kFormat = 2;
constexpr std::uint64_t kAlignment = 4096;

constexpr std::size_t kWaitingLeast = 4;
constexpr std::uint64_t kPartOfWritten = 8;

static_assert(kMagic.size() == 8);
static_assert(kJournalHeaderBytes == kMagic.size() + 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8);
static_assert(kJournalHeaderBytes % kJournalRecordBytes == 0);
static_assert(kAlignment % kJournalRecordBytes == 0);
static_assert(kJournalRecordBytes == 8 + 4 + 4 + sizeof(Checksum));
static_assert(kFileMaxBytes <= UINT64_MAX / 2);

}  // namespace

Checksum checksum(Bytes data, std::uint64_t offset) {
  // Its first call looks at the CPU: one thread does that while the others wait (as in hash.cc).
  [[maybe_unused]] static const XXH128_hash_t first = XXH3_128bits_withSeed("", 0, 0);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(data.data(), data.size(), offset));
  Checksum out;
  static_assert(sizeof canonical.digest == sizeof out);
  std::memcpy(out.data(), canonical.digest, out.size());
  return out;
}

std::uint64_t journal_offset(std::uint64_t file_bytes) {
  return (file_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::array<std::byte, kJournalHeaderBytes> encode_journal_header(const JournalHeader& header) {
  std::array<std::byte, kJournalHeaderBytes> bytes{};
  std::ranges::copy(as_bytes(kMagic), bytes.begin());
  std::byte* fields = bytes.data() + kMagic.size();
  store_le(fields, kFormat);
  store_le(fields + 8, header.source.size_bytes);
  store_le(fields + 16, header.source.version);
  store_le(fields + 24, header.mount);
  store_le(fields + 32, header.file.device);
  store_le(fields + 40, header.file.inode);
  return bytes;
}

std::optional<JournalHeader> parse_journal_header(Bytes header) {
  WH_CHECK(header.size() == kJournalHeaderBytes);
  if (as_text(header.first(kMagic.size())) != kMagic) return std::nullopt;
  const std::byte* fields = header.data() + kMagic.size();
  if (load_le<std::uint32_t>(fields) != kFormat) return std::nullopt;
  if (load_le<std::uint32_t>(fields + 4) != 0) return std::nullopt;
  return JournalHeader{.source = {.size_bytes = load_le<std::uint64_t>(fields + 8),
                                  .version = load_le<std::uint64_t>(fields + 16)},
                       .mount = load_le<std::uint64_t>(fields + 24),
                       .file = {.device = load_le<std::uint64_t>(fields + 32),
                                .inode = load_le<std::uint64_t>(fields + 40)}};
}

std::optional<JournalRecord> parse_journal_record(Bytes record, std::uint64_t file_bytes) {
  WH_CHECK(record.size() == kJournalRecordBytes);
  JournalRecord out{.offset = load_le<std::uint64_t>(record.data()),
                    .length = load_le<std::uint32_t>(record.data() + 8),
                    .written = load_le<std::uint32_t>(record.data() + 12)};
  if (out.length == 0 || out.length > kJournalRangeMaxBytes) return std::nullopt;
  if (out.offset >= file_bytes || out.length > file_bytes - out.offset) return std::nullopt;
  std::ranges::copy(record.last(out.checksum.size()), out.checksum.begin());
  return out;
}

JournalWriter::JournalWriter(const JournalHeader& header, std::uint64_t records)
    : header_(header), records_(records) {
  bytes_.reserve(kJournalPortionMaxBytes);
}

bool JournalWriter::add(const JournalRecord& record, std::uint32_t now) {
  if (taken_at_ == 0) taken_at_ = now;
  if (waiting_ == 0) bytes_.clear();
  if (records_ == 0 && waiting_ == 0) {
    const auto header = encode_journal_header(header_);
    bytes_.assign(header.begin(), header.end());
  }
  const std::size_t at = bytes_.size();
  bytes_.resize(at + kJournalRecordBytes);
  store_le(bytes_.data() + at, record.offset);
  store_le(bytes_.data() + at + 8, record.length);
  std::ranges::copy(record.checksum, bytes_.begin() + static_cast<std::ptrdiff_t>(at + 16));
  ++waiting_;
  return now != taken_at_ ||
         waiting_ >= std::clamp<std::uint64_t>(records_ / kPartOfWritten, kWaitingLeast,
                                               kJournalWaitingMax);
}

JournalWriter::Portion JournalWriter::take(std::span<std::byte, kJournalPortionMaxBytes> out,
                                           std::uint32_t now) {
  taken_at_ = now;
  if (waiting_ == 0) return {.offset = 0, .bytes = {}};
  for (std::size_t back = 1; back <= waiting_; ++back) {
    store_le(bytes_.data() + bytes_.size() - back * kJournalRecordBytes + 12, now);
  }
  const std::uint64_t at =
      journal_offset(header_.source.size_bytes) +
      (records_ == 0 ? 0 : kJournalHeaderBytes + records_ * kJournalRecordBytes);
  records_ += waiting_;
  waiting_ = 0;
  std::ranges::copy(bytes_, out.begin());
  return {.offset = at, .bytes = out.first(bytes_.size())};
}

}  // namespace wormhole::store
