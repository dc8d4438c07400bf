// Where EINTR is dealt with: every system call that can be interrupted goes through retry().
// Two never do: close() (Linux has closed it already) and poll with a timeout (poll_until()
// computes the time left anew).
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include "base/clock.h"
#include "platform/socket.h"

namespace wormhole::platform {

template <typename Call>
auto retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// Rounded up: waking a little early would spin until the deadline. (Milliseconds do for deadlines;
// ppoll would be finer, but the thread sanitizer holds back a signal that comes as it begins.)
inline int poll_timeout(Duration at_most) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, INT_MAX));
}

// Waits until `descriptor` has one of `events` (or an error), at most until the deadline.
// As poll for one descriptor: 1 ready, 0 the deadline passed, -1 with errno; ECANCELED when
// `until.cancel` became readable.
inline int poll_until(int descriptor, short events, const Until& until) {
  for (;;) {
    pollfd entries[2] = {{.fd = descriptor, .events = events, .revents = 0},
                         {.fd = until.cancel, .events = POLLIN, .revents = 0}};
    const int ready =
        ::poll(entries, 2, poll_timeout(until.deadline - std::chrono::steady_clock::now()));
    if (ready > 0 && entries[1].revents != 0) {
      errno = ECANCELED;
      return -1;
    }
    if (ready != -1 || errno != EINTR) return ready;
  }
}

}  // namespace wormhole::platform
