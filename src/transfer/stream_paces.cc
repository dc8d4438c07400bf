#include "transfer/stream_paces.h"

namespace wormhole::transfer {

void StreamPaces::report(unsigned stream, Pace pace) { paces_.at(stream) = pace; }

void StreamPaces::forget(unsigned stream) { paces_.at(stream) = {}; }

bool StreamPaces::comes_too_late(unsigned stream, std::uint64_t left_bytes) const {
  const Pace& own = paces_.at(stream);
  if (own.bytes_per_second <= 0) return false;
  double others_pace = 0;
  auto others_bytes = static_cast<double>(left_bytes);
  for (unsigned other = 0; other < paces_.size(); ++other) {
    if (other == stream) continue;
    others_pace += paces_[other].bytes_per_second;
    others_bytes += static_cast<double>(paces_[other].backlog_bytes);
  }
  if (others_pace <= 0) return false;
  return static_cast<double>(own.backlog_bytes) / own.bytes_per_second > others_bytes / others_pace;
}

}  // namespace wormhole::transfer
