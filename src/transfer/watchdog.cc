#include "transfer/watchdog.h"

#include <algorithm>
#include <utility>

namespace wormhole::transfer {
namespace {

constexpr std::chrono::seconds kTick{1};

}  // namespace

Watchdog::Watchdog(const Clock& clock, Duration limit)
    : clock_(clock), limit_(limit), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  stop_wake_.notify_all();
  thread_.join();
}

Watchdog::Watch::Watch(Watchdog& dog, std::function<void()> on_silence)
    : dog_(dog), on_silence_(std::move(on_silence)) {
  std::scoped_lock lock(dog_.mutex_);
  dog_.watches_.push_back(this);
}

Watchdog::Watch::~Watch() {
  std::scoped_lock lock(dog_.mutex_);
  std::erase(dog_.watches_, this);
}

void Watchdog::look() {
  std::scoped_lock lock(mutex_);
  const TimePoint::rep now = clock_.now().time_since_epoch().count();
  for (Watch* watch : watches_) {
    const TimePoint::rep since = watch->since_;
    if (since == Watch::kBusy || TimePoint::duration(now - since) < limit_) continue;
    watch->since_ = Watch::kBusy;  // once
    watch->on_silence_();
  }
}

void Watchdog::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (stop_wake_.wait_for(lock, kTick, [&] { return stopped_; })) return;
    }
    look();
  }
}

}  // namespace wormhole::transfer
