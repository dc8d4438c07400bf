// A thread that may not be to be had: a limit on processes, or memory. An exception of
// std::thread's would end the process where the one thing that needs it can be refused.
#pragma once

#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "base/result.h"

namespace wormhole {

// For std::async: by another thread, or where none is to be had, by whoever asks for the result.
// What is to be run is given as an lvalue: libstdc++ takes it twice, and has moved from it then.
inline constexpr std::launch kMeanwhile = std::launch::async | std::launch::deferred;

// kLimit, and `thread` is as it was.
template <typename Run>
[[nodiscard]] Result<void> start_thread(std::thread& thread, Run run) {
  try {
    thread = std::thread(std::move(run));
    return {};
  } catch (const std::system_error& error) {
    return fail({.code = Code::kLimit,
                 .operation = "start a thread",
                 .detail = "no more threads are to be had: " + error.code().message(),
                 .advice = "raise the limit of processes, or end some",
                 .os_errno = error.code().value()});
  }
}

}  // namespace wormhole
