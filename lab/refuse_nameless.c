// Put into a process (LD_PRELOAD), makes the system one without files that have no name, or one
// that cannot give them any: WORMHOLE_LAB_NAMELESS is "none" or "unlinkable". With "linkless" no
// file has a second name, and none is renamed but over what may stand there, as on some network
// file systems.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int has_none, has_unlinkable, has_no_links;

typedef int (*opening)(int directory, const char *path, int flags, ...);
typedef int (*linking)(int from, const char *path, int to, const char *name, int flags);

__attribute__((constructor)) static void begin(void) {
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_NAMELESS");
  has_none = given != NULL && strcmp(given, "none") == 0;
  has_no_links = given != NULL && strcmp(given, "linkless") == 0;
  has_unlinkable = given != NULL && strcmp(given, "unlinkable") == 0;
}

int openat(int directory, const char *path, int flags, ...) {
  if (has_none && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  const opening real = (opening)dlsym(RTLD_NEXT, "openat");
  return real(directory, path, flags, mode);
}

// The same where a file's length has 64 bits anyway.
int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));

int linkat(int from, const char *path, int to, const char *name, int flags) {
  if (has_no_links) {
    errno = EPERM;
    return -1;
  }
  if (has_unlinkable && (flags & (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) {
    errno = EPERM;
    return -1;
  }
  const linking real = (linking)dlsym(RTLD_NEXT, "linkat");
  return real(from, path, to, name, flags);
}

typedef int (*renaming)(int from, const char *path, int to, const char *name, unsigned flags);

int renameat2(int from, const char *path, int to, const char *name, unsigned flags) {
  if (has_no_links && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  const renaming real = (renaming)dlsym(RTLD_NEXT, "renameat2");
  return real(from, path, to, name, flags);
}
