#include "transfer/put_runs.h"

#include <chrono>
#include <utility>

namespace wormhole::transfer {
namespace {

constexpr std::chrono::milliseconds kStopInterval{50};

}  // namespace

void PutRuns::begin(std::uint64_t run, std::function<void()> stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto found = runs_.find(run);
    if (found == runs_.end()) break;
    // Again and again: what is to be stopped may be about to begin.
    found->second();
    ended_.wait_for(lock, kStopInterval);
  }
  runs_.emplace(run, std::move(stop));
}

void PutRuns::end(std::uint64_t run) {
  std::scoped_lock lock(mutex_);
  runs_.erase(run);
  ended_.notify_all();
}

}  // namespace wormhole::transfer
