// Put into a process (LD_PRELOAD), tries to open files when it first talks to another host, as code
// that a hostile peer smuggled in would: those that WORMHOLE_LAB_TRIED names, one a line, with
// "read " or "write " before each. What came of it stands behind that afterwards, likewise: "open",
// or why not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int tried = -1;
static atomic_flag is_done = ATOMIC_FLAG_INIT;

typedef int (*connecting)(int fd, const struct sockaddr *to, socklen_t bytes);
typedef int (*accepting)(int fd, struct sockaddr *from, socklen_t *bytes, int flags);
static connecting real_connect;
static accepting real_accept4;

__attribute__((constructor)) static void begin(void) {
  real_connect = (connecting)dlsym(RTLD_NEXT, "connect");
  real_accept4 = (accepting)dlsym(RTLD_NEXT, "accept4");
  const char *given = getenv("WORMHOLE_LAB_TRIED");
  if (given != NULL) tried = open(given, O_RDWR | O_APPEND | O_CLOEXEC);
}

static void try_all(void) {
  if (tried < 0 || atomic_flag_test_and_set(&is_done)) return;
  char text[4096];
  const ssize_t bytes = pread(tried, text, sizeof text - 1, 0);
  text[bytes < 0 ? 0 : bytes] = '\0';
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    const int is_write = strncmp(line, "write ", 6) == 0;
    const char *path = strchr(line, ' ') + 1;
    const int file = open(path, (is_write ? O_WRONLY | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
    dprintf(tried, "%s\n", file < 0 ? strerrorname_np(errno) : "open");
    if (file >= 0) close(file);
  }
}

int connect(int fd, const struct sockaddr *to, socklen_t bytes) {
  if (to->sa_family == AF_INET || to->sa_family == AF_INET6) try_all();
  return real_connect(fd, to, bytes);
}

int accept4(int fd, struct sockaddr *from, socklen_t *bytes, int flags) {
  const int accepted = real_accept4(fd, from, bytes, flags);
  if (accepted >= 0) try_all();
  return accepted;
}
