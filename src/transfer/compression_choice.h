// Whether a stream compresses what it sends, and with how much effort: sans-I/O.
//
// A frame of n bytes costs its stream n x (seconds to compress a byte + seconds to send what is
// left of it). Both are measured as frames leave: how fast the kernel takes bytes (as fast as
// memory while the path is faster than this machine, as fast as the path where that is the
// bottleneck), and how fast each effort is and what it leaves. The cheapest wins, each frame anew:
// so it follows the link up and down, and an overloaded machine compresses less.
//
// What an effort does that was not used for a while is taken from what is usual, and from how far
// from that the one in use is. Data that does not get smaller is known by a sample of its bytes,
// else by trying, ever more rarely. Not thread-safe: one owner, a stream.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "transfer/codecs.h"

namespace wormhole::transfer {

class CompressionChoice {
 public:
  CompressionChoice();

  // What the next frame should be compressed with, of that file: kNone while that costs least, or
  // where `payload` looks as if nothing came of it.
  [[nodiscard]] Effort effort_for(std::uint64_t file, Bytes payload);

  // It was tried: `plain` bytes in so long; `left` bytes remain, or as many as before.
  void on_compressed(Effort effort, std::uint64_t plain, std::uint64_t left, Duration took);
  // So many bytes were handed to the kernel, which took them in so long.
  void on_sent(std::uint64_t bytes, Duration took, TimePoint now);

 private:
  struct Measured {
    double seconds_per_byte = 0;     // of plain data
    double left = 1;                 // of a byte
    std::uint32_t age = UINT32_MAX;  // frames of others since it was used; at most about 256
  };
  [[nodiscard]] Effort cheapest() const;

  std::array<Measured, kEfforts> efforts_;
  Effort last_ = Effort::kNone;
  double sent_bytes_ = 0;  // lately; both fade
  double sending_seconds_ = 0;
  TimePoint last_sent_{};
  std::uint64_t file_ = 0;
  std::uint32_t fruitless_ = 0;  // tries of this file, one after the other
  std::uint32_t skip_ = 0;       // so many frames of it are not tried
};

// Bits per byte in a sample of the payload, by how often each value stands in it (Shannon's
// entropy, of single bytes): 8 for what is encrypted or compressed already.
[[nodiscard]] double sampled_entropy(Bytes payload);

}  // namespace wormhole::transfer
