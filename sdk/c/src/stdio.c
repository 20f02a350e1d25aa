/*
 * Locks around the streams of the sysroot's libc, which is built for one thread (--wrap in threads.rsp). A stream has
 * one of a few locks, by its address, so that a thread that waits for input keeps no other from writing.
 */
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

enum { LOCKS = 16 };

static struct recursive_lock locks[LOCKS];
/* The list of open streams. */
static struct recursive_lock list;

static struct recursive_lock *lock_of(FILE *stream) { return &locks[((uintptr_t)stream >> 5) % LOCKS]; }

static void lock_all(void) {
  for (int i = 0; i < LOCKS; i++) recursive_lock(&locks[i]);
}

/* libc writes out and closes all streams behind this; who comes later waits until the process has ended. */
__attribute__((destructor)) static void keep_out(void) {
  recursive_lock(&list);
  lock_all();
}

#define LOCKED(lock, result, name, parameters, arguments) \
  result __real_##name parameters;                        \
  result __wrap_##name parameters {                       \
    struct recursive_lock *held = lock;                   \
    recursive_lock(held);                                 \
    result value = __real_##name arguments;               \
    recursive_unlock(held);                               \
    return value;                                         \
  }

#define LOCKED_VOID(lock, name, parameters, arguments) \
  void __real_##name parameters;                       \
  void __wrap_##name parameters {                      \
    struct recursive_lock *held = lock;                \
    recursive_lock(held);                              \
    __real_##name arguments;                           \
    recursive_unlock(held);                            \
  }

LOCKED(&list, FILE *, fopen, (const char *restrict path, const char *restrict mode), (path, mode))
LOCKED(&list, FILE *, fdopen, (int fd, const char *mode), (fd, mode))
LOCKED(&list, FILE *, fmemopen, (void *restrict data, size_t size, const char *restrict mode), (data, size, mode))
LOCKED(&list, FILE *, open_memstream, (char **data, size_t *size), (data, size))
LOCKED(&list, FILE *, freopen, (const char *restrict path, const char *restrict mode, FILE *restrict f),
       (path, mode, f))
LOCKED(&list, int, fclose, (FILE * f), (f))

LOCKED(lock_of(f), int, vfprintf, (FILE *restrict f, const char *restrict format, va_list list), (f, format, list))
LOCKED(lock_of(f), int, fputs, (const char *restrict text, FILE *restrict f), (text, f))
LOCKED(lock_of(f), int, fputc, (int c, FILE *f), (c, f))
LOCKED(lock_of(f), int, putc, (int c, FILE *f), (c, f))
LOCKED(lock_of(f), size_t, fwrite, (const void *restrict data, size_t size, size_t count, FILE *restrict f),
       (data, size, count, f))
LOCKED(lock_of(stdout), int, puts, (const char *text), (text))
LOCKED(lock_of(stdout), int, putchar, (int c), (c))
LOCKED_VOID(lock_of(stderr), perror, (const char *text), (text))

LOCKED(lock_of(f), int, vfscanf, (FILE *restrict f, const char *restrict format, va_list list), (f, format, list))
LOCKED(lock_of(f), char *, fgets, (char *restrict text, int size, FILE *restrict f), (text, size, f))
LOCKED(lock_of(f), int, fgetc, (FILE * f), (f))
LOCKED(lock_of(f), int, getc, (FILE * f), (f))
LOCKED(lock_of(f), int, ungetc, (int c, FILE *f), (c, f))
LOCKED(lock_of(stdin), int, getchar, (void), ())
LOCKED(lock_of(f), size_t, fread, (void *restrict data, size_t size, size_t count, FILE *restrict f),
       (data, size, count, f))
LOCKED(lock_of(f), ssize_t, getdelim, (char **restrict text, size_t *restrict size, int delimiter, FILE *restrict f),
       (text, size, delimiter, f))
LOCKED(lock_of(f), ssize_t, getline, (char **restrict text, size_t *restrict size, FILE *restrict f), (text, size, f))

LOCKED(lock_of(f), int, fseek, (FILE * f, long offset, int from), (f, offset, from))
LOCKED(lock_of(f), int, fseeko, (FILE * f, off_t offset, int from), (f, offset, from))
LOCKED(lock_of(f), long, ftell, (FILE * f), (f))
LOCKED(lock_of(f), off_t, ftello, (FILE * f), (f))
LOCKED_VOID(lock_of(f), rewind, (FILE * f), (f))
LOCKED(lock_of(f), int, setvbuf, (FILE *restrict f, char *restrict data, int mode, size_t size), (f, data, mode, size))

int __real_fflush(FILE *stream);

int __wrap_fflush(FILE *stream) {
  if (stream == NULL) {
    recursive_lock(&list);
    lock_all();
    int result = __real_fflush(NULL);
    for (int i = 0; i < LOCKS; i++) recursive_unlock(&locks[i]);
    recursive_unlock(&list);
    return result;
  }
  struct recursive_lock *held = lock_of(stream);
  recursive_lock(held);
  int result = __real_fflush(stream);
  recursive_unlock(held);
  return result;
}

int __wrap_printf(const char *restrict format, ...) {
  va_list list;
  va_start(list, format);
  int result = __wrap_vfprintf(stdout, format, list);
  va_end(list);
  return result;
}

int __wrap_vprintf(const char *restrict format, va_list list) { return __wrap_vfprintf(stdout, format, list); }

int __wrap_fprintf(FILE *restrict stream, const char *restrict format, ...) {
  va_list list;
  va_start(list, format);
  int result = __wrap_vfprintf(stream, format, list);
  va_end(list);
  return result;
}

int __wrap_scanf(const char *restrict format, ...) {
  va_list list;
  va_start(list, format);
  int result = __wrap_vfscanf(stdin, format, list);
  va_end(list);
  return result;
}

int __wrap_fscanf(FILE *restrict stream, const char *restrict format, ...) {
  va_list list;
  va_start(list, format);
  int result = __wrap_vfscanf(stream, format, list);
  va_end(list);
  return result;
}
