/*
 * One lock around the allocator of the sysroot's libc, which is built for one thread. The linker leads every call of
 * these functions here (--wrap in threads.rsp), those of libc itself too.
 */
#include <stdlib.h>

#include "internal.h"

static atomic_int lock;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size) {
  word_lock(&lock);
  void *block = __real_malloc(size);
  word_unlock(&lock);
  return block;
}

void *__wrap_calloc(size_t count, size_t size) {
  word_lock(&lock);
  void *block = __real_calloc(count, size);
  word_unlock(&lock);
  return block;
}

void *__wrap_realloc(void *old, size_t size) {
  word_lock(&lock);
  void *block = __real_realloc(old, size);
  word_unlock(&lock);
  return block;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  word_lock(&lock);
  void *block = __real_aligned_alloc(alignment, size);
  word_unlock(&lock);
  return block;
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size) {
  word_lock(&lock);
  int error = __real_posix_memalign(block, alignment, size);
  word_unlock(&lock);
  return error;
}

void __wrap_free(void *block) {
  word_lock(&lock);
  __real_free(block);
  word_unlock(&lock);
}
