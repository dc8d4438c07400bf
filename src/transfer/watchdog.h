// One timer thread that ends what has been silent too long.
//
// A reader says when it begins to wait for a whole frame and when it has one; a single byte now
// and then extends nothing. Whoever waits longer than the limit has its action called (it shuts
// sockets down; the reader then fails with kLost). Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"

namespace wormhole::transfer {

class Watchdog {
 public:
  explicit Watchdog(const Clock& clock, Duration limit = kIdleTimeout);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Lives with the reader; destroying it ends the watch (and waits for an action under way).
  class Watch {
   public:
    Watch(Watchdog& dog, std::function<void()> on_silence);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    void waiting() { since_ = dog_.clock_.now().time_since_epoch().count(); }
    void busy() { since_ = kBusy; }

   private:
    friend class Watchdog;
    static constexpr TimePoint::rep kBusy = 0;
    Watchdog& dog_;
    const std::function<void()> on_silence_;
    std::atomic<TimePoint::rep> since_ = kBusy;
  };

  // Looks once; the thread does so every second. For tests with a fake clock.
  void look();

 private:
  void run();

  const Clock& clock_;
  const Duration limit_;
  std::mutex mutex_;
  std::condition_variable stop_wake_;
  bool stopped_ = false;
  std::vector<Watch*> watches_;
  std::thread thread_;
};

}  // namespace wormhole::transfer
