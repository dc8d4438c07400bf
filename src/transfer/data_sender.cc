#include "transfer/data_sender.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"
#include "transfer/failure.h"
#include "transfer/work_queue.h"
#include "wire/messages.h"
#include "wire/pack.h"

namespace wormhole::transfer {
namespace {

// What one frame says of how much the next ones will be compressed.
constexpr double kShareWeight = 0.125;

// What packs are to the choice of compression: one more file.
constexpr std::uint64_t kPacks = UINT64_MAX;

Error changed(const GivenFile& file) {
  return {.code = Code::kChanged,
          .operation = "read",
          .object = file.name,
          .detail = "it changed while it was read"};
}

// The whole of a small file into `out`, of the announced version, or why not.
Result<void> read_whole(GivenFile& file, MutableBytes out) {
  WH_ASSIGN(const auto directory, file.tree->open(file.directory));
  WH_ASSIGN(const auto opened, directory->open_file(file.name));
  WH_ASSIGN(const std::size_t got, opened.read_at(out, 0));
  WH_ASSIGN(const bool is_the_same, opened.is_version(file.status));
  if (got != out.size() || !is_the_same) return fail(changed(file));
  return {};
}

// The last range of a segment leaves only if the file is still the announced version: so the
// taker never has all of a file that changed under our hands.
bool may_leave(const SegmentWork& work, std::uint64_t length) {
  if (length < work.length) return true;
  return work.opened->is_version(work.file->status).value_or(false);
}

}  // namespace

DataSender::DataSender(session::SealedWriter& writer, GivenCounters& counters, const Clock& clock,
                       bool plain, Codecs* codecs, OnSent on_sent)
    : writer_(writer),
      counters_(counters),
      clock_(clock),
      plain_(plain),
      codecs_(codecs),
      on_sent_(std::move(on_sent)) {}

void DataSender::take(Work work) {
  WH_CHECK(!work_.has_value());
  work_ = std::move(work);
}

Result<void> DataSender::step(Block& block, bool last) {
  WH_CHECK(work_.has_value());
  const TimePoint began = clock_.now();
  const std::uint64_t before = writer_.wire_bytes();
  const auto end_step = [&] {
    if (on_sent_ != nullptr) on_sent_(writer_.wire_bytes() - before);
    adapt(began);
  };
  if (auto* pack = std::get_if<PackWork>(&*work_)) {
    const Result<void> sent = send_pack(block, *pack);
    work_.reset();
    end_step();
    return sent;
  }
  SegmentWork& segment = std::get<SegmentWork>(*work_);
  WH_TRY(step_segment(block, segment, last));
  end_step();
  if (segment.length == 0 || segment.file->stopped) work_.reset();
  return {};
}

std::size_t DataSender::frame_bytes() const {
  return clock_.now() - last_sent_ > kPause ? kFirstFrameBytes : frame_bytes_;
}

StreamPaces::Pace DataSender::pace() const {
  if (recent_bytes_ <= 0) return {};
  // One that sends whole blocks at once is never late: its backlog is not asked for.
  return {.bytes_per_second = recent_bytes_ / recent_seconds_,
          .backlog_bytes = is_slow() ? writer_.backlog_bytes() : 0};
}

std::uint64_t DataSender::rest_bytes() const {
  const auto* segment = work_.has_value() ? std::get_if<SegmentWork>(&*work_) : nullptr;
  return segment == nullptr ? 0 : segment->length;
}

bool DataSender::holds_too_much() const {
  return is_slow() && rest_bytes() > kFramesAhead * frame_bytes_;
}

// By what has arrived: a fresh connection takes much at once, and says nothing of its path by it.
void DataSender::count_delivered(TimePoint began, TimePoint now) {
  const std::uint64_t delivered = writer_.wire_bytes() - (is_slow() ? writer_.backlog_bytes() : 0);
  const std::chrono::duration<double> took = now - last_sent_;
  if (began - last_sent_ <= kPause && delivered >= delivered_) {
    const double fade = std::exp(-took / std::chrono::duration<double>(kPaceMemory));
    recent_bytes_ = fade * recent_bytes_ + static_cast<double>(delivered - delivered_);
    recent_seconds_ = fade * recent_seconds_ + took.count();
  }
  delivered_ = delivered;
}

void DataSender::adapt(TimePoint began) {
  const TimePoint now = clock_.now();
  count_delivered(began, now);
  if (began - last_sent_ > kPause) frame_bytes_ = kFirstFrameBytes;
  if (now - began > kFrameTooLong) {
    frame_bytes_ = std::max(frame_bytes_ / 2, kSecondFrameBytes);
  } else if (now - began < kFrameNotShort) {
    frame_bytes_ = std::clamp(2 * frame_bytes_, kSecondFrameBytes, kBlockBytes);
  }
  last_sent_ = now;
}

std::optional<SegmentWork> DataSender::take_rest() {
  if (!work_.has_value()) return std::nullopt;
  SegmentWork rest = std::move(std::get<SegmentWork>(*work_));
  work_.reset();
  return rest;
}

Result<void> DataSender::send_end(Block& block) {
  return writer_.send({.payload_bytes = 0, .type = wire::FrameType::kEndStream}, block);
}

Result<void> DataSender::send_pack(Block& block, PackWork& work) {
  wire::PackWriter pack(block.payload());
  std::vector<std::pair<GivenFilePtr, Error>> failures;
  std::uint64_t data_bytes = 0;
  for (const GivenFilePtr& file : work.files) {
    if (file->stopped) continue;
    const auto room = pack.room_for(file->status.size_bytes);
    WH_CHECK(room.has_value());  // the work queue packs what fits
    if (const auto read = read_whole(*file, *room); !read.has_value()) {
      failures.emplace_back(file, read.error());
      continue;
    }
    pack.add(file->id, file->status.size_bytes);
    data_bytes += file->status.size_bytes;
    file->sent_bytes = file->status.size_bytes;
    ++counters_.files;
  }
  if (pack.size_bytes() > 0) {
    WH_TRY(send_data({.payload_bytes = static_cast<std::uint32_t>(pack.size_bytes()),
                      .type = wire::FrameType::kPack,
                      .request = work.files.front()->request},
                     block));
    counters_.data_bytes += data_bytes;
  }
  for (auto& [file, error] : failures) WH_TRY(send_failed(block, *file, error));
  return {};
}

Result<void> DataSender::step_segment(Block& block, SegmentWork& work, bool last) {
  if (work.opened == nullptr) {
    auto opened = work.file->open_to_send();
    if (!opened.has_value()) return send_failed(block, *work.file, opened.error());
    work.opened = std::move(*opened);
  }
  // Frames end where blocks end, so that after the first small ones both disks see whole blocks.
  const std::uint64_t to_block_end = kBlockBytes - work.offset % kBlockBytes;
  std::size_t length =
      static_cast<std::size_t>(std::min<std::uint64_t>({work.length, frame_bytes(), to_block_end}));
  if (work.file->sparse) {
    const auto data = work.opened->next_data(work.offset);
    if (!data.has_value()) return send_failed(block, *work.file, data.error());
    const std::uint64_t end = work.offset + work.length;
    const std::uint64_t start = data->has_value() ? std::min((*data)->start, end) : end;
    if (start > work.offset) return send_hole(block, work, start - work.offset);
    length = static_cast<std::size_t>(std::min<std::uint64_t>(length, (*data)->end - work.offset));
    // What was data a moment ago is a hole now.
    if (length == 0) return send_failed(block, *work.file, changed(*work.file));
  }
  const auto got = work.opened->read_at(block.payload().first(length), work.offset);
  if (!got.has_value()) return send_failed(block, *work.file, got.error());
  if (*got != length) return send_failed(block, *work.file, changed(*work.file));
  if (!may_leave(work, length)) return send_failed(block, *work.file, changed(*work.file));
  // A header may be promised only if a frame certainly comes: more of this segment does.
  return send_block(block, work, length, !last && work.length > length);
}

Result<void> DataSender::send_block(Block& block, SegmentWork& work, std::size_t length,
                                    bool followed) {
  WH_TRY(send_data({.payload_bytes = static_cast<std::uint32_t>(length),
                    .type = plain_ ? wire::FrameType::kPlain : wire::FrameType::kData,
                    .followed = followed,
                    .request = work.file->request,
                    .file = work.file->id,
                    .offset = work.offset},
                   block));
  advance(work, length, length);
  return {};
}

Result<void> DataSender::send_data(wire::FrameHeader header, Block& block) {
  if (codecs_ == nullptr) return writer_.send(header, block);
  const double plain_bytes = header.payload_bytes;
  if (const auto compressed = compress(header, block)) {
    header.type = wire::FrameType::kCompressed;
    header.payload_bytes = *compressed;
  }
  const TimePoint began = clock_.now();
  WH_TRY(writer_.send(header, block));
  const TimePoint now = clock_.now();
  choice_.on_sent(header.payload_bytes, now - began, now);
  if (plain_bytes > 0) {
    wire_share_ += kShareWeight * (header.payload_bytes / plain_bytes - wire_share_);
  }
  return {};
}

std::optional<std::uint32_t> DataSender::compress(const wire::FrameHeader& header, Block& block) {
  const std::uint64_t file = header.type == wire::FrameType::kPack ? kPacks : header.file;
  const Effort effort =
      choice_.effort_for(file, Bytes(block.payload()).first(header.payload_bytes));
  if (effort == Effort::kNone) return std::nullopt;
  const TimePoint began = clock_.now();
  const auto compressed = codecs_->compress(effort, header.type, block, header.payload_bytes);
  choice_.on_compressed(effort, header.payload_bytes, compressed.value_or(header.payload_bytes),
                        clock_.now() - began);
  return compressed;
}

Result<void> DataSender::send_hole(Block& block, SegmentWork& work, std::uint64_t length) {
  if (!may_leave(work, length)) return send_failed(block, *work.file, changed(*work.file));
  store_le<std::uint64_t>(block.payload().data(), length);
  WH_TRY(writer_.send({.payload_bytes = sizeof(std::uint64_t),
                       .type = wire::FrameType::kHole,
                       .request = work.file->request,
                       .file = work.file->id,
                       .offset = work.offset},
                      block));
  advance(work, length, 0);
  return {};
}

void DataSender::advance(SegmentWork& work, std::uint64_t length, std::uint64_t data_bytes) {
  work.offset += length;
  work.length -= length;
  counters_.data_bytes += data_bytes;
  const std::uint64_t sent = work.file->sent_bytes += length;
  if (sent < work.file->status.size_bytes) return;
  // More: something of it was asked for again.
  if (sent == work.file->status.size_bytes) ++counters_.files;
  work.file->close();
}

Result<void> DataSender::send_failed(Block& block, GivenFile& file, const Error& error) {
  if (file.stopped.exchange(true)) return {};  // another stream said so already
  file.close();
  const wire::Failed failed{.request = file.request,
                            .has_file = true,
                            .file = file.id,
                            .code = failure_code(error),
                            .reason = failure_reason(error)};
  WH_ASSIGN(const std::size_t size, wire::encode(failed, block.payload()));
  return writer_.send(
      {.payload_bytes = static_cast<std::uint32_t>(size), .type = wire::FrameType::kControl},
      block);
}

}  // namespace wormhole::transfer
