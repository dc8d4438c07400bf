/* Preloaded into a process: every TCP socket it makes uses cubic, whatever it asks for.
 *
 * What a machine is where the administrator chose cubic and allows nothing else. The kernel's
 * default cannot be set in a network namespace; connections inherit their listener's choice. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static const char kCubic[] = "cubic";

typedef int (*SetOption)(int, int, int, const void*, socklen_t);
typedef int (*MakeSocket)(int, int, int);

static int real_setsockopt(int fd, int level, int name, const void* value, socklen_t bytes) {
  const SetOption real = (SetOption)dlsym(RTLD_NEXT, "setsockopt");
  return real(fd, level, name, value, bytes);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t bytes) {
  if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
    if (bytes == strlen(kCubic) && memcmp(value, kCubic, bytes) == 0) return 0;
    errno = EPERM; /* as a kernel does for what it does not allow */
    return -1;
  }
  return real_setsockopt(fd, level, name, value, bytes);
}

int socket(int domain, int type, int protocol) {
  const MakeSocket real = (MakeSocket)dlsym(RTLD_NEXT, "socket");
  const int fd = real(domain, type, protocol);
  /* Fails for what is no TCP socket, and that is as it should be. */
  if (fd >= 0) real_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic, strlen(kCubic));
  return fd;
}
