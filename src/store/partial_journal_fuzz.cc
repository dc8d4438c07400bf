#include "store/partial_journal_fuzz.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "store/partial_journal.h"

namespace wormhole::store {

void fuzz_partial_journal(Bytes input) {
  if (input.size() < kJournalHeaderBytes) return;
  const Bytes header = input.first(kJournalHeaderBytes);
  const auto source = parse_journal_header(header);
  if (!source.has_value() || source->size_bytes > kFileMaxBytes) return;
  for (Bytes rest = input.subspan(kJournalHeaderBytes); rest.size() >= kJournalRecordBytes;
       rest = rest.subspan(kJournalRecordBytes)) {
    const Bytes bytes = rest.first(kJournalRecordBytes);
    const auto record = parse_journal_record(bytes, source->size_bytes);
    if (!record.has_value()) continue;
    WH_CHECK(record->length > 0 && record->length <= kJournalRangeMaxBytes);
    WH_CHECK(record->offset + record->length <= source->size_bytes);
    JournalWriter writer(*source, 0);
    static_cast<void>(writer.add(*record));
    std::array<std::byte, kJournalPortionMaxBytes> portion_bytes;
    const auto portion = writer.take(portion_bytes);
    WH_CHECK(std::ranges::equal(portion.bytes.first(kJournalHeaderBytes), header));
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
