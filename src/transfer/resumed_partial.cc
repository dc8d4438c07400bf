#include "transfer/resumed_partial.h"

#include <algorithm>
#include <array>
#include <functional>

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
  while (resumed->read_portion()) {
    resumed->for_each_in_portion([&](const store::JournalRecord& record) {
      static_cast<void>(named.add(record.offset, record.length));  // superseded, or one too many
    });
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
  portion_.assign(count * kJournalRecordBytes, std::byte{});
  const std::uint64_t at = store::journal_offset(source_.size_bytes) + kJournalHeaderBytes +
                           portion_end_ * kJournalRecordBytes;
  // What cannot be read stays zero, which is no record.
  static_cast<void>(file_->read_at(portion_, at));
  return true;
}

template <typename Use>
void ResumedPartial::for_each_in_portion(const Use& use) const {
  for (std::size_t end = portion_.size(); end > 0; end -= kJournalRecordBytes) {
    const Bytes bytes = Bytes(portion_).subspan(end - kJournalRecordBytes, kJournalRecordBytes);
    if (const auto record = store::parse_journal_record(bytes, source_.size_bytes)) use(*record);
  }
}

bool ResumedPartial::next_batch() {
  while (batch_.empty() && read_portion()) {
    for_each_in_portion([&](const store::JournalRecord& record) {
      if (!unchecked_.contains(record.offset, record.length)) return;
      unchecked_.remove(record.offset, record.length);
      batch_.push_back(record);
    });
    std::ranges::sort(batch_, std::ranges::greater(), &store::JournalRecord::offset);
  }
  return !batch_.empty();
}

std::optional<ResumedPartial::Checked> ResumedPartial::check_next(MutableBytes buffer) {
  if (next_batch()) {
    const store::JournalRecord record = batch_.back();
    batch_.pop_back();
    const MutableBytes data = buffer.first(record.length);
    const auto got = uncached_ ? file_->read_uncached_at(data, record.offset)
                               : file_->read_at(data, record.offset);
    const bool is_intact = got.has_value() && *got == data.size() &&
                           store::checksum(data, record.offset) == record.checksum;
    return Checked{{record.offset, record.length}, is_intact};
  }
  if (unchecked_.total_bytes() == 0) return std::nullopt;
  // The journal says something else than when it was opened: none of the rest counts.
  const RangeSet::Range rest = unchecked_.all().front();
  unchecked_.remove(rest.offset, rest.length);
  return Checked{rest, false};
}

}  // namespace wormhole::transfer
