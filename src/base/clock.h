// Time as a value that is handed down: tests hand down a fake.
#pragma once

#include <chrono>
#include <cstdint>

namespace wormhole {

using Duration = std::chrono::nanoseconds;
// Monotonic; only differences mean anything.
using TimePoint = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  // Thread-safe.
  [[nodiscard]] virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace wormhole
