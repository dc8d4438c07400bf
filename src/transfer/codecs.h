// Compresses and expands the payload of a frame where it stands, by zstd and lz4.
//
// Any thread. A fixed number of contexts, made when they are first needed and shared by all
// streams: a call waits until one is free, never longer than the others compress a block. The
// payload is replaced by way of the context's own buffer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/block.h"
#include "base/result.h"
#include "wire/compressed.h"
#include "wire/frame_header.h"

namespace wormhole::transfer {

// At most so much memory is bound: 4 MiB a context, at the highest effort.
inline constexpr std::size_t kCodecContextsMax = 4;

// How much time may be spent on a byte, from nothing on. zstd's levels 4 to 6 are slower than 7 is
// better than 3, and past 7 little is gained (docs/measurements.md).
enum class Effort : std::uint8_t { kNone, kLz4, kZstd1, kZstd3, kZstd7 };
inline constexpr std::size_t kEfforts = 5;

class Codecs {
 public:
  explicit Codecs(std::size_t contexts_max = kCodecContextsMax);
  ~Codecs();
  Codecs(const Codecs&) = delete;
  Codecs& operator=(const Codecs&) = delete;

  // Replaces the first `length` bytes of the payload, of a frame of `type`, by those of a
  // kCompressed frame, and returns their number. nullopt, and the payload as it was, when they
  // would not be fewer by a sixteenth. Preconditions: not kNone; a type that may be compressed.
  [[nodiscard]] std::optional<std::uint32_t> compress(Effort effort, wire::FrameType type,
                                                      Block& block, std::uint32_t length);

  // The other way round: the plain bytes stand at the front of the payload afterwards. kProtocol
  // when they are not exactly as many as was declared, which is also the most that is ever written.
  [[nodiscard]] Result<wire::CompressedHeader> expand(Block& block, std::uint32_t length);

 private:
  struct Context;
  class Loan;

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Context>> free_;
  std::size_t unmade_;
};

// The header of the frame that a compressed one stands for, its payload in the block. `codecs`:
// null where none was asked for, and then kProtocol.
[[nodiscard]] Result<wire::FrameHeader> expanded(Codecs* codecs, wire::FrameHeader header,
                                                 Block& block);

}  // namespace wormhole::transfer
