// Put into a process (LD_PRELOAD), lets it start no more threads than the file named by
// WORMHOLE_LAB_THREADS has bytes, and takes one away for each: as a limit on processes would end
// it, at any point that one likes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int budget = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

typedef int (*creating)(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *),
                        void *argument);

__attribute__((constructor)) static void begin(void) {
  // At once: the program may erase its environment, and confine itself.
  const char *given = getenv("WORMHOLE_LAB_THREADS");
  if (given != NULL) budget = open(given, O_RDWR | O_CLOEXEC);
}

static int is_refused(void) {
  struct stat status;
  if (budget < 0 || fstat(budget, &status) != 0) return 0;
  return status.st_size == 0 || ftruncate(budget, status.st_size - 1) != 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *),
                   void *argument) {
  pthread_mutex_lock(&mutex);
  const int refused = is_refused();
  pthread_mutex_unlock(&mutex);
  if (refused) return EAGAIN;
  const creating real = (creating)dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, how, run, argument);
}
