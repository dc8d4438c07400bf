// Sends pieces of work over one stream, a frame at a time: read, seal in place, send.
//
// One thread. Works in the block that each call is given, and keeps nothing in it.
// What goes wrong with a file is said to the taker in the stream itself (Failed) and is no
// error here; an error here is the stream's and ends it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>

#include "base/block.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "session/sealed_stream.h"
#include "transfer/codecs.h"
#include "transfer/compression_choice.h"
#include "transfer/given_file.h"
#include "transfer/stream_paces.h"

namespace wormhole::transfer {

// Adds up over all streams of a giver.
struct GivenCounters {
  std::atomic<std::uint64_t> data_bytes = 0;
  std::atomic<std::uint64_t> files = 0;
};

// The first frame of a stream: a receiver opens a frame when all of it is there, so the first one
// is a single segment: what follows that one in the same round trip is paced (BBR), a millisecond
// and more apiece. What a fresh connection may send in its first round trip is ten segments (RFC
// 6928), announcements included: so much has the second frame. Each further frame is twice as
// large, up to a block, as slow start itself grows; after a pause it begins anew.
inline constexpr std::size_t kFirstFrameBytes = 1 * kKiB;
inline constexpr std::size_t kSecondFrameBytes = 8 * kKiB;
inline constexpr std::chrono::milliseconds kPause{20};
// One of many streams on a slow path would take a second for a block, and nobody could use or
// count the first half of it meanwhile: frames grow no more, and shrink again, by how long they
// take to leave.
inline constexpr std::chrono::milliseconds kFrameNotShort{20};
inline constexpr std::chrono::milliseconds kFrameTooLong{60};
// A stream's pace is what it delivered within about this time.
inline constexpr std::chrono::milliseconds kPaceMemory{500};

class DataSender {
 public:
  // Told of what a step put on the wire, and may keep it waiting: that counts as the path's doing.
  using OnSent = std::function<void(std::uint64_t bytes)>;

  // `plain`: both ends asked for unencrypted data. `codecs`: null where nothing may be compressed.
  DataSender(session::SealedWriter& writer, GivenCounters& counters, const Clock& clock, bool plain,
             Codecs* codecs, OnSent on_sent = nullptr);

  // What a frame may hold now.
  [[nodiscard]] std::size_t frame_bytes() const;
  [[nodiscard]] bool has_work() const { return work_.has_value(); }
  // It cannot send whole blocks at once.
  [[nodiscard]] bool is_slow() const { return frame_bytes_ < kBlockBytes; }
  [[nodiscard]] StreamPaces::Pace pace() const;
  // What a byte of file data came to on the wire lately: less than one where it is compressed.
  [[nodiscard]] double wire_share() const { return wire_share_; }
  // Bytes of the work in hand that may be given back.
  [[nodiscard]] std::uint64_t rest_bytes() const;
  // This stream has become too slow for what it has in hand: others should have most of it.
  [[nodiscard]] bool holds_too_much() const;
  // Precondition: no work in hand.
  void take(Work work);
  // Sends the next frame of the work in hand. With `last` nothing follows on this stream at
  // once: what remains of the work afterwards is left for take_rest().
  [[nodiscard]] Result<void> step(Block& block, bool last);
  // The part of the work that was not sent; none afterwards.
  [[nodiscard]] std::optional<SegmentWork> take_rest();
  // Ends the stream in order.
  [[nodiscard]] Result<void> send_end(Block& block);

 private:
  // Frames and pace follow the last step, which began then.
  void adapt(TimePoint began);
  void count_delivered(TimePoint began, TimePoint now);
  Result<void> send_pack(Block& block, PackWork& work);
  Result<void> step_segment(Block& block, SegmentWork& work, bool last);
  Result<void> send_hole(Block& block, SegmentWork& work, std::uint64_t length);
  // A range that stands in the block already.
  Result<void> send_block(Block& block, SegmentWork& work, std::size_t length, bool followed);
  // Sends file data, compressed where that is sooner there.
  Result<void> send_data(wire::FrameHeader header, Block& block);
  std::optional<std::uint32_t> compress(const wire::FrameHeader& header, Block& block);
  void advance(SegmentWork& work, std::uint64_t length, std::uint64_t data_bytes);
  Result<void> send_failed(Block& block, GivenFile& file, const Error& error);

  session::SealedWriter& writer_;
  GivenCounters& counters_;
  const Clock& clock_;
  const bool plain_;
  Codecs* const codecs_;
  const OnSent on_sent_;
  CompressionChoice choice_;
  std::size_t frame_bytes_ = kFirstFrameBytes;
  TimePoint last_sent_{};
  double wire_share_ = 1;
  std::uint64_t delivered_ = 0;  // of the stream, in all
  double recent_bytes_ = 0;      // delivered; both fade
  double recent_seconds_ = 0;
  std::optional<Work> work_;
};

}  // namespace wormhole::transfer
