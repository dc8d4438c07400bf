// Internal to the room.
#pragma once

#include <csignal>
#include <initializer_list>

namespace wormhole::platform {

// Those that end or stop the process from a terminal, or from outside.
inline sigset_t stopping_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) {
    ::sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace wormhole::platform
