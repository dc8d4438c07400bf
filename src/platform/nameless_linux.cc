// Directory: files that have no name until they are whole (open(2), O_TMPFILE).
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "platform/file_system.h"
#include "platform/names_linux.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {

std::optional<File> Directory::make_nameless(std::uint32_t mode) const {
  Fd fd(retry([&] {
    return ::openat(fd_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_NOCTTY, mode & 07777u);
  }));
  if (!fd) return std::nullopt;
  return File(std::move(fd));
}

Result<bool> Directory::give_name(const File& nameless, std::string_view name) const {
  WH_TRY(check_name(name));
  // By its entry in /proc: by the handle itself (AT_EMPTY_PATH) is a privilege (open(2)).
  std::array<char, 32> entry{};
  *fmt::format_to_n(entry.data(), entry.size() - 1, "/proc/self/fd/{}", nameless.descriptor()).out =
      '\0';
  const NameBuffer to(name);
  if (::linkat(AT_FDCWD, entry.data(), fd_.get(), to.get(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) return fail(os_error(EEXIST, "create", name, Code::kExists));
  return false;
}

}  // namespace wormhole::platform
