// Signals: a pipe that the handler writes to, and threads that have none delivered.
#include "platform/signals_linux.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "platform/process.h"

namespace wormhole::platform {
namespace {

// Signal handlers belong to the process, so this is the one place with state of its own.
std::atomic<int> first_signal{0};
std::atomic<int> write_end{-1};
static_assert(std::atomic<int>::is_always_lock_free, "a handler may touch it");

constexpr int kExitInterrupted = 128 + SIGINT;

// Only what signal-safety(7) allows.
void note_signal(int signal) {
  const int saved_errno = errno;
  int none = 0;
  const bool is_first = first_signal.compare_exchange_strong(none, signal);
  // Somebody who presses Ctrl-C again means it.
  if (!is_first && signal == SIGINT) ::_exit(kExitInterrupted);
  if (is_first) {
    const char byte = 1;
    // The pipe is empty before, so this cannot wait; without a reader it does not matter.
    [[maybe_unused]] const ssize_t written = ::write(write_end.load(), &byte, 1);
  }
  errno = saved_errno;
}

Result<void> handle(int signal) {
  struct sigaction before = {};
  if (::sigaction(signal, nullptr, &before) != 0) {
    return fail(os_error(errno, "handle signals", {}));
  }
  // nohup(1) asked for SIGHUP to be ignored.
  if (signal == SIGHUP && before.sa_handler == SIG_IGN) return {};
  struct sigaction action = {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(signal, &action, nullptr) != 0) {
    return fail(os_error(errno, "handle signals", {}));
  }
  return {};
}

}  // namespace

Result<StopSignals> StopSignals::install() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return fail(os_error(errno, "handle signals", {}));
  }
  StopSignals signals;
  signals.read_end_ = Fd(ends[0]);
  write_end.store(ends[1]);  // stays open as long as the process: a handler may come any time
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) WH_TRY(handle(signal));
  return signals;
}

int StopSignals::arrived() const { return first_signal.load(); }

struct SignalsElsewhere::Mask {
  sigset_t signals;
};

SignalsElsewhere::SignalsElsewhere() : before_(std::make_unique<Mask>()) {
  const sigset_t held = stopping_signals();
  ::pthread_sigmask(SIG_BLOCK, &held, &before_->signals);
}

SignalsElsewhere::~SignalsElsewhere() {
  ::pthread_sigmask(SIG_SETMASK, &before_->signals, nullptr);
}

}  // namespace wormhole::platform
