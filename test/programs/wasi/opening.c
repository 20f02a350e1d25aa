/* path_open: what its flags and rights do, on files, directories and nothing. */
#include "check.h"

static size_t write_to_file(const char *text) {
  int fd = -1;
  OK(open_at(ROOT, 0, "file", 0, R(FD_WRITE), &fd));
  size_t n = write_to(fd, text, strlen(text));
  OK(__wasi_fd_close(fd));
  return n;
}

static void creating(void) {
  int fd = -1;
  IS(NOENT, try_open(ROOT, 0, "file", 0));
  IS(NOENT, try_open(ROOT, 0, "file", TRUNC));
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  THAT(fd > ROOT);
  THAT(stat_of(fd).size == 0 && stat_of(fd).filetype == __WASI_FILETYPE_REGULAR_FILE);
  THAT(write_to(fd, "0123456789", 10) == 10);
  OK(__wasi_fd_close(fd));
  IS(EXIST, try_open(ROOT, 0, "file", CREAT | EXCL));
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  THAT(stat_of(fd).size == 10);
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "file", TRUNC, READ_WRITE, &fd));
  THAT(stat_of(fd).size == 0);
  OK(__wasi_fd_close(fd));
  THAT(write_to_file("this is cut off") == 15);
  OK(open_at(ROOT, 0, "file", CREAT | TRUNC, R(FD_READ) | R(FD_WRITE), &fd));
  char text[16];
  THAT(read_from(fd, text, sizeof text) == 0);
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  OK(open_at(ROOT, 0, "file", CREAT | TRUNC | EXCL, READ_WRITE, &fd));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void directories(void) {
  int fd = -1;
  make_file(ROOT, "file", "");
  OK(__wasi_path_create_directory(ROOT, "dir"));
  IS(NOTDIR, try_open(ROOT, 0, "file", DIRECTORY));
  IS(EXIST, try_open(ROOT, 0, "dir", CREAT | EXCL));
  IS(ISDIR, try_open(ROOT, 0, "dir", CREAT));
  IS(ISDIR, open_at(ROOT, 0, "dir", 0, R(FD_READ) | R(FD_WRITE), &fd));
  IS(ISDIR, open_at(ROOT, 0, ".", DIRECTORY, R(FD_READ) | R(FD_WRITE), &fd));
  OK(open_at(ROOT, 0, "dir", 0, R(FD_FILESTAT_GET), &fd));
  THAT(stat_of(fd).filetype == __WASI_FILETYPE_DIRECTORY);
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "dir", DIRECTORY, R(FD_READ), &fd));
  OK(__wasi_fd_close(fd));
  /* A file is no place to open from. */
  OK(open_at(ROOT, 0, "file", 0, READ_ONLY, &fd));
  EITHER(NOTDIR, NOTCAPABLE, try_open(fd, 0, "below", CREAT));
  EITHER(NOTDIR, NOTCAPABLE, try_open(fd, 0, ".", 0));
  OK(__wasi_fd_close(fd));
  IS(BADF, try_open(fd, 0, "file", 0));
  IS(BADF, try_open(1000000, 0, "file", 0));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void one_way(void) {
  char text[16];
  __wasi_iovec_t in = {(uint8_t *)text, sizeof text};
  __wasi_ciovec_t out = {(const uint8_t *)"text", 4};
  __wasi_fdstat_t stat;
  size_t n;
  int fd = -1;
  make_file(ROOT, "file", "0123456789");
  OK(open_at(ROOT, 0, "file", 0, READ_ONLY, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT(stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE && stat.fs_flags == 0);
  THAT((stat.fs_rights_base & R(FD_READ)) != 0 && (stat.fs_rights_base & R(FD_WRITE)) == 0);
  EITHER(BADF, NOTCAPABLE, __wasi_fd_write(fd, &out, 1, &n));
  EITHER(BADF, NOTCAPABLE, __wasi_fd_pwrite(fd, &out, 1, 0, &n));
  /* POSIX leaves ftruncate these two, and posix_fallocate one. */
  EITHER(INVAL, BADF, __wasi_fd_filestat_set_size(fd, 0));
  EITHER(BADF, NOTSUP, __wasi_fd_allocate(fd, 0, 20));
  THAT(read_from(fd, text, sizeof text) == 10);
  OK(__wasi_fd_close(fd));

  OK(open_at(ROOT, 0, "file", 0, WRITE_ONLY, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT((stat.fs_rights_base & R(FD_READ)) == 0 && (stat.fs_rights_base & R(FD_WRITE)) != 0);
  EITHER(BADF, NOTCAPABLE, __wasi_fd_read(fd, &in, 1, &n));
  EITHER(BADF, NOTCAPABLE, __wasi_fd_pread(fd, &in, 1, 0, &n));
  THAT(write_to(fd, "abcd", 4) == 4);
  THAT(stat_of(fd).size == 10);
  OK(__wasi_fd_close(fd));

  /* Without any right a file can be opened, but neither read nor written. */
  OK(open_at(ROOT, 0, "file", 0, 0, &fd));
  EITHER(BADF, NOTCAPABLE, __wasi_fd_read(fd, &in, 1, &n));
  EITHER(BADF, NOTCAPABLE, __wasi_fd_write(fd, &out, 1, &n));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void flags(void) {
  __wasi_fdstat_t stat;
  int fd = -1;
  OK(__wasi_path_open(ROOT, 0, "file", CREAT, READ_WRITE, 0, __WASI_FDFLAGS_APPEND, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT((stat.fs_flags & __WASI_FDFLAGS_APPEND) != 0);
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_open(ROOT, 0, "file", 0, READ_WRITE, 0, __WASI_FDFLAGS_NONBLOCK, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT((stat.fs_flags & __WASI_FDFLAGS_APPEND) == 0);
  char text[4];
  THAT(read_from(fd, text, sizeof text) == 0);
  OK(__wasi_fd_close(fd));
  /* Written through to the disk: a system may not be able to, but says what it does. */
  static const __wasi_fdflags_t SYNCS[] = {__WASI_FDFLAGS_SYNC, __WASI_FDFLAGS_DSYNC,
                                           __WASI_FDFLAGS_SYNC | __WASI_FDFLAGS_APPEND};
  for (size_t i = 0; i < sizeof SYNCS / sizeof *SYNCS; i++) {
    int error = __wasi_path_open(ROOT, 0, "file", 0, READ_WRITE, 0, SYNCS[i], &fd);
    THAT(error == 0 || error == E(NOTSUP));
    if (error != 0) continue;
    OK(__wasi_fd_fdstat_get(fd, &stat));
    THAT(stat.fs_flags == SYNCS[i] && write_to(fd, "x", 1) == 1);
    OK(__wasi_fd_close(fd));
  }
  OK(__wasi_path_unlink_file(ROOT, "file"));
  /* Nothing that a directory could wait for. */
  OK(__wasi_path_open(ROOT, 0, ".", 0, 0, 0, __WASI_FDFLAGS_NONBLOCK, &fd));
  OK(__wasi_fd_close(fd));
}

static void unlinked_but_open(void) {
  char text[4];
  int fd = -1;
  __wasi_filesize_t at;
  OK(open_at(ROOT, 0, "file", CREAT | EXCL, READ_WRITE, &fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  THAT(write_to(fd, "kept", 4) == 4);
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  THAT(read_from(fd, text, 4) == 4 && memcmp(text, "kept", 4) == 0);
  THAT(stat_of(fd).nlink == 0);
  /* Another file gets the name: neither sees the other. */
  make_file(ROOT, "file", "");
  THAT(stat_of(fd).size == 4 && stat_at(ROOT, 0, "file").ino != stat_of(fd).ino);
  OK(__wasi_fd_close(fd));
  THAT(stat_at(ROOT, 0, "file").size == 0);
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void lots(void) {
  int last = -1;
  for (int i = 0; i < 2000; i++) {
    int fd = -1;
    OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
    OK(__wasi_fd_close(fd));
    THAT(i == 0 || fd == last || fd > ROOT);
    last = fd;
  }
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

int main(void) {
  creating();
  directories();
  one_way();
  flags();
  unlinked_but_open();
  lots();
  return done();
}
