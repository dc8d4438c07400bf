#include "transfer/put_runs.h"

#include <chrono>
#include <utility>

namespace wormhole::transfer {
namespace {

constexpr std::chrono::milliseconds kStopInterval{50};

}  // namespace

std::shared_ptr<PutRuns::Memory> PutRuns::begin(std::uint64_t run, std::function<void()> stop,
                                                const std::function<bool()>& is_over) {
  if (run == 0) return std::make_shared<Memory>();
  std::unique_lock lock(mutex_);
  while (true) {
    const auto found = runs_.find(run);
    if (found == runs_.end()) break;
    if (is_over()) return nullptr;
    // Again and again: what is to be stopped may be about to begin.
    found->second();
    ended_.wait_for(lock, kStopInterval);
  }
  runs_.emplace(run, std::move(stop));
  std::shared_ptr<Memory>& memory = memories_[run];
  if (memory == nullptr) {
    memory = std::make_shared<Memory>();
    oldest_.push_back(run);
    if (oldest_.size() > kPutRunsRememberedMax) {
      memories_.erase(oldest_.front());
      oldest_.pop_front();
    }
  }
  return memory;
}

void PutRuns::end(std::uint64_t run) {
  if (run == 0) return;
  std::scoped_lock lock(mutex_);
  runs_.erase(run);
  ended_.notify_all();
}

std::shared_ptr<ShownDeletions> PutRuns::shown(std::uint64_t run) {
  std::scoped_lock lock(mutex_);
  for (const auto& [number, shown] : shown_) {
    if (number == run) return shown;
  }
  return std::make_shared<ShownDeletions>();
}

std::shared_ptr<ShownDeletions> PutRuns::begin_shown(std::uint64_t run) {
  std::shared_ptr<ShownDeletions> known = shown(run);
  if (run == 0) return known;
  std::scoped_lock lock(mutex_);
  std::erase_if(shown_, [&](const auto& entry) { return entry.first == run; });
  if (shown_.size() >= kShownRunsMax) shown_.pop_front();
  shown_.emplace_back(run, known);
  return known;
}

}  // namespace wormhole::transfer
