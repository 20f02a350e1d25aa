/* Reading and writing: positions, several buffers, pread and pwrite, append, sizes, allocation, advice, sync. */
#include "check.h"

static __wasi_filesize_t seek(int fd, __wasi_filedelta_t offset, __wasi_whence_t whence) {
  __wasi_filesize_t at = 0;
  OK(__wasi_fd_seek(fd, offset, whence, &at));
  __wasi_filesize_t told = 0;
  OK(__wasi_fd_tell(fd, &told));
  THAT(at == told);
  return at;
}

static int create(void) {
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT | EXCL, READ_WRITE, &fd));
  return fd;
}

static void finish(int fd) {
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void positions(void) {
  uint8_t buffer[128];
  __wasi_filesize_t at;
  int fd = create();
  THAT(seek(fd, 0, __WASI_WHENCE_CUR) == 0);
  memset(buffer, 1, sizeof buffer);
  THAT(write_to(fd, buffer, 100) == 100);
  THAT(seek(fd, 0, __WASI_WHENCE_CUR) == 100);
  THAT(seek(fd, -50, __WASI_WHENCE_CUR) == 50);
  THAT(seek(fd, -1, __WASI_WHENCE_END) == 99);
  THAT(seek(fd, 0, __WASI_WHENCE_SET) == 0);
  THAT(read_from(fd, buffer, 60) == 60);
  THAT(read_from(fd, buffer, 60) == 40);
  THAT(read_from(fd, buffer, 60) == 0);
  THAT(seek(fd, 0, __WASI_WHENCE_CUR) == 100);
  /* Beyond the end is a place, before the start is none. */
  THAT(seek(fd, 1000, __WASI_WHENCE_CUR) == 1100);
  IS(INVAL, __wasi_fd_seek(fd, -2000, __WASI_WHENCE_CUR, &at));
  IS(INVAL, __wasi_fd_seek(fd, -1, __WASI_WHENCE_SET, &at));
  IS(INVAL, __wasi_fd_seek(fd, 0, 3, &at));
  THAT(seek(fd, 0, __WASI_WHENCE_CUR) == 1100);
  THAT(read_from(fd, buffer, 10) == 0);
  /* Writing there leaves a hole that reads as zeros. */
  THAT(write_to(fd, "x", 1) == 1);
  THAT(stat_of(fd).size == 1101);
  seek(fd, 99, __WASI_WHENCE_SET);
  THAT(read_from(fd, buffer, 3) == 3 && buffer[0] == 1 && buffer[1] == 0 && buffer[2] == 0);
  finish(fd);
}

static void several_buffers(void) {
  uint8_t a[3], b[1], c[10];
  size_t n = 0;
  int fd = create();
  __wasi_ciovec_t out[] = {{(const uint8_t *)"abc", 3}, {NULL, 0}, {(const uint8_t *)"defgh", 5}};
  OK(__wasi_fd_write(fd, out, 3, &n));
  THAT(n == 8);
  seek(fd, 0, __WASI_WHENCE_SET);
  memset(c, 'x', sizeof c);
  __wasi_iovec_t in[] = {{a, sizeof a}, {b, sizeof b}, {NULL, 0}, {c, sizeof c}};
  OK(__wasi_fd_read(fd, in, 4, &n));
  THAT(n == 8 && memcmp(a, "abc", 3) == 0 && b[0] == 'd' && memcmp(c, "efghxxxxxx", 10) == 0);
  OK(__wasi_fd_read(fd, in, 0, &n));
  THAT(n == 0);
  OK(__wasi_fd_write(fd, out, 0, &n));
  THAT(n == 0 && stat_of(fd).size == 8);
  finish(fd);
}

static void at_an_offset(void) {
  uint8_t buffer[8];
  __wasi_iovec_t in = {buffer, 4};
  __wasi_ciovec_t out = {(const uint8_t *)"0123", 4};
  size_t n = 0;
  int fd = create();
  OK(__wasi_fd_pwrite(fd, &out, 1, 2, &n));
  THAT(n == 4 && stat_of(fd).size == 6 && seek(fd, 0, __WASI_WHENCE_CUR) == 0);
  OK(__wasi_fd_pread(fd, &in, 1, 0, &n));
  THAT(n == 4 && buffer[0] == 0 && buffer[1] == 0 && buffer[2] == '0' && buffer[3] == '1');
  OK(__wasi_fd_pread(fd, &in, 1, 4, &n));
  THAT(n == 2 && buffer[0] == '2' && buffer[1] == '3');
  OK(__wasi_fd_pread(fd, &in, 1, 6, &n));
  THAT(n == 0);
  OK(__wasi_fd_pread(fd, &in, 1, 1000000, &n));
  THAT(n == 0 && seek(fd, 0, __WASI_WHENCE_CUR) == 0);
  __wasi_iovec_t two[] = {{buffer, 1}, {buffer + 4, 3}};
  OK(__wasi_fd_pread(fd, two, 2, 2, &n));
  THAT(n == 4 && buffer[0] == '0' && memcmp(buffer + 4, "123", 3) == 0);
  __wasi_ciovec_t parts[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"cd", 2}};
  OK(__wasi_fd_pwrite(fd, parts, 2, 1, &n));
  THAT(n == 4 && seek(fd, 0, __WASI_WHENCE_CUR) == 0);
  OK(__wasi_fd_pread(fd, &in, 1, 1, &n));
  THAT(n == 4 && memcmp(buffer, "abcd", 4) == 0 && stat_of(fd).size == 6);
  /* No bytes beyond the end are no bytes: the file does not grow. */
  __wasi_ciovec_t none = {(const uint8_t *)"", 0};
  OK(__wasi_fd_pwrite(fd, &none, 1, 50, &n));
  THAT(n == 0 && stat_of(fd).size == 6);
  seek(fd, 20, __WASI_WHENCE_SET);
  THAT(write_to(fd, "", 0) == 0 && stat_of(fd).size == 6 && seek(fd, 0, __WASI_WHENCE_CUR) == 20);
  OK(__wasi_fd_pwrite(fd, &out, 1, 50, &n));
  THAT(n == 4 && stat_of(fd).size == 54 && seek(fd, 0, __WASI_WHENCE_CUR) == 20);
  finish(fd);
}

static void appending(void) {
  uint8_t buffer[16];
  __wasi_fdstat_t stat;
  int fd = -1;
  OK(__wasi_path_open(ROOT, 0, "file", CREAT, READ_WRITE, 0, __WASI_FDFLAGS_APPEND, &fd));
  THAT(write_to(fd, "one", 3) == 3);
  seek(fd, 0, __WASI_WHENCE_SET);
  THAT(write_to(fd, "two", 3) == 3);
  THAT(seek(fd, 0, __WASI_WHENCE_CUR) == 6 && stat_of(fd).size == 6);
  seek(fd, 1, __WASI_WHENCE_SET);
  THAT(read_from(fd, buffer, sizeof buffer) == 5 && memcmp(buffer, "netwo", 5) == 0);
  /* The mode can be turned off and on. */
  OK(__wasi_fd_fdstat_set_flags(fd, 0));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT(stat.fs_flags == 0);
  seek(fd, 0, __WASI_WHENCE_SET);
  THAT(write_to(fd, "ONE", 3) == 3 && stat_of(fd).size == 6);
  OK(__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT(stat.fs_flags == __WASI_FDFLAGS_APPEND);
  THAT(write_to(fd, "six", 3) == 3 && stat_of(fd).size == 9);
  seek(fd, 0, __WASI_WHENCE_SET);
  THAT(read_from(fd, buffer, sizeof buffer) == 9 && memcmp(buffer, "ONEtwosix", 9) == 0);
  /* pwrite in this mode: POSIX writes at the place given, Linux at the end. The position stays in either case. */
  __wasi_ciovec_t out = {(const uint8_t *)"0123", 4};
  size_t n = 0;
  seek(fd, 5, __WASI_WHENCE_SET);
  OK(__wasi_fd_pwrite(fd, &out, 1, 0, &n));
  THAT(n == 4 && seek(fd, 0, __WASI_WHENCE_CUR) == 5);
  bool at_the_end = stat_of(fd).size == 13;
  THAT(at_the_end || stat_of(fd).size == 9);
  seek(fd, at_the_end ? 9 : 0, __WASI_WHENCE_SET);
  THAT(read_from(fd, buffer, 4) == 4 && memcmp(buffer, "0123", 4) == 0);
  finish(fd);
}

static void sizes(void) {
  uint8_t buffer[16];
  int fd = create();
  THAT(write_to(fd, "0123456789", 10) == 10);
  OK(__wasi_fd_filestat_set_size(fd, 4));
  THAT(stat_of(fd).size == 4 && seek(fd, 0, __WASI_WHENCE_CUR) == 10);
  OK(__wasi_fd_filestat_set_size(fd, 8));
  seek(fd, 0, __WASI_WHENCE_SET);
  THAT(read_from(fd, buffer, sizeof buffer) == 8 && memcmp(buffer, "0123\0\0\0\0", 8) == 0);
  /* Allocation only ever makes a file longer; a system may not be able to. */
  int error = __wasi_fd_allocate(fd, 0, 6);
  THAT(error == 0 || error == E(NOTSUP));
  THAT(stat_of(fd).size == 8);
  if (error == 0) {
    OK(__wasi_fd_allocate(fd, 6, 10));
    THAT(stat_of(fd).size == 16);
    IS(INVAL, __wasi_fd_allocate(fd, 0, 0));
    /* A hole is filled where the system can do that; what is to be read stays the same. */
    OK(__wasi_fd_filestat_set_size(fd, 100000));
    error = __wasi_fd_allocate(fd, 50000, 10000);
    THAT((error == 0 || error == E(NOTSUP)) && stat_of(fd).size == 100000);
    seek(fd, 55000, __WASI_WHENCE_SET);
    THAT(read_from(fd, buffer, 2) == 2 && buffer[0] == 0 && buffer[1] == 0);
  }
  OK(__wasi_fd_filestat_set_size(fd, 0));
  THAT(stat_of(fd).size == 0);
  finish(fd);
}

static void advice_and_sync(void) {
  int fd = create();
  THAT(write_to(fd, "text", 4) == 4);
  for (int advice = __WASI_ADVICE_NORMAL; advice <= __WASI_ADVICE_NOREUSE; advice++) {
    OK(__wasi_fd_advise(fd, 0, 4, (__wasi_advice_t)advice));
  }
  IS(INVAL, __wasi_fd_advise(fd, 0, 4, 6));
  OK(__wasi_fd_datasync(fd));
  OK(__wasi_fd_sync(fd));
  THAT(stat_of(fd).size == 4);
  finish(fd);
}

/* Two descriptors of one file have their own positions and see each other's writes at once. */
static void two_descriptors(void) {
  uint8_t buffer[8];
  int one = create(), two = -1;
  OK(open_at(ROOT, 0, "file", 0, READ_WRITE, &two));
  THAT(write_to(one, "abc", 3) == 3);
  THAT(read_from(two, buffer, 8) == 3 && memcmp(buffer, "abc", 3) == 0);
  THAT(write_to(two, "d", 1) == 1);
  THAT(read_from(one, buffer, 8) == 1 && buffer[0] == 'd');
  OK(__wasi_fd_close(two));
  finish(one);
}

/* One write, more than a pipe holds. */
static void at_once(void) {
  static uint32_t written[25000], got[100];
  for (uint32_t i = 0; i < 25000; i++) written[i] = i * 2654435761u;
  int fd = create();
  THAT(write_to(fd, written, sizeof written) == sizeof written && stat_of(fd).size == sizeof written);
  seek(fd, 0, __WASI_WHENCE_SET);
  THAT(read_from(fd, got, sizeof got) == sizeof got && memcmp(got, written, sizeof got) == 0);
  seek(fd, -(__wasi_filedelta_t)sizeof got, __WASI_WHENCE_END);
  THAT(read_from(fd, got, sizeof got) == sizeof got && memcmp(got, written + 24900, sizeof got) == 0);
  finish(fd);
}

int main(void) {
  positions();
  several_buffers();
  at_an_offset();
  appending();
  sizes();
  advice_and_sync();
  two_descriptors();
  at_once();
  return done();
}
