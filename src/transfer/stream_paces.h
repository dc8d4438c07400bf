// Which of a giver's streams should send the end of what there is: sans-I/O, not thread-safe.
//
// Streams that share a path are unlike: a loss or a late start leaves one with a hundredth of it,
// and what was handed to its connection stands there for seconds. While there is much to send
// that does not matter. At the end everybody would wait for that stream: so it takes nothing
// any more once the others would have all the rest delivered before its next frame.
#pragma once

#include <array>
#include <cstdint>

#include "base/limits.h"

namespace wormhole::transfer {

class StreamPaces {
 public:
  struct Pace {
    double bytes_per_second = 0;      // 0: not known yet
    std::uint64_t backlog_bytes = 0;  // handed to its connection and not acknowledged
  };

  void report(unsigned stream, Pace pace);
  // It has ended.
  void forget(unsigned stream);

  // The others would have `left_bytes` delivered before that stream delivers one byte of it.
  [[nodiscard]] bool comes_too_late(unsigned stream, std::uint64_t left_bytes) const;

 private:
  std::array<Pace, kStreamsMax> paces_{};
};

}  // namespace wormhole::transfer
