// Waiting on many sockets in one thread, and being woken from another: what the poll loop
// before authentication stands on.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "platform/fd.h"
#include "platform/socket.h"

namespace wormhole::platform {

// One descriptor to wait on. `ready` is set by wait_ready: a call will not block, be it because
// there is something to read or room to write, or because the connection ended or broke.
struct Watch {
  int descriptor = -1;
  bool reading = true;
  bool writing = false;
  bool ready = false;
};

// Waits until at least one is ready, or `at_most` has passed (nullopt: as long as it takes).
[[nodiscard]] Result<void> wait_ready(std::span<Watch> watches, std::optional<Duration> at_most);

// On a non-blocking socket. nullopt: it would block. 0 from receive_now: the peer finished
// sending. kLost when the connection broke.
[[nodiscard]] Result<std::optional<std::size_t>> receive_now(const Socket& socket,
                                                             MutableBytes out);
[[nodiscard]] Result<std::optional<std::size_t>> send_now(const Socket& socket, Bytes data);

// Ends a wait_ready from outside.
class Waker {
 public:
  [[nodiscard]] static Result<Waker> make();
  // Any thread, also a signal handler. Calls before the next clear() count as one.
  void wake() const;
  // By the thread that waits, before it looks at what it was woken for.
  void clear() const;
  [[nodiscard]] int descriptor() const { return read_end_.get(); }

 private:
  Waker(Fd read_end, Fd write_end)
      : read_end_(std::move(read_end)), write_end_(std::move(write_end)) {}
  Fd read_end_;
  Fd write_end_;
};

}  // namespace wormhole::platform
