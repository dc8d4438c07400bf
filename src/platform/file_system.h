// Files and directories as capabilities: everything below a directory is reached through its
// handle, one name at a time.
//
// A name is one path component as raw bytes. Every function that takes one refuses (kUnsafeName)
// the empty name, ".", "..", and any that holds '/' or NUL; none follows a symlink in it. So
// nothing can be reached outside the handle, whatever a peer says or another process swaps in
// meanwhile (CVE-2024-12747). Metadata is set through handles.
//
// Thread-safe where the kernel is: one File may be read and written at offsets from several
// threads. Errors: Code::kLocalIo, kNoSpace, kNotFound, kExists with errno; `object` is the name.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "platform/fd.h"

namespace wormhole::platform {

enum class FileType : std::uint8_t { kRegular, kDirectory, kSymlink, kSpecial };

struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;  // < 1,000,000,000

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// Files may share blocks of this size, or of a multiple that their file system has.
inline constexpr std::uint64_t kSharedUnitBytes = 4096;

// Now, by the clock that local file systems stamp changes with, which moves by ticks of up to 10
// ms: what is changed from here on has this time or a later one.
[[nodiscard]] Timestamp stamp_now();

// Which file or directory, whatever its names: its number is another's only once it is gone.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  auto operator<=>(const FileId&) const = default;
};

struct FileStatus {
  FileType type = FileType::kSpecial;
  std::uint64_t size_bytes = 0;
  std::uint64_t allocated_bytes = 0;  // less than size: the file has holes
  std::uint32_t mode = 0;             // permission bits, 07777
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint64_t links = 0;
  Timestamp accessed;
  Timestamp modified;
  Timestamp changed;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  [[nodiscard]] FileId id() const { return {device, inode}; }
  // The same bytes, as far as a stat can tell: what is compared before and after reading.
  [[nodiscard]] bool same_version(const FileStatus& other) const {
    return same_but_for_id(other) && id() == other.id();
  }
  [[nodiscard]] bool same_but_for_id(const FileStatus& other) const {
    return type == other.type && size_bytes == other.size_bytes && modified == other.modified &&
           changed == other.changed;
  }
};

// kOk for a usable name; else kUnsafeName. Windows forms ("a\\b", "C:") are refused by the port.
[[nodiscard]] Result<void> check_name(std::string_view name);

class CacheAsFound;  // internal

class File {
 public:
  explicit File(Fd fd);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  [[nodiscard]] Result<FileStatus> status() const;
  // It is the version that was looked at by its name. Its id is no part of that where the file
  // system numbers its files anew as they are looked at (FAT, exFAT, FUSE, CIFS).
  [[nodiscard]] Result<bool> is_version(const FileStatus& looked_at) const;
  // From now on what is read of it does not stay in memory, unless the system says that it was
  // there before, so that nothing that other programs have cached is driven out: for long files.
  // Before several threads have it.
  void keep_cache_as_found();
  // Fills `out` from `offset` unless the file ends first; returns the bytes read.
  [[nodiscard]] Result<std::size_t> read_at(MutableBytes out, std::uint64_t offset) const;
  // Writes all of `data` at `offset`.
  [[nodiscard]] Result<void> write_at(Bytes data, std::uint64_t offset) const;
  // The same for long files: what is written goes on its way to disk at once and does not stay
  // in memory, so that no burst of write-back stalls later writes and nothing that other
  // programs have cached is driven out. Where the system cannot do that, only the former.
  [[nodiscard]] Result<void> write_uncached_at(Bytes data, std::uint64_t offset) const;
  // Where the system cannot keep it out of memory, nothing is written: false.
  [[nodiscard]] Result<bool> try_write_uncached_at(Bytes data, std::uint64_t offset) const;
  // After [offset, offset + length) was written, by any of several who each write on in a part of
  // their own: what lies a window behind goes on its way to disk, and stays in memory.
  void begin_write_back(std::uint64_t offset, std::uint64_t length) const;
  // Becomes the same as `source`, sharing its blocks until either is written to. False, and empty,
  // where the file system cannot do that, or the two are on different ones.
  [[nodiscard]] Result<bool> clone(const File& source) const;
  // Ranges of it may be shared: its file system is a local one that is known to do that.
  [[nodiscard]] bool may_share_blocks() const;
  // Waits until what was written to it is on disk. From then on no change goes unseen by its times,
  // not even one that a program makes through a mapping it has written to before. False: the disk
  // failed.
  [[nodiscard]] bool finish_write_back() const;
  // The range shares the blocks of `source` from `source_offset` on, likewise; all three are
  // multiples of kSharedUnitBytes. False where that cannot be done: what is in it is not known
  // then.
  [[nodiscard]] bool clone_range(const File& source, std::uint64_t source_offset,
                                 std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] Result<void> truncate(std::uint64_t size_bytes) const;
  // An empty file gets that size, and the room for it where one that was cut shorter is else
  // written back as it is closed, if that leaves some to others.
  [[nodiscard]] Result<void> preallocate(std::uint64_t size_bytes) const;
  // The range reads as zeros from now on, without blocks where the file system can do that.
  [[nodiscard]] Result<void> clear(std::uint64_t offset, std::uint64_t length) const;
  // The next range with data at or after `offset`: [start, end), nullopt when only a hole is
  // left. File systems without the notion answer [offset, size).
  struct Extent {
    std::uint64_t start;
    std::uint64_t end;
  };
  [[nodiscard]] Result<std::optional<Extent>> next_data(std::uint64_t offset) const;
  [[nodiscard]] Result<void> set_mode(std::uint32_t mode) const;
  // Without `accessed`, that stays as it is.
  [[nodiscard]] Result<void> set_modified(Timestamp modified,
                                          std::optional<Timestamp> accessed = {}) const;
  [[nodiscard]] Result<void> sync() const;
  // What close() would say. Network file systems tell only then that data did not fit or did not
  // arrive (close(2)); local ones have nothing to do. Not durable: that is sync().
  [[nodiscard]] Result<void> flush() const;
  // A hint, without a result: reading goes straight through.
  void advise_sequential() const;

  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  Fd fd_;
  std::unique_ptr<CacheAsFound> cache_;  // null: what is read stays in memory
  // The file system refused an uncached write. Several threads: by atomic_ref only.
  alignas(std::atomic_ref<bool>::required_alignment) mutable bool writes_only_cached_ = false;
};

enum class Replace : bool { kNo, kYes };
enum class Contents : bool { kDrop, kKeep };

class DirectoryReader;

class Directory {
 public:
  explicit Directory(Fd fd) : fd_(std::move(fd)) {}

  // A directory the user named: a path, symlinks followed.
  [[nodiscard]] static Result<Directory> open_path(const std::string& path);

  [[nodiscard]] Result<FileStatus> status() const;
  // Where it stands now: absolute, no links in it.
  [[nodiscard]] Result<std::string> path() const;
  // Names the mount it is on, from being mounted to being unmounted: as long as it is the same,
  // what was written there is there, whether it has reached the disk or not. 0 where the system
  // does not tell (Linux before 6.8), or that is not so (network file systems find out later that
  // there was no room).
  [[nodiscard]] std::uint64_t mount_id() const;
  // That there was no room for a file may be found out as late as when it is closed.
  [[nodiscard]] bool finds_room_late() const;
  // What a power cut loses of a file reads as a hole afterwards, and SEEK_HOLE costs nothing.
  [[nodiscard]] bool loses_data_as_holes() const;
  [[nodiscard]] Result<FileStatus> status_of(std::string_view name) const;
  [[nodiscard]] Result<Directory> open_directory(std::string_view name) const;
  // Another handle of the same one.
  [[nodiscard]] Result<Directory> reopen() const;
  // Regular files only (a pipe that took its place is refused, never waited for). Reading it leaves
  // its access time as it is, where the file is this user's: that would be written for each file
  // (relatime: once after it has changed, and once a day).
  [[nodiscard]] Result<File> open_file(std::string_view name) const;
  [[nodiscard]] Result<std::string> read_link(std::string_view name) const;

  // True when made, false when a directory of that name was there already; kExists for anything
  // else of that name.
  [[nodiscard]] Result<bool> make_directory(std::string_view name, std::uint32_t mode) const;
  // kExists when the name is taken.
  [[nodiscard]] Result<void> make_symlink(std::string_view name, std::string_view target) const;
  // Another name of a file (or symlink) of `from`. kExists when the name is taken; false where the
  // file system or this user makes none, or the file has as many as it can have.
  [[nodiscard]] Result<bool> make_hard_link(std::string_view name, const Directory& from,
                                            std::string_view from_name) const;
  // Of a symlink only; without `accessed`, that stays as it is.
  [[nodiscard]] Result<void> set_symlink_modified(std::string_view name, Timestamp modified,
                                                  std::optional<Timestamp> accessed = {}) const;
  // A handle of a symlink itself, for platform/ownership.h and nothing else: what is given away is
  // what was looked at, whatever takes its name meanwhile. kSkippedSpecial for anything else.
  struct OpenSymlink {
    Fd handle;
    FileStatus status;
  };
  [[nodiscard]] Result<OpenSymlink> open_symlink(std::string_view name) const;

  // A partial: a regular file for reading and writing, mode 0600, empty and without attributes
  // unless its contents are to be kept, locked (flock) until closed. One left by an earlier run is
  // taken over if it is a regular file of ours (or of whom files belong to that we make there) with
  // one link, else kUnsafeName (planted). kExists with advice when another process holds the lock.
  [[nodiscard]] Result<File> open_partial(std::string_view name,
                                          Contents contents = Contents::kDrop) const;
  // An empty file of this directory for reading and writing that nobody can find: nothing is left
  // of it once it is closed, unless it was given a name. `mode` as far as the process's umask and
  // the directory's default ACL let it. nullopt where there are no such files, or this one cannot
  // be made.
  [[nodiscard]] std::optional<File> make_nameless(std::uint32_t mode) const;
  // Its first name. kExists when that is taken; false where it cannot be given any.
  [[nodiscard]] Result<bool> give_name(const File& nameless, std::string_view name) const;
  // Gives `partial` its final name. kExists unless `replace`. With kYes a directory is still
  // never replaced.
  [[nodiscard]] Result<void> publish(std::string_view partial, std::string_view name,
                                     Replace replace) const;
  // Removes a file or symlink, never a directory.
  [[nodiscard]] Result<void> remove_file(std::string_view name) const;
  // kExists when it is not empty.
  [[nodiscard]] Result<void> remove_directory(std::string_view name) const;

  [[nodiscard]] Result<void> set_mode(std::uint32_t mode) const;
  [[nodiscard]] Result<void> set_modified(Timestamp modified,
                                          std::optional<Timestamp> accessed = {}) const;
  [[nodiscard]] Result<void> sync() const;

  // Reads the entries, in the order the file system gives them. Independent of this handle's
  // position.
  [[nodiscard]] Result<DirectoryReader> read() const;

  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  Fd fd_;
};

// One thread. Never holds more than one kernel buffer (64 KiB) of entries.
class DirectoryReader {
 public:
  struct Entry {
    std::string_view name;         // valid until the next call
    std::optional<FileType> type;  // where the file system tells without a stat
  };

  explicit DirectoryReader(Fd fd);
  DirectoryReader(DirectoryReader&&) noexcept;
  DirectoryReader& operator=(DirectoryReader&&) noexcept;
  ~DirectoryReader();

  // nullopt at the end. "." and ".." are left out.
  [[nodiscard]] Result<std::optional<Entry>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wormhole::platform
