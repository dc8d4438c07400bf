#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "platform/process.h"
#include "platform/readiness.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {

Result<std::size_t> read_standard_input(MutableBytes out, int stop) {
  std::array<Watch, 2> watches;
  watches[0].descriptor = STDIN_FILENO;
  watches[1].descriptor = stop;
  // A signal wakes it with nothing ready.
  while (!watches[0].ready && !watches[1].ready) WH_TRY(wait_ready(watches, std::nullopt));
  if (watches[1].ready) return fail({.code = Code::kInterrupted, .operation = "read"});
  const auto got = retry([&] { return ::read(STDIN_FILENO, out.data(), out.size()); });
  if (got == -1) return fail(os_error(errno, "read", "standard input"));
  return static_cast<std::size_t>(got);
}

Result<std::string> make_temporary_directory(const std::string& prefix) {
  std::string path = prefix + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return fail(os_error(errno, "make directory", path));
  return path;
}

}  // namespace wormhole::platform
