// The terminal: its width, and a secret asked for on it.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/units.h"
#include "platform/process.h"
#include "platform/retry_linux.h"
#include "platform/signals_linux.h"

namespace wormhole::platform {
namespace {

constexpr unsigned kColumnsUnknown = 80;
// A terminal gives lines of at most 4,095 bytes (termios(3), canonical mode).
constexpr std::size_t kLineMaxBytes = 4 * kKiB;

// Holds back the signals that would end or stop the process with the echo off: they wait, seen
// through a signalfd, until this goes out of scope.
class HeldSignals {
 public:
  HeldSignals() {
    const sigset_t held = stopping_signals();
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
    seen_ = Fd(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // Polls readable while a signal waits.
  [[nodiscard]] int descriptor() const { return seen_.get(); }
  [[nodiscard]] bool stop_waits() const {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGTSTP) == 1;
  }

 private:
  sigset_t before_;
  Fd seen_;
};

class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL | ICANON;
    // What was typed ahead was echoed: it is no secret, and dropped.
    changed_ = retry([&] { return ::tcsetattr(terminal_, TCSAFLUSH, &silent); }) == 0;
  }
  ~EchoOff() {
    if (changed_) retry([&] { return ::tcsetattr(terminal_, TCSAFLUSH, &before_); });
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  [[nodiscard]] bool is_off() const { return changed_; }

 private:
  int terminal_;
  termios before_ = {};
  bool changed_ = false;
};

Error cannot_ask(std::string detail) {
  return {.code = Code::kUsage,
          .operation = "ask on the terminal",
          .detail = std::move(detail),
          .advice = "give it by a file or the environment instead"};
}

Error interrupted() { return {.code = Code::kInterrupted, .operation = "ask on the terminal"}; }

void show(int terminal, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = retry([&] { return ::write(terminal, text.data(), text.size()); });
    if (put <= 0) return;  // reading will fail too, and tell
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

enum class Ready { kLine, kSignal, kFailed };

Ready wait_for(int terminal, int signals) {
  pollfd entries[2] = {{.fd = terminal, .events = POLLIN, .revents = 0},
                       {.fd = signals, .events = POLLIN, .revents = 0}};
  if (retry([&] { return ::poll(entries, 2, -1); }) < 0) return Ready::kFailed;
  return entries[1].revents != 0 ? Ready::kSignal : Ready::kLine;
}

struct Asked {
  std::string line;
  bool stopped = false;  // by Ctrl-Z, and continued: ask again
};

Result<Asked> ask_once(int terminal, std::string_view prompt) {
  // In this order: the echo is back before a held signal strikes.
  const HeldSignals signals;
  const EchoOff echo(terminal);
  if (signals.descriptor() < 0 || !echo.is_off()) {
    return fail(cannot_ask("its echo cannot be switched off"));
  }
  show(terminal, prompt);
  switch (wait_for(terminal, signals.descriptor())) {
    case Ready::kFailed:
      return fail(cannot_ask("the terminal cannot be read"));
    case Ready::kSignal:
      if (signals.stop_waits()) return Asked{.line = {}, .stopped = true};
      return fail(interrupted());
    case Ready::kLine:
      break;
  }
  std::array<char, kLineMaxBytes> buffer;
  const ssize_t got = retry([&] { return ::read(terminal, buffer.data(), buffer.size()); });
  if (got <= 0) return fail(interrupted());  // Ctrl-D, or the terminal went away
  std::string line(buffer.data(), static_cast<std::size_t>(got));
  ::explicit_bzero(buffer.data(), buffer.size());
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return Asked{.line = std::move(line)};
}

}  // namespace

void drop_typed_ahead(int terminal) { ::tcflush(terminal, TCIFLUSH); }

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

unsigned terminal_columns(int descriptor) {
  winsize size = {};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kColumnsUnknown;
  return size.ws_col;
}

Result<std::string> read_secret_line(std::string_view prompt) {
  const Fd terminal(retry([] { return ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC); }));
  if (!terminal) return fail(cannot_ask("there is no terminal"));
  for (;;) {
    WH_ASSIGN(Asked asked, ask_once(terminal.get(), prompt));
    if (!asked.stopped) return std::move(asked.line);
  }
}

}  // namespace wormhole::platform
