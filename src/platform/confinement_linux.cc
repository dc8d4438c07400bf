#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "platform/confinement.h"
#include "platform/fd.h"
#include "platform/retry_linux.h"

namespace wormhole::platform {
namespace {

// Since Linux 6.2, which Debian 12's headers do not name yet.
constexpr std::uint64_t kTruncate = 1ULL << 14;

constexpr std::uint64_t kReading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriting =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_EXECUTE | kTruncate;

// 0: the kernel has no landlock, or it is switched off.
int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

// What a kernel of that version can be asked to refuse.
std::uint64_t known_to(int version) {
  std::uint64_t all = LANDLOCK_ACCESS_FS_EXECUTE | kReading | kWriting;
  if (version < 2) all &= ~std::uint64_t{LANDLOCK_ACCESS_FS_REFER};
  if (version < 3) all &= ~kTruncate;
  return all;
}

// As a directory first: only so what is mounted on demand is mounted (open(2), O_PATH).
Fd open_place(const std::string& path) {
  Fd place(retry([&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (place || errno != ENOTDIR) return place;
  return Fd(retry([&] { return ::open(path.c_str(), O_PATH | O_CLOEXEC); }));
}

Result<void> allow(int ruleset, const std::string& path, std::uint64_t access) {
  Fd place = open_place(path);
  if (!place) return {};
  struct stat status{};
  if (::fstat(place.get(), &status) != 0) return fail(os_error(errno, "look at", path));
  if (!S_ISDIR(status.st_mode)) access &= kOfFiles;
  const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = place.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return fail(os_error(errno, "confine to", path));
  }
  // Open as long as this process: a rule is about an inode, and some file systems (9p, proc) make
  // another one of the same file when nobody has it open.
  static_cast<void>(place.release());
  return {};
}

}  // namespace

Result<bool> confine(const Confinement& to) {
  const int version = landlock_version();
  if (version == 0) return false;
  std::uint64_t refused = known_to(version);
  if (!to.read.has_value()) refused &= ~kReading;
  const landlock_ruleset_attr attributes{.handled_access_fs = refused};
  const Fd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (ruleset.get() < 0) return fail(os_error(errno, "confine", {}));
  for (const std::string& path : to.written) {
    WH_TRY(allow(ruleset.get(), path, (kReading | kWriting) & refused));
  }
  for (const std::string& path : to.read.value_or(std::vector<std::string>())) {
    WH_TRY(allow(ruleset.get(), path, kReading & refused));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail(os_error(errno, "confine", {}));
  }
  return true;
}

}  // namespace wormhole::platform
