// Which puts are under way at a host, so that the next attempt of one takes the place of the last:
// a link that was lost may seem to stand here for a minute, and what it holds is what the next
// attempt goes on with.
//
// Any thread; mutex before a put's own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace wormhole::transfer {

class PutRuns {
 public:
  // `stop` makes that attempt end, which then calls end(). Waits until an earlier one of the same
  // run has ended.
  void begin(std::uint64_t run, std::function<void()> stop);
  void end(std::uint64_t run);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::map<std::uint64_t, std::function<void()>> runs_;
};

}  // namespace wormhole::transfer
