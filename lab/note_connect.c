// Put into a process (LD_PRELOAD), writes when it first connects to another host, by the monotonic
// clock in seconds, to the file named by WORMHOLE_LAB_CONNECT: what came before it is the start of
// the process.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static char path[4096];
static atomic_flag noted = ATOMIC_FLAG_INIT;

typedef int (*connecting)(int fd, const struct sockaddr *to, socklen_t bytes);
static connecting real_connect;

__attribute__((constructor)) static void begin(void) {
  real_connect = (connecting)dlsym(RTLD_NEXT, "connect");
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_CONNECT");
  if (given != NULL && strlen(given) < sizeof path) strcpy(path, given);
}

int connect(int fd, const struct sockaddr *to, socklen_t bytes) {
  const int is_inet = to->sa_family == AF_INET || to->sa_family == AF_INET6;
  if (is_inet && path[0] != '\0' && !atomic_flag_test_and_set(&noted)) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    FILE *file = fopen(path, "we");
    if (file != NULL) {
      fprintf(file, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
      fclose(file);
    }
  }
  return real_connect(fd, to, bytes);
}
