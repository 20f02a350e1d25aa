/*
 * syscalls CALLS: makes raw system calls in loops and prints "NAME NANOSECONDS", a line for each kind of call. Files
 * are made in the directory "." and removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include "checksum.h"

/* Bytes that the loops on files move at most: larger blocks need fewer calls for the same exactness. */
#define MOST_BYTES (64L << 20)
#define DATA "bench.data"
/* Parts of a measurement; CALLS is a multiple. */
#define CHUNKS 10

static unsigned char buffer[65536];
static const size_t SIZES[] = {1, 64, 4096, 65536};

static double nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void check(__wasi_errno_t error) {
  if (error == 0) return;
  fprintf(stderr, "syscalls: %s\n", strerror(error));
  exit(1);
}

static void clock_time(void) {
  __wasi_timestamp_t time;
  check(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &time));
}

static void random16(void) { check(__wasi_random_get(buffer, 16)); }

static void args_sizes(void) {
  __wasi_size_t count, bytes;
  check(__wasi_args_sizes_get(&count, &bytes));
}

static __wasi_fd_t file;
static size_t block;

static void write_block(void) {
  __wasi_ciovec_t vector = {buffer, block};
  __wasi_size_t written;
  check(__wasi_fd_write(file, &vector, 1, &written));
  if (written != block) exit(1);
}

static void read_block(void) {
  __wasi_iovec_t vector = {buffer, block};
  __wasi_size_t count;
  check(__wasi_fd_read(file, &vector, 1, &count));
  if (count != block) exit(1);
}

/* The best of CHUNKS equal parts: the first ones run code that is not optimised yet, others may be disturbed. */
static double measure(void (*call)(void), long calls) {
  double best = 0;
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    double start = nanoseconds();
    for (long i = 0; i < calls / CHUNKS; i++) call();
    double each = (nanoseconds() - start) / (double)(calls / CHUNKS);
    if (chunk == 0 || each < best) best = each;
  }
  return best;
}

static double measure_file(void (*call)(void), size_t size, long calls, int flags) {
  int fd = open(DATA, flags, 0600);
  if (fd < 0) check((__wasi_errno_t)errno);
  file = (__wasi_fd_t)fd;
  block = size;
  double each = measure(call, (long)size * calls > MOST_BYTES ? MOST_BYTES / (long)size : calls);
  close(fd);
  return each;
}

int main(int argc, char **argv) {
  long calls = size_argument(argc, argv, 1, 10 * CHUNKS);
  printf("clock_time_get %.1f\n", measure(clock_time, calls));
  printf("random_get_16 %.1f\n", measure(random16, calls));
  printf("args_sizes_get %.1f\n", measure(args_sizes, calls));
  for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
    size_t size = SIZES[i];
    printf("fd_write_%zu %.1f\n", size, measure_file(write_block, size, calls, O_WRONLY | O_CREAT | O_TRUNC));
    /* What has just been written. */
    printf("fd_read_%zu %.1f\n", size, measure_file(read_block, size, calls, O_RDONLY));
  }
  unlink(DATA);
  return 0;
}
