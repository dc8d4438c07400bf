// A pack: many small files in the payload of one frame. docs/formats/pack.md.
//
// Sans-I/O. A record is: u64 file id | u32 length | u32 zero | bytes. A record carries the whole
// file: the giver read it to its announced size and saw it unchanged afterwards; one that
// failed is reported by a Failed message instead and has no record.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace wormhole::wire {

inline constexpr std::size_t kPackRecordHeaderBytes = 16;

static_assert(kPackedFileMaxBytes + kPackRecordHeaderBytes <= kBlockBytes);

// Fills a payload. One thread.
class PackWriter {
 public:
  explicit PackWriter(MutableBytes out) : out_(out) {}

  // Where a file of that length would go; nullopt when it does not fit any more.
  [[nodiscard]] std::optional<MutableBytes> room_for(std::uint64_t length) const;
  // Takes the bytes that were put into room_for(length) as the next record.
  void add(std::uint64_t file, std::uint64_t length);
  [[nodiscard]] std::size_t size_bytes() const { return used_; }

 private:
  MutableBytes out_;
  std::size_t used_ = 0;
};

struct PackRecord {
  std::uint64_t file = 0;
  Bytes data;  // inside the pack's payload
};

// Walks a payload. One thread.
class PackReader {
 public:
  explicit PackReader(Bytes payload) : rest_(payload) {}

  // nullopt at the end; kProtocol when a record leaves the payload or breaks a limit.
  [[nodiscard]] Result<std::optional<PackRecord>> next();

 private:
  Bytes rest_;
};

}  // namespace wormhole::wire
