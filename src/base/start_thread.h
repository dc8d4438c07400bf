// A thread that may not be to be had: a limit on processes, or memory. An exception of
// std::thread's would end the process where the one thing that needs it can be refused.
#pragma once

#include <system_error>
#include <thread>
#include <utility>

#include "base/result.h"

namespace wormhole {

// kLimit, and `thread` is as it was.
template <typename Run>
[[nodiscard]] Result<void> start_thread(std::thread& thread, Run run) {
  try {
    thread = std::thread(std::move(run));
    return {};
  } catch (const std::system_error& error) {
    return fail({.code = Code::kLimit,
                 .operation = "start a thread",
                 .detail = error.code().message(),
                 .advice = "raise the limit of processes, or end some",
                 .os_errno = error.code().value()});
  }
}

}  // namespace wormhole
