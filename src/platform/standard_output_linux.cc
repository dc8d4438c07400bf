#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "platform/file_system.h"
#include "platform/process.h"
#include "platform/readiness.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

constexpr std::string_view kName = "standard output";

// A file takes all of it, and is never waited for.
bool is_file() {
  struct stat status = {};
  return ::fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

Result<void> write_standard_output(Bytes data, int stop) {
  const bool waits = !is_file();
  while (!data.empty()) {
    std::size_t length = data.size();
    if (waits) {
      std::array<Watch, 2> watches;
      watches[0] = {.descriptor = STDOUT_FILENO, .reading = false, .writing = true};
      watches[1] = {.descriptor = stop};
      WH_TRY(wait_ready(watches, std::nullopt));
      if (watches[1].ready) return fail({.code = Code::kInterrupted, .operation = "write"});
      if (!watches[0].ready) continue;  // a signal: who waits for room in write(2) is not woken
      // So much a pipe that is ready takes without waiting (pipe(7)).
      length = std::min<std::size_t>(length, PIPE_BUF);
    }
    const auto written = retry([&] { return ::write(STDOUT_FILENO, data.data(), length); });
    if (written == -1) return fail(os_error(errno, "write", kName));
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> flush_standard_output() {
  Fd copy(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail(os_error(errno, "write", kName));
  return File(std::move(copy)).flush();
}

}  // namespace wormhole::platform
