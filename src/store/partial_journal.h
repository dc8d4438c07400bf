// The journal of a partial: which ranges of a file have been written, so that the next run asks
// only for the others. It stands in the partial itself, behind the data, and is cut off when the
// file gets its final name. Format: docs/formats/partial.md.
//
// Sans-I/O. JournalWriter: one thread at a time; the rest is stateless. A journal is a claim about
// bytes on a disk that may have lost some since: unless its file system stood all the while,
// nothing is reused before its checksum fits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/limits.h"
#include "platform/file_system.h"

namespace wormhole::store {

// What a partial is a part of. `version` is the giver's word for exactly these bytes.
struct SourceVersion {
  std::uint64_t size_bytes = 0;
  std::uint64_t version = 0;

  friend bool operator==(const SourceVersion&, const SourceVersion&) = default;
};

// Two records' room, so that no record lies across the edge of a page: one whose writing was
// interrupted there would be half a claim.
inline constexpr std::size_t kJournalHeaderBytes = 64;
inline constexpr std::size_t kJournalRecordBytes = 32;
// A record is of one block at most.
inline constexpr std::uint64_t kJournalRangeMaxBytes = kBlockBytes;

// XXH3, 128 bits, of a range's bytes and place: it finds what a crash has damaged. No defence
// against anyone: who can write here can write the data as well.
using Checksum = std::array<std::byte, 16>;
[[nodiscard]] Checksum checksum(Bytes data, std::uint64_t offset);

struct JournalHeader {
  SourceVersion source;
  // The mount that all of it was written on (platform::Directory::mount_id), 0: not known; and the
  // file that it was written to, as a copy of one that was being written may lack some of it.
  std::uint64_t mount = 0;
  platform::FileId file;

  friend bool operator==(const JournalHeader&, const JournalHeader&) = default;
};
[[nodiscard]] std::array<std::byte, kJournalHeaderBytes> encode_journal_header(
    const JournalHeader& header);

struct JournalRecord {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t written = 0;  // when it was: seconds since 1970, modulo 2^32
  Checksum checksum{};
};

// What a crash may cost beside what was under way: an eighth of what is there, and never more than
// this many blocks (32 MiB). With a write for each block, a tenth of all calls would be ours.
inline constexpr std::size_t kJournalWaitingMax = 128;
inline constexpr std::size_t kJournalPortionMaxBytes =
    kJournalHeaderBytes + kJournalWaitingMax * kJournalRecordBytes;

// Where the journal of a file of that size begins.
[[nodiscard]] std::uint64_t journal_offset(std::uint64_t file_bytes);
// nullopt for what is no journal's. Precondition: kJournalHeaderBytes.
[[nodiscard]] std::optional<JournalHeader> parse_journal_header(Bytes header);
// nullopt for what is no range of such a file. Precondition: kJournalRecordBytes.
[[nodiscard]] std::optional<JournalRecord> parse_journal_record(Bytes record,
                                                                std::uint64_t file_bytes);

// Gathers records, and says when and where they are to be written.
class JournalWriter {
 public:
  // `records`: so many whole ones of an earlier run stand there already.
  JournalWriter(const JournalHeader& header, std::uint64_t records);

  // True when enough are gathered, or the last were taken in another second: then take() is due.
  // `now`: as in take().
  [[nodiscard]] bool add(const JournalRecord& record, std::uint32_t now);

  struct Portion {
    std::uint64_t offset;  // in the partial
    Bytes bytes;           // in `out`; empty: nothing is waiting
  };
  // Portions may be written in any order, and while others add. `now`: see JournalRecord::written.
  [[nodiscard]] Portion take(std::span<std::byte, kJournalPortionMaxBytes> out, std::uint32_t now);
  [[nodiscard]] const JournalHeader& header() const { return header_; }
  // Something of a journal stands in the partial.
  [[nodiscard]] bool is_begun() const { return records_ > 0; }

 private:
  const JournalHeader header_;
  std::uint64_t records_;  // written or taken
  std::size_t waiting_ = 0;
  std::uint32_t taken_at_ = 0;  // or when the first was added
  ByteVector bytes_;            // the header, if it is to come first, and what waits
};

}  // namespace wormhole::store
