// Put into a process (LD_PRELOAD), counts its allocations and the bytes that it copies by the C
// library, and writes both to the file named by WORMHOLE_LAB_MEMORY when the process ends.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The C library's own, by the names under which it keeps them.
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_ulong allocations;
static atomic_ulong copied_bytes;
static int output = -1;

typedef void *(*copying)(void *to, const void *from, size_t bytes);
static copying real_memmove;

__attribute__((constructor)) static void begin(void) {
  real_memmove = (copying)dlsym(RTLD_NEXT, "memmove");
  // At once: the program may erase its environment.
  const char *given = getenv("WORMHOLE_LAB_MEMORY");
  // Opened at once, too: it may confine itself.
  if (given != NULL) output = open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

__attribute__((destructor)) static void end(void) {
  if (output < 0) return;
  const unsigned long allocated = allocations;
  const unsigned long copied = copied_bytes;
  dprintf(output, "%lu %lu\n", allocated, copied);
  close(output);
}

void *malloc(size_t bytes) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **out, size_t alignment, size_t bytes) {
  void *made = memalign(alignment, bytes);
  if (made == NULL) return ENOMEM;
  *out = made;
  return 0;
}

void *memmove(void *to, const void *from, size_t bytes) {
  atomic_fetch_add_explicit(&copied_bytes, bytes, memory_order_relaxed);
  if (real_memmove != NULL) return real_memmove(to, from, bytes);
  // Before begin(), when libraries are still being loaded. volatile: or it becomes a call of itself.
  volatile char *out = to;
  const volatile char *in = from;
  if ((uintptr_t)to < (uintptr_t)from) {
    for (size_t i = 0; i < bytes; ++i) out[i] = in[i];
  } else {
    for (size_t i = bytes; i > 0; --i) out[i - 1] = in[i - 1];
  }
  return to;
}

void *memcpy(void *to, const void *from, size_t bytes) { return memmove(to, from, bytes); }

// What _FORTIFY_SOURCE makes of them.
void *__memmove_chk(void *to, const void *from, size_t bytes, size_t room) {
  if (bytes > room) abort();
  return memmove(to, from, bytes);
}

void *__memcpy_chk(void *to, const void *from, size_t bytes, size_t room) {
  return __memmove_chk(to, from, bytes, room);
}
