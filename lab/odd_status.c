// Put into a process (LD_PRELOAD), makes file systems answer as some do, by WORMHOLE_LAB_STATUS:
//   "squashed"    all files belong to another user (a server that maps all to one)
//   "numbered"    a file has another inode number each time it is looked at (FAT, FUSE), and the
//                 file system says that it is FUSE
//   "renumbered"  the same of one that says what it is: files that were replaced
//   "lost:NAME"   NAME is listed, and nowhere found (a character that the mount cannot carry)
//   "folded"      names that differ in case only are one
//   "linked-out"  no file has another name (one too many, as ext4 has 65,000)
// Another such library may stand before it.
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int is_squashed, is_numbered, says_fuse, is_folded, is_linked_out;
static char lost[256];
static atomic_uint looks;

__attribute__((constructor)) static void begin(void) {
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_STATUS");
  if (given == NULL) return;
  is_squashed = strcmp(given, "squashed") == 0;
  says_fuse = strcmp(given, "numbered") == 0;
  is_numbered = says_fuse || strcmp(given, "renumbered") == 0;
  is_folded = strcmp(given, "folded") == 0;
  is_linked_out = strcmp(given, "linked-out") == 0;
  if (strncmp(given, "lost:", 5) == 0) strncpy(lost, given + 5, sizeof lost - 1);
}

// As it stands in the directory. `buffer` has room for any name.
static const char *kept(int directory, const char *name, char *buffer) {
  if (!is_folded || directory == AT_FDCWD || strlen(name) > NAME_MAX) return name;
  char *end = buffer;
  for (; *name != 0; ++name) *end++ = (char)tolower((unsigned char)*name);
  *end = 0;
  return buffer;
}

static int shown(int answer, struct stat *status) {
  if (answer != 0 || !S_ISREG(status->st_mode)) return answer;
  if (is_squashed) status->st_uid = 4242;
  if (is_numbered) status->st_ino += 1000000ull * ++looks;
  return answer;
}

static int is_lost(const char *name) {
  if (lost[0] == 0 || strcmp(name, lost) != 0) return 0;
  errno = ENOENT;
  return 1;
}

typedef int (*looking)(int file, struct stat *status);

int fstat(int file, struct stat *status) {
  return shown(((looking)dlsym(RTLD_NEXT, "fstat"))(file, status), status);
}

typedef int (*looking_at)(int directory, const char *path, struct stat *status, int flags);

int fstatat(int directory, const char *path, struct stat *status, int flags) {
  if (is_lost(path)) return -1;
  char name[NAME_MAX + 1];
  const looking_at real = (looking_at)dlsym(RTLD_NEXT, "fstatat");
  return shown(real(directory, kept(directory, path, name), status, flags), status);
}

typedef int (*telling)(int file, struct statfs *status);

int fstatfs(int file, struct statfs *status) {
  const int answer = ((telling)dlsym(RTLD_NEXT, "fstatfs"))(file, status);
  if (answer == 0 && says_fuse) status->f_type = FUSE_SUPER_MAGIC;
  return answer;
}

typedef int (*opening)(int directory, const char *path, int flags, ...);

int openat(int directory, const char *path, int flags, ...) {
  if (is_lost(path)) return -1;
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  char name[NAME_MAX + 1];
  const opening real = (opening)dlsym(RTLD_NEXT, "openat");
  return real(directory, kept(directory, path, name), flags, mode);
}

typedef int (*linking)(int from, const char *path, int to, const char *name, int flags);

int linkat(int from, const char *path, int to, const char *name, int flags) {
  if (is_linked_out && flags == 0) {
    errno = EMLINK;
    return -1;
  }
  char source[NAME_MAX + 1];
  char target[NAME_MAX + 1];
  const linking real = (linking)dlsym(RTLD_NEXT, "linkat");
  return real(from, kept(from, path, source), to, kept(to, name, target), flags);
}

typedef int (*renaming)(int from, const char *path, int to, const char *name, unsigned flags);

int renameat2(int from, const char *path, int to, const char *name, unsigned flags) {
  char source[NAME_MAX + 1];
  char target[NAME_MAX + 1];
  const renaming real = (renaming)dlsym(RTLD_NEXT, "renameat2");
  return real(from, kept(from, path, source), to, kept(to, name, target), flags);
}

int renameat(int from, const char *path, int to, const char *name) {
  return renameat2(from, path, to, name, 0);
}

typedef int (*linking_to)(const char *target, int directory, const char *path);

int symlinkat(const char *target, int directory, const char *path) {
  char name[NAME_MAX + 1];
  const linking_to real = (linking_to)dlsym(RTLD_NEXT, "symlinkat");
  return real(target, directory, kept(directory, path, name));
}

typedef ssize_t (*reading)(int directory, const char *path, char *out, size_t size);

ssize_t readlinkat(int directory, const char *path, char *out, size_t size) {
  char name[NAME_MAX + 1];
  return ((reading)dlsym(RTLD_NEXT, "readlinkat"))(directory, kept(directory, path, name), out, size);
}

typedef int (*timing)(int directory, const char *path, const struct timespec times[2], int flags);

int utimensat(int directory, const char *path, const struct timespec times[2], int flags) {
  char name[NAME_MAX + 1];
  const timing real = (timing)dlsym(RTLD_NEXT, "utimensat");
  return real(directory, path == NULL ? NULL : kept(directory, path, name), times, flags);
}

typedef int (*making)(int directory, const char *path, mode_t mode);

int mkdirat(int directory, const char *path, mode_t mode) {
  char name[NAME_MAX + 1];
  return ((making)dlsym(RTLD_NEXT, "mkdirat"))(directory, kept(directory, path, name), mode);
}

typedef int (*removing)(int directory, const char *path, int flags);

int unlinkat(int directory, const char *path, int flags) {
  char name[NAME_MAX + 1];
  return ((removing)dlsym(RTLD_NEXT, "unlinkat"))(directory, kept(directory, path, name), flags);
}

// The same where a file's length has 64 bits anyway.
int fstat64(int file, struct stat64 *status) { return fstat(file, (struct stat *)status); }

int fstatat64(int directory, const char *path, struct stat64 *status, int flags) {
  return fstatat(directory, path, (struct stat *)status, flags);
}

int fstatfs64(int file, struct statfs64 *status) { return fstatfs(file, (struct statfs *)status); }

int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));
