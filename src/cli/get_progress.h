// The live line of get, and its closing sentence.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "transfer/events.h"

namespace wormhole::cli {

// What one refresh of the line is made from.
struct ProgressSnapshot {
  std::uint64_t bytes_done = 0;   // arrived or skipped
  std::uint64_t bytes_moved = 0;  // of these: that came, or were copied here
  std::uint64_t bytes_known = 0;  // announced so far
  bool all_known = false;
  std::uint64_t files_done = 0;
  std::uint64_t files_known = 0;
  std::uint64_t files_there = 0;   // of files_done: they did not come
  std::uint64_t bytes_reused = 0;  // of bytes_done: copied from what is here
  std::uint64_t failed = 0;
  std::string current;  // raw bytes
};

// Renders the line to at most `columns` characters: share done, bytes, files, rate, time left,
// file; the bar where there is room for it. The rate is that of the last seconds, so that it says
// what is happening now.
class ProgressLine {
 public:
  using Seconds = std::chrono::duration<double>;
  // `begun`: when what it shows begins, as `elapsed` counts. (A run may have had attempts, and
  // other targets, before.)
  explicit ProgressLine(Seconds begun = Seconds(0)) : last_at_(begun) {}
  [[nodiscard]] std::string render(const ProgressSnapshot& now, Seconds elapsed, unsigned columns);

 private:
  Seconds last_at_;
  std::uint64_t last_moved_ = 0;
  double rate_ = 0;  // bytes a second, smoothed
};

}  // namespace wormhole::cli
