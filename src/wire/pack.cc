#include "wire/pack.h"

#include "base/check.h"

namespace wormhole::wire {

std::optional<MutableBytes> PackWriter::room_for(std::uint64_t length) const {
  const std::size_t left = out_.size() - used_;
  if (left < kPackRecordHeaderBytes || left - kPackRecordHeaderBytes < length) return std::nullopt;
  return out_.subspan(used_ + kPackRecordHeaderBytes, length);
}

void PackWriter::add(std::uint64_t file, std::uint64_t length) {
  WH_CHECK(room_for(length).has_value() && length <= kPackedFileMaxBytes);
  std::byte* header = out_.data() + used_;
  store_le<std::uint64_t>(header, file);
  store_le<std::uint32_t>(header + 8, static_cast<std::uint32_t>(length));
  store_le<std::uint32_t>(header + 12, 0);
  used_ += kPackRecordHeaderBytes + length;
}

Result<std::optional<PackRecord>> PackReader::next() {
  if (rest_.empty()) return std::nullopt;
  const auto broken = [](std::string why) {
    return fail(
        {.code = Code::kProtocol, .operation = "read pack of files", .detail = std::move(why)});
  };
  if (rest_.size() < kPackRecordHeaderBytes) return broken("a record is cut off");
  const std::uint64_t file = load_le<std::uint64_t>(rest_.data());
  const std::uint32_t length = load_le<std::uint32_t>(rest_.data() + 8);
  if (load_le<std::uint32_t>(rest_.data() + 12) != 0) return broken("reserved bits are set");
  if (length > kPackedFileMaxBytes) return broken("a record is too long");
  rest_ = rest_.subspan(kPackRecordHeaderBytes);
  if (rest_.size() < length) return broken("a record is cut off");
  PackRecord record{file, rest_.first(length)};
  rest_ = rest_.subspan(length);
  return record;
}

}  // namespace wormhole::wire
