// Directory: files that have no name until they are whole (open(2), O_TMPFILE).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

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
  const NameBuffer to(name);
  if (::linkat(nameless.descriptor(), "", fd_.get(), to.get(), AT_EMPTY_PATH) == 0) return true;
  if (errno == ENOENT) {
    // By the handle itself it is a privilege where Linux is older than 6.10 (open(2)).
    const std::string from = path_of_handle(nameless.descriptor());
    if (::linkat(AT_FDCWD, from.c_str(), fd_.get(), to.get(), AT_SYMLINK_FOLLOW) == 0) return true;
  }
  if (errno == EEXIST) return fail(os_error(EEXIST, "create", name, Code::kExists));
  return false;
}

}  // namespace wormhole::platform
