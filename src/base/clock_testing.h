// For tests: time that passes when the test says so.
#pragma once

#include <atomic>
#include <chrono>

#include "base/clock.h"

namespace wormhole::testing {

class FakeClock final : public Clock {
 public:
  // `step`: what passes at each look.
  explicit FakeClock(Duration step = {}) : step_(step.count()) {}

  [[nodiscard]] TimePoint now() const override {
    return TimePoint(Duration(now_.fetch_add(step_) + step_));
  }
  void advance(Duration by) { now_ += by.count(); }

 private:
  const Duration::rep step_;
  mutable std::atomic<Duration::rep> now_ = Duration(std::chrono::hours(1)).count();
};

}  // namespace wormhole::testing
