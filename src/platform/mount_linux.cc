// Which mount a directory is on, and what that file system does with what it took.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <string>

#include "platform/file_system.h"

namespace wormhole::platform {
namespace {

// Linux 6.8; the C library's headers are older.
constexpr unsigned kStatxMountIdUnique = 0x4000;

// 0 where the system does not tell.
std::uint64_t boot_id() {
  static const std::uint64_t id = [] {
    // random(4): a UUID, of which the first 16 digits are nearly all random.
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string digits;
    std::getline(file, digits);
    std::erase(digits, '-');
    std::uint64_t value = 0;
    const char* end = digits.data() + std::min<std::size_t>(digits.size(), 16);
    static_cast<void>(std::from_chars(digits.data(), end, value, 16));
    return value;
  }();
  return id;
}

// statfs(2); 0 where it does not tell.
std::uint32_t type_of(int fd) {
  struct statfs status;
  return ::fstatfs(fd, &status) == 0 ? static_cast<std::uint32_t>(status.f_type) : 0;
}

// What write(2) took is kept until it is on the disk: the room for it is reserved.
bool keeps_what_it_takes(std::uint32_t type) {
  constexpr std::array<std::uint32_t, 8> kLocal = {
      EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
      F2FS_SUPER_MAGIC, TMPFS_MAGIC,     OVERLAYFS_SUPER_MAGIC,
      0x2fc12fc1,  // ZFS
      0xca451a4e,  // bcachefs
  };
  return std::ranges::find(kLocal, type) != kLocal.end();
}

// A file that nobody has open gets another inode number when it is looked at again, if the system
// has forgotten it meanwhile.
bool numbers_files_anew(std::uint32_t type) {
  constexpr std::array<std::uint32_t, 5> kSuch = {
      MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC, FUSE_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
  };
  return std::ranges::find(kSuch, type) != kSuch.end();
}

}  // namespace

Result<bool> File::is_version(const FileStatus& looked_at) const {
  WH_ASSIGN(const auto now, status());
  if (now.same_version(looked_at)) return true;
  return now.same_but_for_id(looked_at) && numbers_files_anew(type_of(fd_.get()));
}

std::uint64_t Directory::mount_id() const {
  struct statx status;
  const bool answers = ::statx(fd_.get(), "", AT_EMPTY_PATH, kStatxMountIdUnique, &status) == 0 &&
                       (status.stx_mask & kStatxMountIdUnique) != 0;
  if (!answers || boot_id() == 0 || !keeps_what_it_takes(type_of(fd_.get()))) return 0;
  // The kernel counts mounts up from boot to boot, and uses no number twice.
  return std::max<std::uint64_t>(boot_id() + status.stx_mnt_id, 1);
}

bool Directory::finds_room_late() const { return !keeps_what_it_takes(type_of(fd_.get())); }

bool Directory::loses_data_as_holes() const {
  const std::uint32_t type = type_of(fd_.get());
  return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC ||
         type == F2FS_SUPER_MAGIC;
}

}  // namespace wormhole::platform
