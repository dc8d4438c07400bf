// Put into a process (LD_PRELOAD), writes when it first connects to another host, by the monotonic
// clock in seconds, to the file named by WORMHOLE_LAB_CONNECT: what came before it is the start of
// the process.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int output = -1;
static atomic_flag noted = ATOMIC_FLAG_INIT;

typedef int (*connecting)(int fd, const struct sockaddr *to, socklen_t bytes);
static connecting real_connect;

__attribute__((constructor)) static void begin(void) {
  real_connect = (connecting)dlsym(RTLD_NEXT, "connect");
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_CONNECT");
  // Opened at once, too: it may confine itself.
  if (given != NULL) output = open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

int connect(int fd, const struct sockaddr *to, socklen_t bytes) {
  const int is_inet = to->sa_family == AF_INET || to->sa_family == AF_INET6;
  if (is_inet && output >= 0 && !atomic_flag_test_and_set(&noted)) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(output, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
    close(output);
  }
  return real_connect(fd, to, bytes);
}
