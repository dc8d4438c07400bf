// File: one open regular file.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <limits>

#include "base/limits.h"
#include "base/units.h"
#include "platform/cache_as_found_linux.h"
#include "platform/file_status_linux.h"
#include "platform/file_system.h"
#include "platform/retry_linux.h"
#include "platform/times_linux.h"
#include "platform/windows_linux.h"

namespace wormhole::platform {
namespace {

FileType to_file_type(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kSpecial;
}

Timestamp to_timestamp(const timespec& from) {
  return {.seconds = from.tv_sec, .nanoseconds = static_cast<std::uint32_t>(from.tv_nsec)};
}

std::unexpected<Error> last_error(std::string_view operation) {
  return fail(os_error(errno, operation, {}));
}

// RWF_DONTCACHE (Linux 6.14), which Debian 12's headers do not name yet.
constexpr int kDontCache = 0x80;
// A kernel or file system without it: EOPNOTSUPP; before pwritev2 took flags: EINVAL, ENOSYS.
bool is_refusal(int os_errno) {
  return os_errno == EOPNOTSUPP || os_errno == EINVAL || os_errno == ENOSYS;
}

// Memory is all there is of such a file: nothing of it can be given up.
bool stands_in_memory(int fd) {
  struct statfs system{};
  if (::fstatfs(fd, &system) != 0) return false;
  const auto type = static_cast<std::uint32_t>(system.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

// Calls write(rest, at) until all of `data` is written.
template <typename Write>
Result<void> write_all(Bytes data, std::uint64_t offset, const Write& write) {
  // pwritev2 takes the offset -1 for the file's own position.
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
    return fail(os_error(EFBIG, "write", {}));
  }
  while (!data.empty()) {
    const ssize_t put = retry([&] { return write(data, static_cast<off_t>(offset)); });
    if (put < 0) return last_error("write");
    if (put == 0) return fail(os_error(EIO, "write", {}));  // would repeat for ever
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

// Of a disk's free space, when room for a whole file is taken at once: for its journal, and others.
constexpr std::uint64_t kLeftToOthersMinBytes = 64 * kMiB;

constexpr std::uint64_t kStatBlockBytes = 512;  // stat(2): st_blocks, whatever the file system

}  // namespace

FileStatus to_file_status(const struct stat& from) {
  return {.type = to_file_type(from.st_mode),
          .size_bytes = static_cast<std::uint64_t>(from.st_size),
          .allocated_bytes = static_cast<std::uint64_t>(from.st_blocks) * kStatBlockBytes,
          .mode = from.st_mode & 07777u,
          .owner = from.st_uid,
          .group = from.st_gid,
          .links = from.st_nlink,
          .accessed = to_timestamp(from.st_atim),
          .modified = to_timestamp(from.st_mtim),
          .changed = to_timestamp(from.st_ctim),
          .device = from.st_dev,
          .inode = from.st_ino};
}

Timestamp stamp_now() {
  timespec now{};
  // Cannot fail: the clock is there.
  static_cast<void>(::clock_gettime(CLOCK_REALTIME_COARSE, &now));
  return {now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
}

File::File(Fd fd) : fd_(std::move(fd)) {}
File::File(File&& other) noexcept = default;
File::~File() = default;

// What is left in the cache is given up while the file is still open.
File& File::operator=(File&& other) noexcept {
  cache_ = nullptr;
  fd_ = std::move(other.fd_);
  cache_ = std::move(other.cache_);
  writes_only_cached_ = other.writes_only_cached_;
  return *this;
}

Result<FileStatus> File::status() const {
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) return last_error("look at");
  return to_file_status(status);
}

void File::keep_cache_as_found() {
  const auto now = status();
  if (!now.has_value() || stands_in_memory(fd_.get())) return;
  cache_ = std::make_unique<CacheAsFound>(fd_.get(), now->size_bytes);
}

Result<std::size_t> File::read_at(MutableBytes out, std::uint64_t offset) const {
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
    return fail(os_error(EINVAL, "read", {}));
  }
  if (cache_ != nullptr) cache_->before_read(offset);
  std::size_t done = 0;
  while (done < out.size()) {
    const MutableBytes rest = out.subspan(done);
    const ssize_t got = retry([&] {
      return ::pread(fd_.get(), rest.data(), rest.size(), static_cast<off_t>(offset + done));
    });
    if (got < 0) return last_error("read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  if (cache_ != nullptr) cache_->after_read(offset, offset + done);
  return done;
}

Result<void> File::write_at(Bytes data, std::uint64_t offset) const {
  return write_all(data, offset, [&](Bytes rest, off_t at) {
    return ::pwrite(fd_.get(), rest.data(), rest.size(), at);
  });
}

Result<bool> File::try_write_uncached_at(Bytes data, std::uint64_t offset) const {
  std::atomic_ref<bool> only_cached(writes_only_cached_);
  if (only_cached.load(std::memory_order_relaxed)) return false;
  const Result<void> written = write_all(data, offset, [&](Bytes rest, off_t at) {
    const iovec part{.iov_base = const_cast<std::byte*>(rest.data()), .iov_len = rest.size()};
    return ::pwritev2(fd_.get(), &part, 1, at, kDontCache);
  });
  if (written) return true;
  if (!is_refusal(written.error().os_errno)) return fail(written.error());
  only_cached.store(true, std::memory_order_relaxed);
  return false;
}

Result<void> File::write_uncached_at(Bytes data, std::uint64_t offset) const {
  WH_ASSIGN(const bool is_written, try_write_uncached_at(data, offset));
  if (is_written) return {};
  WH_TRY(write_at(data, offset));
  begin_write_back(offset, data.size());
  return {};
}

void File::begin_write_back(std::uint64_t offset, std::uint64_t length) const {
  if (const auto window = window_behind(offset, offset + length)) {
    ::sync_file_range(fd_.get(), static_cast<off_t>(*window), kWindowBytes, SYNC_FILE_RANGE_WRITE);
  }
}

Result<bool> File::clone(const File& source) const {
  // A longer one would keep its end, or is refused where the source's last block is not whole
  // (ioctl_ficlone(2)).
  WH_TRY(truncate(0));
  if (::ioctl(fd_.get(), FICLONE, source.descriptor()) == 0) return true;
  switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
      return last_error("clone");
    default:
      return false;
  }
}

// On a network file system another host may change what is shared, and its times are old news here.
bool File::may_share_blocks() const {
  constexpr std::uint32_t kBcachefsMagic = 0xca451a4e;  // not in Debian 12's headers
  struct statfs system{};
  if (::fstatfs(fd_.get(), &system) != 0) return false;
  const auto type = static_cast<std::uint32_t>(system.f_type);
  return type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC || type == kBcachefsMagic;
}

bool File::finish_write_back() const {
  constexpr unsigned kAll =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return ::sync_file_range(fd_.get(), 0, 0, kAll) == 0;
}

bool File::clone_range(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                       std::uint64_t length) const {
  const file_clone_range range{.src_fd = source.descriptor(),
                               .src_offset = source_offset,
                               .src_length = length,
                               .dest_offset = offset};
  return ::ioctl(fd_.get(), FICLONERANGE, &range) == 0;
}

Result<void> File::truncate(std::uint64_t size_bytes) const {
  const auto size = static_cast<off_t>(size_bytes);
  if (retry([&] { return ::ftruncate(fd_.get(), size); }) != 0) return last_error("resize");
  return {};
}

Result<void> File::preallocate(std::uint64_t size_bytes) const {
  WH_TRY(truncate(size_bytes));
  struct statfs system{};
  // XFS does so with what has no blocks yet (its XFS_ITRUNCATED): 0.2 s a gigabyte.
  if (::fstatfs(fd_.get(), &system) != 0 || system.f_type != XFS_SUPER_MAGIC) return {};
  const auto free_bytes =
      static_cast<std::uint64_t>(system.f_bavail) * static_cast<std::uint64_t>(system.f_bsize);
  const std::uint64_t left = std::max(size_bytes / 16, kLeftToOthersMinBytes);
  if (free_bytes < left || size_bytes > free_bytes - left) return {};
  const auto length = static_cast<off_t>(size_bytes);
  if (retry([&] { return ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, length); }) == 0) return {};
  // Over a quota, which keeps what it got until then. Blocks that are needed are taken later.
  WH_TRY(truncate(0));
  return truncate(size_bytes);
}

Result<void> File::clear(std::uint64_t offset, std::uint64_t length) const {
  const auto start = static_cast<off_t>(offset);
  const auto bytes = static_cast<off_t>(length);
  constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (retry([&] { return ::fallocate(fd_.get(), kPunch, start, bytes); }) == 0) return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS) return last_error("clear");
  const ByteVector zeros(std::min<std::uint64_t>(length, kBlockBytes));
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t part = std::min<std::uint64_t>(zeros.size(), length - done);
    WH_TRY(write_at(Bytes(zeros).first(part), offset + done));
    done += part;
  }
  return {};
}

Result<std::optional<File::Extent>> File::next_data(std::uint64_t offset) const {
  const off_t start = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
  if (start < 0 && errno == ENXIO) return std::nullopt;
  if (start < 0 && errno == EINVAL) {  // no notion of holes
    WH_ASSIGN(const FileStatus now, status());
    if (offset >= now.size_bytes) return std::nullopt;
    return Extent{.start = offset, .end = now.size_bytes};
  }
  if (start < 0) return last_error("find data in");
  const off_t end = ::lseek(fd_.get(), start, SEEK_HOLE);
  if (end < 0 && errno == ENXIO) return std::nullopt;  // cut off between the two calls
  if (end < 0) return last_error("find data in");
  return Extent{.start = static_cast<std::uint64_t>(start), .end = static_cast<std::uint64_t>(end)};
}

Result<void> File::set_mode(std::uint32_t mode) const {
  if (::fchmod(fd_.get(), mode & 07777u) != 0) return last_error("set the mode of");
  return {};
}

Result<void> File::set_modified(Timestamp modified, std::optional<Timestamp> accessed) const {
  return set_times(fd_.get(), nullptr, {modified, accessed}, 0, {});
}

Result<void> File::sync() const {
  if (retry([&] { return ::fsync(fd_.get()); }) != 0) return last_error("sync");
  return {};
}

Result<void> File::flush() const {
  const int copy = ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return last_error("write");
  // Not retried after EINTR: on Linux the descriptor is gone by then.
  if (::close(copy) != 0 && errno != EINTR) return last_error("write");
  return {};
}

void File::advise_sequential() const { ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL); }

}  // namespace wormhole::platform
