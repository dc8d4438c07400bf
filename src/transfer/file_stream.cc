#include "transfer/file_stream.h"

#include <algorithm>
#include <array>

#include "platform/file_system.h"
#include "transfer/failure.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

constexpr std::array<std::byte, 64 * kKiB> kZeros{};

Error broken(std::string_view why) {
  return {.code = Code::kProtocol, .operation = "fetch", .detail = std::string(why)};
}

}  // namespace

Result<void> FileStream::on_message(const wire::Message& message) {
  if (const auto* entries = std::get_if<wire::Entries>(&message)) {
    WH_TRY(on_entries(*entries));
  } else if (const auto* listed = std::get_if<wire::Listed>(&message)) {
    if (!is_announced_ || listed->entries != 1) return fail(broken("the host's count is wrong"));
    is_listed_ = true;
  } else if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    return on_failed(*failed);
  } else if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    return fail(remote_failure(refused->code, "", refused->reason));
  } else {
    return fail(broken("unexpected message " + std::string(wire::message_name(message))));
  }
  complete_if_all_came();
  return {};
}

Result<void> FileStream::on_entries(const wire::Entries& entries) {
  if (is_announced_ || entries.first_id != 0 || entries.request != request_) {
    return fail(broken("the host announced more than one file"));
  }
  const wire::Entry& entry = entries.entries.front();
  if (entry.type != wire::EntryType::kRegular) {
    return fail({.code = Code::kUsage,
                 .operation = "fetch to standard output",
                 .object = entry.name,
                 .detail = "it is no file",
                 .advice = "name one file, or a directory to put it in"});
  }
  WH_TRY(platform::check_name(entry.name));
  if (entries.entries.size() != 1 || entry.parent != wire::kNoEntry || entry.held ||
      (!name_.empty() && entry.name != name_)) {
    return fail(broken("the host sent something else than was asked for"));
  }
  is_announced_ = true;
  is_sparse_ = entry.sparse;
  size_ = entry.size;
  return {};
}

Result<void> FileStream::on_failed(const wire::Failed& failed) const {
  return fail(remote_failure(failed.code, name_, failed.reason));
}

Result<void> FileStream::on_frame(const wire::FrameHeader& received, Block& block,
                                  bool /*on_first_connection*/) {
  wire::FrameHeader header = received;
  const bool is_control = header.type == wire::FrameType::kControl;
  if (is_control || header.request != request_) return fail(broken("data of no request"));
  if (header.type == wire::FrameType::kCompressed) {
    WH_ASSIGN(header, expanded(codecs_, header, block));
  }
  if (!first_byte_.has_value()) first_byte_ = clock_.now();
  const Bytes payload = Bytes(block.payload()).first(header.payload_bytes);
  if (header.type == wire::FrameType::kData) {
    WH_TRY(on_bytes(header.file, header.offset, payload));
  } else if (header.type == wire::FrameType::kPack) {
    WH_TRY(on_pack(payload));
  } else if (header.type == wire::FrameType::kHole) {
    WH_TRY(on_hole(header.file, header.offset, load_le<std::uint64_t>(payload.data())));
  } else {
    return fail(broken("unexpected frame"));
  }
  complete_if_all_came();
  return {};
}

Result<void> FileStream::on_pack(Bytes payload) {
  wire::PackReader pack(payload);
  while (true) {
    WH_ASSIGN(const auto record, pack.next());
    if (!record.has_value()) return {};
    WH_TRY(on_bytes(record->file, 0, record->data));
  }
}

Result<void> FileStream::expect(std::uint64_t file, std::uint64_t offset,
                                std::uint64_t length) const {
  if (!is_announced_ || file != 0 || offset != taken_ || length > size_ - taken_) {
    return fail(broken("the host sent a file's bytes out of order"));
  }
  return {};
}

Result<void> FileStream::on_bytes(std::uint64_t file, std::uint64_t offset, Bytes data) {
  WH_TRY(expect(file, offset, data.size()));
  WH_TRY(sink_(data));
  taken_ += data.size();
  return {};
}

Result<void> FileStream::on_hole(std::uint64_t file, std::uint64_t offset, std::uint64_t length) {
  if (!is_sparse_) return fail(broken("the host sent a hole in a file without any"));
  WH_TRY(expect(file, offset, length));
  while (length > 0 && !is_over()) {
    const std::uint64_t part = std::min<std::uint64_t>(length, kZeros.size());
    WH_TRY(sink_(Bytes(kZeros).first(part)));
    taken_ += part;
    length -= part;
  }
  return {};
}

void FileStream::complete_if_all_came() {
  if (!is_listed_ || taken_ != size_) return;
  std::scoped_lock lock(mutex_);
  complete_ = true;
  over_.notify_all();
}

Result<void> FileStream::wait() {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [&] { return complete_ || error_.has_value(); });
  if (complete_) return {};
  return fail(*error_);
}

void FileStream::fail_with(Error error) {
  std::scoped_lock lock(mutex_);
  if (!error_.has_value()) error_ = std::move(error);
  over_.notify_all();
}

bool FileStream::is_over() const {
  std::scoped_lock lock(mutex_);
  return complete_ || error_.has_value();
}

std::optional<std::uint64_t> FileStream::left_bytes() const { return size_ - taken_; }

}  // namespace wormhole::transfer
