#include "transfer/resumed_partial.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace wormhole::transfer {
namespace {

constexpr std::uint64_t kPortionRecords = 2048;

using store::kJournalHeaderBytes;
using store::kJournalRecordBytes;

}  // namespace

Result<std::unique_ptr<ResumedPartial>> ResumedPartial::open(
    std::shared_ptr<const platform::File> file, const store::SourceVersion& source, bool uncached) {
  WH_ASSIGN(const auto status, file->status());
  const std::uint64_t begins = store::journal_offset(source.size_bytes);
  if (status.size_bytes < begins + kJournalHeaderBytes) return nullptr;
  std::array<std::byte, kJournalHeaderBytes> header{};
  WH_ASSIGN(const std::size_t got, file->read_at(header, begins));
  if (got != header.size() || store::parse_journal_header(header) != source) return nullptr;
  const std::uint64_t records =
      (status.size_bytes - begins - kJournalHeaderBytes) / kJournalRecordBytes;

  std::unique_ptr<ResumedPartial> resumed(
      new ResumedPartial(std::move(file), source, uncached, records));
  // More separate ranges than are kept, as what is superseded lies scattered among what is not.
  RangeSet named(kRangesMax * kRangesMax);
  while (const auto record = resumed->previous()) {
    static_cast<void>(named.add(record->offset, record->length));  // superseded, or one too many
  }
  named.keep_longest(kRangesMax);
  for (const auto& range : named.all()) {
    WH_CHECK(resumed->held_.add(range.offset, range.length) == RangeSet::Added::kOk);
    WH_CHECK(resumed->unchecked_.add(range.offset, range.length) == RangeSet::Added::kOk);
  }
  resumed->portion_end_ = records;
  return resumed;
}

bool ResumedPartial::read_portion() {
  if (portion_end_ == 0) return false;
  const std::uint64_t count = std::min(kPortionRecords, portion_end_);
  portion_end_ -= count;
  left_in_portion_ = count;
  portion_.assign(count * kJournalRecordBytes, std::byte{});
  const std::uint64_t at = store::journal_offset(source_.size_bytes) + kJournalHeaderBytes +
                           portion_end_ * kJournalRecordBytes;
  // What cannot be read stays zero, which is no record.
  static_cast<void>(file_->read_at(portion_, at));
  return true;
}

std::optional<store::JournalRecord> ResumedPartial::previous() {
  while (true) {
    if (left_in_portion_ == 0 && !read_portion()) return std::nullopt;
    --left_in_portion_;
    const Bytes bytes =
        Bytes(portion_).subspan(left_in_portion_ * kJournalRecordBytes, kJournalRecordBytes);
    if (auto record = store::parse_journal_record(bytes, source_.size_bytes)) return record;
  }
}

std::optional<ResumedPartial::Checked> ResumedPartial::check_next(MutableBytes buffer) {
  while (unchecked_.total_bytes() > 0) {
    const auto record = previous();
    if (!record.has_value()) {
      // The journal says something else than when it was opened: none of the rest counts.
      const RangeSet::Range rest = unchecked_.all().front();
      unchecked_.remove(rest.offset, rest.length);
      return Checked{rest, false};
    }
    if (!unchecked_.contains(record->offset, record->length)) continue;
    unchecked_.remove(record->offset, record->length);
    const MutableBytes data = buffer.first(record->length);
    const auto got = uncached_ ? file_->read_uncached_at(data, record->offset)
                               : file_->read_at(data, record->offset);
    const bool is_intact = got.has_value() && *got == data.size() &&
                           store::checksum(data, record->offset) == record->checksum;
    return Checked{{record->offset, record->length}, is_intact};
  }
  return std::nullopt;
}

}  // namespace wormhole::transfer
