/* Pointers and lengths that reach out of memory: refused, or a trap would be; nothing is written. */
#include "check.h"

#define OUT ((void *)0xfffffff0)

__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) int raw_path_open(
    int dir, int lookup, const char *path, size_t length, int oflags, uint64_t base, uint64_t inheriting, int flags,
    int *fd);

int main(void) {
  uint8_t buffer[16];
  size_t n = 77;
  __wasi_filesize_t at;
  __wasi_iovec_t in = {OUT, 32};
  __wasi_ciovec_t out = {OUT, 32};
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  THAT(write_to(fd, "0123456789", 10) == 10);
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  IS(FAULT, __wasi_fd_read(fd, &in, 1, &n));
  IS(FAULT, __wasi_fd_pread(fd, &in, 1, 0, &n));
  IS(FAULT, __wasi_fd_write(fd, &out, 1, &n));
  IS(FAULT, __wasi_fd_pwrite(fd, &out, 1, 0, &n));
  IS(FAULT, __wasi_fd_read(fd, OUT, 4, &n));
  /* A good buffer before a bad one: nothing is read. */
  __wasi_iovec_t both[] = {{buffer, 4}, {OUT, 32}};
  memset(buffer, 'x', sizeof buffer);
  IS(FAULT, __wasi_fd_read(fd, both, 2, &n));
  THAT(buffer[0] == 'x');
  /* A bad place for the result: nothing is read either. */
  __wasi_iovec_t good = {buffer, 4};
  IS(FAULT, __wasi_fd_read(fd, &good, 1, OUT + 14));
  IS(FAULT, __wasi_fd_seek(fd, 5, __WASI_WHENCE_SET, OUT));
  OK(__wasi_fd_tell(fd, &at));
  THAT(at == 0 && n == 77);
  IS(FAULT, __wasi_random_get(OUT, 100));
  IS(FAULT, __wasi_clock_time_get(0, 0, OUT + 9));
  IS(FAULT, __wasi_fd_fdstat_get(fd, OUT));
  IS(FAULT, __wasi_fd_filestat_get(fd, OUT));
  IS(FAULT, __wasi_fd_readdir(ROOT, OUT, 100, 0, &n));
  IS(FAULT, __wasi_args_sizes_get(OUT + 13, &n));
  IS(FAULT, raw_path_open(ROOT, 0, OUT, 100, 0, 0, 0, 0, &fd));
  IS(FAULT, raw_path_open(ROOT, 0, "file", 4, CREAT, 0, 0, 0, OUT + 13));
  IS(FAULT, raw_path_open(ROOT, 0, "file", 0xffffffff, 0, 0, 0, 0, &fd));
  IS(FAULT, __wasi_path_readlink(ROOT, "file", OUT, 100, &n));
  __wasi_event_t event;
  IS(FAULT, __wasi_poll_oneoff(OUT, &event, 1, &n));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  return done();
}
