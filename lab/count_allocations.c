// Put into a process (LD_PRELOAD), counts what it allocates, and writes the number of calls to the
// file named by WORMHOLE_LAB_ALLOCATIONS when the process ends.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The C library's own, by the names under which it keeps them.
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_ulong calls;
static char path[4096];

__attribute__((constructor)) static void begin(void) {
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_ALLOCATIONS");
  if (given != NULL && strlen(given) < sizeof path) strcpy(path, given);
}

__attribute__((destructor)) static void end(void) {
  if (path[0] == '\0') return;
  const unsigned long counted = calls;
  FILE *file = fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%lu\n", counted);
  fclose(file);
}

void *malloc(size_t bytes) {
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **out, size_t alignment, size_t bytes) {
  void *made = memalign(alignment, bytes);
  if (made == NULL) return ENOMEM;
  *out = made;
  return 0;
}
