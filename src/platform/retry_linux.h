// Where EINTR is dealt with: every system call that can be interrupted goes through retry().
// Two never do: close() (Linux has closed it already) and poll with a timeout (poll_until()
// computes the time left anew).
#pragma once

#include <poll.h>

#include <cerrno>
#include <ctime>

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

// Waits until `descriptor` has one of `events` (or an error), at most until `deadline`. As
// poll(): 1, 0 for the deadline, -1 with errno.
// As poll for one descriptor: 1 ready, 0 the deadline passed, -1 with errno; ECANCELED when
// `until.cancel` became readable.
inline int poll_until(int descriptor, short events, const Until& until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        until.deadline - std::chrono::steady_clock::now());
    const auto wait = left.count() > 0 ? left.count() : 0;
    const timespec timeout{.tv_sec = wait / 1'000'000'000, .tv_nsec = wait % 1'000'000'000};
    pollfd entries[2] = {{.fd = descriptor, .events = events, .revents = 0},
                         {.fd = until.cancel, .events = POLLIN, .revents = 0}};
    const int ready = ::ppoll(entries, 2, &timeout, nullptr);
    if (ready > 0 && entries[1].revents != 0) {
      errno = ECANCELED;
      return -1;
    }
    if (ready != -1 || errno != EINTR) return ready;
  }
}

}  // namespace wormhole::platform
