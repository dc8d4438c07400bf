// Directory::open_partial: a file that is ours alone, whatever stands under its name.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "platform/file_system.h"
#include "platform/names_linux.h"
#include "platform/ownership.h"
#include "platform/process.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

// Each turn means that another process removed or renamed the partial just then: a few of
// those are an accident, this many are somebody's doing.
constexpr int kAttemptsMax = 64;
constexpr mode_t kPartialMode = 0600;
constexpr int kNew = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
constexpr int kNameless = O_RDWR | O_TMPFILE | O_CLOEXEC;

std::unexpected<Error> planted(std::string_view name, std::string_view what) {
  return fail({.code = Code::kUnsafeName,
               .operation = "take over the partial file",
               .object = std::string(name),
               .detail = std::string(what),
               .advice = "remove it if it is not wanted"});
}

struct Opened {
  Fd fd;
  bool created = false;
};

// Why an existing file that could not be opened for writing must not be ours.
bool is_planted_errno(int os_errno) {
  return os_errno == ELOOP || os_errno == EISDIR || os_errno == ENXIO;
}

// Whose the files are that this process makes in that directory: not its own where a server maps
// all users to one (NFS all_squash, CIFS). nullopt where it can make none.
std::optional<uid_t> owner_of_new_files(int directory, std::string_view partial) {
  const auto owner = [](const Fd& file) -> std::optional<uid_t> {
    struct stat status;
    if (!file || ::fstat(file.get(), &status) != 0) return std::nullopt;
    return status.st_uid;
  };
  const Fd nameless(retry([&] { return ::openat(directory, ".", kNameless, kPartialMode); }));
  if (nameless) return owner(nameless);
  // A name of the same form, so that one that is left is known for what it is.
  std::array<std::uint8_t, 8> random;
  SystemRandom().fill(std::as_writable_bytes(std::span(random)));
  std::string name(partial);
  for (std::size_t i = 0; i < std::min(random.size(), name.size()); ++i) {
    name[name.size() - 1 - i] = "0123456789abcdef"[random[i] % 16];
  }
  const Fd named(retry([&] { return ::openat(directory, name.c_str(), kNew, kPartialMode); }));
  if (named) ::unlinkat(directory, name.c_str(), 0);
  return owner(named);
}

// Null for one that may be taken over.
const char* why_planted(int directory, std::string_view name, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid() && status.st_uid != owner_of_new_files(directory, name)) {
    return "it belongs to another user";
  }
  if (status.st_nlink > 1) return "it has a second name";
  return nullptr;
}

Result<void> check_ours(int directory, int fd, std::string_view name) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return fail(os_error(errno, "look at", name));
  if (const char* why = why_planted(directory, name, status)) return planted(name, why);
  return {};
}

// One of ours from an earlier run that had its final mode already, read-only perhaps: made
// writable again. Through the handle, so that nothing else gets the mode.
Result<void> make_writable(int directory, const char* buffer, std::string_view name) {
  Fd fd(retry([&] { return ::openat(directory, buffer, O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
  if (!fd) return fail(os_error(errno, "open", name));
  WH_TRY(check_ours(directory, fd.get(), name));
  // fchmod refuses O_PATH handles; their entry in /proc is the same file without a path.
  if (::chmod(path_of_handle(fd.get()).c_str(), kPartialMode) != 0) {
    return fail(os_error(errno, "set the mode of", name));
  }
  return {};
}

// An empty handle: it went away meanwhile, try again.
Result<Opened> open_or_create(int directory, const char* buffer, std::string_view name) {
  constexpr int kCommon = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
  Fd fd(
      retry([&] { return ::openat(directory, buffer, kCommon | O_CREAT | O_EXCL, kPartialMode); }));
  if (fd) return Opened{.fd = std::move(fd), .created = true};
  if (errno != EEXIST) return fail(os_error(errno, "create", name));

  const auto open_existing = [&] {
    return Fd(retry([&] { return ::openat(directory, buffer, kCommon | O_NONBLOCK); }));
  };
  fd = open_existing();
  if (!fd && errno == EACCES) {
    if (auto made = make_writable(directory, buffer, name); !made) {
      if (made.error().code == Code::kNotFound) return Opened{};
      return fail(std::move(made).error());
    }
    fd = open_existing();
  }
  if (fd) return Opened{.fd = std::move(fd), .created = false};
  if (errno == ENOENT) return Opened{};
  if (is_planted_errno(errno)) return planted(name, "it is not a regular file");
  return fail(os_error(errno, "open", name));
}

Result<void> lock(int fd, std::string_view name) {
  if (retry([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return {};
  Error error = os_error(errno, "lock", name);
  if (errno == EWOULDBLOCK) {
    error.code = Code::kExists;
    error.detail = "another process is writing it";
    error.advice = "wait until that one has finished";
  }
  return fail(std::move(error));
}

// A run that was about to put it in place had set these: they are not the next one's.
void drop_attributes(int fd) {
  for (const Attribute& one : read_attributes(fd).kept) {
    static_cast<void>(remove_attribute(fd, one.name));
  }
}

// Mode 0600, and empty if it is to be; a fresh one is so already, which saves two calls on each
// small file.
Result<void> prepare(int fd, const struct stat& status, Contents contents, std::string_view name) {
  if (contents == Contents::kDrop && (status.st_size != 0 || status.st_blocks != 0) &&
      retry([&] { return ::ftruncate(fd, 0); }) != 0) {
    return fail(os_error(errno, "empty", name));
  }
  if ((status.st_mode & 07777u) != kPartialMode && ::fchmod(fd, kPartialMode) != 0) {
    return fail(os_error(errno, "set the mode of", name));
  }
  return {};
}

}  // namespace

Result<File> Directory::open_partial(std::string_view name, Contents contents) const {
  WH_TRY(check_name(name));
  const NameBuffer buffer(name);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    WH_ASSIGN(Opened opened, open_or_create(fd_.get(), buffer.get(), name));
    if (!opened.fd) continue;
    // Before the lock as well: a planted file may be locked for ever.
    if (!opened.created) WH_TRY(check_ours(fd_.get(), opened.fd.get(), name));
    if (auto locked = lock(opened.fd.get(), name); !locked) {
      // One just made and of no use: file systems without locks would be left full of them.
      if (opened.created && locked.error().code != Code::kExists) {
        ::unlinkat(fd_.get(), buffer.get(), 0);
      }
      return fail(std::move(locked).error());
    }

    // Under the lock: is this still what the name leads to? Its last holder may have published
    // or removed it between our open and our lock.
    struct stat ours;
    struct stat named;
    if (::fstat(opened.fd.get(), &ours) != 0) return fail(os_error(errno, "look at", name));
    if (::fstatat(fd_.get(), buffer.get(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail(os_error(errno, "look at", name));
    }
    if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino) continue;
    if (!opened.created) {  // one just created may belong to whom the server squashes us
      if (const char* why = why_planted(fd_.get(), name, ours)) return planted(name, why);
      ::fcntl(opened.fd.get(), F_SETFL, 0);  // O_NONBLOCK was for what it might have been
      if (contents == Contents::kDrop) drop_attributes(opened.fd.get());
    }
    WH_TRY(prepare(opened.fd.get(), ours, contents, name));
    return File(std::move(opened.fd));
  }
  return planted(name, "it is replaced again and again");
}

}  // namespace wormhole::platform
