#include "store/partial_journal_fuzz.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "store/partial_journal.h"

namespace wormhole::store {

void fuzz_partial_journal(Bytes input) {
  if (input.size() < kJournalHeaderBytes) return;
  const Bytes header = input.first(kJournalHeaderBytes);
  const auto parsed = parse_journal_header(header);
  if (!parsed.has_value() || parsed->source.size_bytes > kFileMaxBytes) return;
  const std::uint64_t file_bytes = parsed->source.size_bytes;
  for (Bytes rest = input.subspan(kJournalHeaderBytes); rest.size() >= kJournalRecordBytes;
       rest = rest.subspan(kJournalRecordBytes)) {
    const Bytes bytes = rest.first(kJournalRecordBytes);
    const auto record = parse_journal_record(bytes, file_bytes);
    if (!record.has_value()) continue;
    WH_CHECK(record->length > 0 && record->length <= kJournalRangeMaxBytes);
    WH_CHECK(record->offset + record->length <= file_bytes);
    JournalWriter writer(*parsed, 0);
    static_cast<void>(writer.add(*record, record->written));
    std::array<std::byte, kJournalPortionMaxBytes> portion_bytes;
    const auto portion = writer.take(portion_bytes, record->written);
    WH_CHECK(parse_journal_header(portion.bytes.first(kJournalHeaderBytes)) == parsed);
    WH_CHECK(std::ranges::equal(portion.bytes.last(kJournalRecordBytes), bytes));
  }
}

}  // namespace wormhole::store

#ifdef WORMHOLE_FUZZ_MAIN
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wormhole::store::fuzz_partial_journal(std::as_bytes(std::span(data, size)));
  return 0;
}
#endif
