// Directory: names below a handle.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "platform/file_status_linux.h"
#include "platform/file_system.h"
#include "platform/names_linux.h"
#include "platform/process.h"
#include "platform/publish_linux.h"
#include "platform/retry_linux.h"
#include "platform/times_linux.h"

namespace wormhole::platform {
namespace {

std::unexpected<Error> last_error(std::string_view operation, std::string_view name) {
  return fail(os_error(errno, operation, name));
}

std::unexpected<Error> not_regular(std::string_view name) {
  return fail({.code = Code::kSkippedSpecial,
               .operation = "open",
               .object = std::string(name),
               .detail = "not a regular file"});
}

std::unexpected<Error> taken(std::string_view operation, std::string_view name, int os_errno) {
  return fail(os_error(os_errno, operation, name, Code::kExists));
}

// To open it so (O_NOATIME) is refused for the files of others, and costs a second open there. Root
// may do it to any.
void leave_access_time(int file, const struct stat& status) {
  const std::uint32_t user = user_id();
  if (user != 0 && user != status.st_uid) return;
  static_cast<void>(::fcntl(file, F_SETFL, O_NONBLOCK | O_NOATIME));
}

}  // namespace

Result<void> publish_by_link(int directory, const char* partial, const char* name) {
  if (::linkat(directory, partial, directory, name, 0) != 0) {
    if (errno == EEXIST) return taken("create", name, EEXIST);
    const bool has_no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
    if (!has_no_links) return last_error("create", name);
    // Nor can it rename so: what stands there is looked for, and an instant later no more.
    struct stat status;
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      return taken("create", name, EEXIST);
    }
    if (errno != ENOENT) return last_error("look at", name);
    if (::renameat(directory, partial, directory, name) == 0) return {};
    return last_error("create", name);
  }
  if (::unlinkat(directory, partial, 0) != 0) return last_error("remove", partial);
  return {};
}

Result<void> check_name(std::string_view name) {
  std::string detail;
  if (name.empty()) {
    detail = "the name is empty";
  } else if (name == "." || name == "..") {
    detail = "the name leads out of its directory";
  } else if (name.find('/') != std::string_view::npos) {
    detail = "the name holds a slash";
  } else if (name.find('\0') != std::string_view::npos) {
    detail = "the name holds a NUL byte";
  } else if (name.size() > kNameMaxBytes) {
    detail = "the name is longer than " + std::to_string(kNameMaxBytes) + " bytes";
  } else {
    return {};
  }
  return fail({.code = Code::kUnsafeName,
               .operation = "use the name",
               .object = std::string(name),
               .detail = std::move(detail)});
}

Result<Directory> Directory::open_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "open",
                 .object = path,
                 .detail = "the path holds a NUL byte"});
  }
  Fd fd(retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return last_error("open", path);
  return Directory(std::move(fd));
}

Result<FileStatus> Directory::status() const {
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) return last_error("look at", {});
  return to_file_status(status);
}

Result<std::string> Directory::path() const {
  std::string link(PATH_MAX, '\0');
  const std::string shown = path_of_handle(fd_.get());
  const ssize_t length = ::readlink(shown.c_str(), link.data(), link.size());
  if (length < 0) return last_error("name directory", shown);
  link.resize(static_cast<std::size_t>(length));
  // Deleted, out of reach, or too long to be shown.
  if (link.empty() || link.front() != '/' || static_cast<std::size_t>(length) == PATH_MAX) {
    return fail({.code = Code::kNotFound, .operation = "name directory"});
  }
  return link;
}

Result<FileStatus> Directory::status_of(std::string_view name) const {
  WH_TRY(check_name(name));
  struct stat status;
  if (::fstatat(fd_.get(), NameBuffer(name).get(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return last_error("look at", name);
  }
  return to_file_status(status);
}

Result<Directory> Directory::open_directory(std::string_view name) const {
  WH_TRY(check_name(name));
  const NameBuffer buffer(name);
  Fd fd(retry([&] {
    return ::openat(fd_.get(), buffer.get(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }));
  if (!fd) return last_error("open", name);
  return Directory(std::move(fd));
}

Result<Directory> Directory::reopen() const {
  Fd fd(retry([&] { return ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return last_error("open", {});
  return Directory(std::move(fd));
}

Result<File> Directory::open_file(std::string_view name) const {
  WH_TRY(check_name(name));
  const NameBuffer buffer(name);
  Fd fd(retry([&] {
    return ::openat(fd_.get(), buffer.get(),
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }));
  // ELOOP: a symlink; ENXIO: a socket, or a device that is not there.
  if (!fd && (errno == ELOOP || errno == ENXIO)) return not_regular(name);
  if (!fd) return last_error("open", name);
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return last_error("look at", name);
  if (!S_ISREG(status.st_mode)) return not_regular(name);
  leave_access_time(fd.get(), status);
  return File(std::move(fd));
}

Result<std::string> Directory::read_link(std::string_view name) const {
  WH_TRY(check_name(name));
  std::array<char, kSymlinkTargetMaxBytes + 1> target;
  const ssize_t bytes =
      ::readlinkat(fd_.get(), NameBuffer(name).get(), target.data(), target.size());
  if (bytes < 0) return last_error("read the link", name);
  if (static_cast<std::size_t>(bytes) > kSymlinkTargetMaxBytes) {
    return fail(os_error(ENAMETOOLONG, "read the link", name, Code::kLimit));
  }
  return std::string(target.data(), static_cast<std::size_t>(bytes));
}

Result<bool> Directory::make_directory(std::string_view name, std::uint32_t mode) const {
  WH_TRY(check_name(name));
  const NameBuffer buffer(name);
  if (::mkdirat(fd_.get(), buffer.get(), mode & 07777u) == 0) return true;
  if (errno != EEXIST) return last_error("create the directory", name);
  struct stat status;
  if (::fstatat(fd_.get(), buffer.get(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return last_error("look at", name);
  }
  if (!S_ISDIR(status.st_mode)) return taken("create the directory", name, EEXIST);
  return false;
}

Result<void> Directory::make_symlink(std::string_view name, std::string_view target) const {
  WH_TRY(check_name(name));
  if (target.empty() || target.size() > kSymlinkTargetMaxBytes ||
      target.find('\0') != std::string_view::npos) {
    return fail({.code = Code::kUnsafeName,
                 .operation = "create the link",
                 .object = std::string(name),
                 .detail = "its target is empty, too long or holds a NUL byte"});
  }
  if (::symlinkat(std::string(target).c_str(), fd_.get(), NameBuffer(name).get()) != 0) {
    if (errno == EEXIST) return taken("create the link", name, EEXIST);
    return last_error("create the link", name);
  }
  return {};
}

Result<bool> Directory::make_hard_link(std::string_view name, const Directory& from,
                                       std::string_view from_name) const {
  WH_TRY(check_name(name));
  WH_TRY(check_name(from_name));
  const int made = ::linkat(from.fd_.get(), NameBuffer(from_name).get(), fd_.get(),
                            NameBuffer(name).get(), /*flags=*/0);
  if (made == 0) return true;
  // EXDEV: landlock(7) before Linux 5.19, between directories. EMLINK: no more of this file.
  if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EXDEV ||
      errno == EMLINK) {
    return false;
  }
  if (errno == EEXIST) return taken("make the hard link", name, EEXIST);
  return last_error("make the hard link", name);
}

Result<void> Directory::set_symlink_modified(std::string_view name, Timestamp modified,
                                             std::optional<Timestamp> accessed) const {
  WH_TRY(check_name(name));
  return set_times(fd_.get(), NameBuffer(name).get(), {modified, accessed}, AT_SYMLINK_NOFOLLOW,
                   name);
}

Result<Directory::OpenSymlink> Directory::open_symlink(std::string_view name) const {
  WH_TRY(check_name(name));
  const NameBuffer buffer(name);
  Fd fd(retry([&] { return ::openat(fd_.get(), buffer.get(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
  if (!fd) return last_error("open", name);
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return last_error("look at", name);
  if (S_ISLNK(status.st_mode)) return OpenSymlink{std::move(fd), to_file_status(status)};
  return fail({.code = Code::kSkippedSpecial,
               .operation = "open",
               .object = std::string(name),
               .detail = "not a symlink"});
}

Result<void> Directory::publish(std::string_view partial, std::string_view name,
                                Replace replace) const {
  WH_TRY(check_name(partial));
  WH_TRY(check_name(name));
  const NameBuffer from(partial);
  const NameBuffer to(name);
  if (replace == Replace::kYes) {
    if (::renameat(fd_.get(), from.get(), fd_.get(), to.get()) == 0) return {};
    // A directory stands there.
    if (errno == EISDIR || errno == ENOTEMPTY) return taken("replace", name, errno);
    return last_error("replace", name);
  }
  if (::renameat2(fd_.get(), from.get(), fd_.get(), to.get(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EEXIST) return taken("create", name, EEXIST);
  if (errno == EINVAL || errno == ENOSYS) {
    return publish_by_link(fd_.get(), from.get(), to.get());
  }
  return last_error("create", name);
}

Result<void> Directory::remove_file(std::string_view name) const {
  WH_TRY(check_name(name));
  if (::unlinkat(fd_.get(), NameBuffer(name).get(), 0) != 0) return last_error("remove", name);
  return {};
}

Result<void> Directory::remove_directory(std::string_view name) const {
  WH_TRY(check_name(name));
  if (::unlinkat(fd_.get(), NameBuffer(name).get(), AT_REMOVEDIR) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) return taken("remove", name, errno);
  return last_error("remove", name);
}

Result<void> Directory::set_mode(std::uint32_t mode) const {
  if (::fchmod(fd_.get(), mode & 07777u) != 0) return last_error("set the mode of", {});
  return {};
}

Result<void> Directory::set_modified(Timestamp modified, std::optional<Timestamp> accessed) const {
  return set_times(fd_.get(), nullptr, {modified, accessed}, 0, {});
}

Result<void> Directory::sync() const {
  if (retry([&] { return ::fsync(fd_.get()); }) != 0) return last_error("sync", {});
  return {};
}

Result<DirectoryReader> Directory::read() const {
  // A handle of its own: the position in a directory belongs to the open file description.
  Fd fd(retry([&] { return ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return last_error("list", {});
  return DirectoryReader(std::move(fd));
}

}  // namespace wormhole::platform
