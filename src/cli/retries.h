// Whether a fetch whose link was lost is tried again, and when: sans-I/O, one thread.
//
// A second, two, four, eight, and so on every eight, for a minute; lasting progress starts it anew.
// Nothing is gained by waiting for a host that answers "nobody listens here" or that says no: then
// the user is told at once. Nor by coming back for ever to one that hangs up. The first join is
// never retried: guesses cost the host's code.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/error.h"

namespace wormhole::cli {

inline constexpr std::chrono::seconds kFirstRetry{1};
inline constexpr std::chrono::seconds kSlowestRetry{8};
inline constexpr std::chrono::minutes kRetriesEnd{1};
// Attempts in a row that reached the host, and left no more behind than the ones before.
inline constexpr int kFruitlessMax = 3;

class Retries {
 public:
  explicit Retries(const Clock& clock) : clock_(clock) {}

  // An attempt ended by `error`; `progressed`: it left more behind than the ones before, files in
  // place or parts that are kept. How long to wait before the next one; nullopt: give up.
  [[nodiscard]] std::optional<Duration> after(const Error& error, bool progressed);

 private:
  const Clock& clock_;
  std::optional<TimePoint> failing_since_;
  Duration next_wait_ = kFirstRetry;
  int fruitless_ = 0;
};

}  // namespace wormhole::cli
