#include "transfer/resumed_partial.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/check.h"

namespace wormhole::transfer {
namespace {

constexpr std::uint64_t kPortionRecords = 2048;

// Data that was written behind the last portion of the journal is the interrupted run's own if it
// came so soon after; what is later may be anybody's. (On a slow link it was ours, too, and is read
// in no time beside what is still to come.)
constexpr std::uint32_t kOwnWritesSeconds = 2;

using store::kJournalHeaderBytes;
using store::kJournalRecordBytes;

}  // namespace

Result<void> set_journal_mount(const platform::File& partial, store::JournalHeader header,
                               std::uint64_t mount) {
  header.mount = mount;
  return partial.write_at(store::encode_journal_header(header),
                          store::journal_offset(header.source.size_bytes));
}

Result<std::unique_ptr<ResumedPartial>> ResumedPartial::open(
    std::shared_ptr<const platform::File> file, const store::JournalHeader& now) {
  WH_ASSIGN(const auto status, file->status());
  const std::uint64_t begins = store::journal_offset(now.source.size_bytes);
  if (status.size_bytes < begins + kJournalHeaderBytes) return nullptr;
  std::array<std::byte, kJournalHeaderBytes> header{};
  WH_ASSIGN(const std::size_t got, file->read_at(header, begins));
  if (got != header.size()) return nullptr;
  const auto then = store::parse_journal_header(header);
  if (!then.has_value() || then->source != now.source) return nullptr;
  const std::uint64_t records =
      (status.size_bytes - begins - kJournalHeaderBytes) / kJournalRecordBytes;

  std::unique_ptr<ResumedPartial> resumed(new ResumedPartial(std::move(file), now, records));
  resumed->is_certain_ = resumed->is_certain(*then, status);
  // What this run notes must not make the next one believe what this one has not looked at.
  if (!resumed->is_certain_ && then->mount != 0) {
    WH_TRY(set_journal_mount(*resumed->file_, now, 0));
  }
  // More separate ranges than are kept, as what is superseded lies scattered among what is not.
  RangeSet named(kRangesMax * kRangesMax);
  while (resumed->read_portion()) {
    resumed->for_each_in_portion([&](const store::JournalRecord& record) {
      const bool is_too_many =
          named.add(record.offset, record.length) == RangeSet::Added::kTooMany;  // or superseded
      if (is_too_many) resumed->holds_all_ = false;
    });
  }
  if (named.ranges() > kRangesMax) resumed->holds_all_ = false;
  named.keep_longest(kRangesMax);
  for (const auto& range : named.all()) {
    WH_CHECK(resumed->held_.add(range.offset, range.length) == RangeSet::Added::kOk);
    WH_CHECK(resumed->unchecked_.add(range.offset, range.length) == RangeSet::Added::kOk);
  }
  resumed->portion_end_ = records;
  return resumed;
}

bool ResumedPartial::is_certain(const store::JournalHeader& then,
                                const platform::FileStatus& status) const {
  if (now_.mount == 0 || then != now_ || records_ == 0) return false;
  std::array<std::byte, kJournalRecordBytes> bytes{};
  const std::uint64_t at =
      journal_begins() + kJournalHeaderBytes + (records_ - 1) * kJournalRecordBytes;
  const auto got = file_->read_at(bytes, at);
  if (!got.has_value() || *got != bytes.size()) return false;
  const auto last = store::parse_journal_record(bytes, now_.source.size_bytes);
  if (!last.has_value()) return false;
  // By the time that no program can set. Modulo 2^32; the kernel's clock for files is some
  // milliseconds behind ours.
  const auto changed = static_cast<std::uint32_t>(status.changed.seconds);
  return changed + 1 - last->written <= 1 + kOwnWritesSeconds;
}

void ResumedPartial::confirm() const {
  // The next run reads once more if it cannot be written.
  if (!is_certain_ && holds_all_) static_cast<void>(set_journal_mount(*file_, now_, now_.mount));
}

bool ResumedPartial::read_portion() {
  if (portion_end_ == 0) return false;
  const std::uint64_t count = std::min(kPortionRecords, portion_end_);
  portion_end_ -= count;
  portion_.assign(count * kJournalRecordBytes, std::byte{});
  const std::uint64_t at =
      journal_begins() + kJournalHeaderBytes + portion_end_ * kJournalRecordBytes;
  // What cannot be read stays zero, which is no record.
  const auto got = file_->read_at(portion_, at);
  if (!got.has_value() || *got != portion_.size()) holds_all_ = false;
  return true;
}

template <typename Use>
void ResumedPartial::for_each_in_portion(const Use& use) const {
  for (std::size_t end = portion_.size(); end > 0; end -= kJournalRecordBytes) {
    const Bytes bytes = Bytes(portion_).subspan(end - kJournalRecordBytes, kJournalRecordBytes);
    const auto record = store::parse_journal_record(bytes, now_.source.size_bytes);
    if (record.has_value()) use(*record);
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
  if (is_certain_ && unchecked_.total_bytes() > 0) {
    const RangeSet::Range range = unchecked_.all().front();
    unchecked_.remove(range.offset, range.length);
    return Checked{range, true};
  }
  if (next_batch()) {
    const store::JournalRecord record = batch_.back();
    batch_.pop_back();
    const MutableBytes data = buffer.first(record.length);
    const auto got = file_->read_at(data, record.offset);
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
