// Which puts are under way at a host, and what the attempts of one command have in common, so that
// the next attempt takes the place of the last: a link that was lost may seem to stand here for a
// minute, and what it holds is what the next attempt goes on with.
//
// Any thread; mutex before those of a session and of the host.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "platform/file_system.h"
#include "transfer/former_names.h"
#include "transfer/shown_deletions.h"

namespace wormhole::transfer {

// Runs that are remembered after their last attempt.
inline constexpr std::size_t kPutRunsRememberedMax = 256;
inline constexpr std::size_t kMadeRootsMax = 1024;
// Runs of which it is remembered what they were shown.
inline constexpr std::size_t kShownRunsMax = 4;

class PutRuns {
 public:
  // Of all attempts for all that a command puts. Of use to one attempt at a time.
  struct Memory {
    platform::Timestamp started = platform::stamp_now();
    std::shared_ptr<FormerNames> former = std::make_shared<FormerNames>();
    std::set<std::string> made_roots = {};  // by where they were put
  };

  // `stop` makes that attempt end, which then calls end(). Waits until an earlier one of the same
  // run has ended. Null: `is_over` has become true meanwhile. Run 0 is always another one.
  [[nodiscard]] std::shared_ptr<Memory> begin(std::uint64_t run, std::function<void()> stop,
                                              const std::function<bool()>& is_over);
  void end(std::uint64_t run);
  // What the plans of that run say would be deleted, to be added to; of run 0, of this one.
  [[nodiscard]] std::shared_ptr<ShownDeletions> begin_shown(std::uint64_t run);
  // The same, of a run that is to do so; empty where it is not remembered.
  [[nodiscard]] std::shared_ptr<ShownDeletions> shown(std::uint64_t run);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::map<std::uint64_t, std::function<void()>> runs_;
  std::map<std::uint64_t, std::shared_ptr<Memory>> memories_;
  std::deque<std::uint64_t> oldest_;
  std::deque<std::pair<std::uint64_t, std::shared_ptr<ShownDeletions>>> shown_;
};

}  // namespace wormhole::transfer
