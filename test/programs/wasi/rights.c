/* Rights: what a given directory has, that they only ever shrink, what is inherited, and what missing ones forbid. */
#include "check.h"

static __wasi_fdstat_t fdstat(int fd) {
  __wasi_fdstat_t stat;
  OK(__wasi_fd_fdstat_get(fd, &stat));
  return stat;
}

static void given(void) {
  __wasi_fdstat_t stat = fdstat(ROOT);
  THAT(stat.fs_filetype == __WASI_FILETYPE_DIRECTORY && stat.fs_flags == 0);
  THAT((stat.fs_rights_base & DIRECTORY_RIGHTS) == DIRECTORY_RIGHTS);
  THAT((stat.fs_rights_inheriting & (DIRECTORY_RIGHTS | READ_WRITE)) == (DIRECTORY_RIGHTS | READ_WRITE));
  /* A directory cannot be sought in or resized, so it has no right to. */
  THAT((stat.fs_rights_base & (R(FD_SEEK) | R(FD_FILESTAT_SET_SIZE))) == 0);
  int fd = -1;
  OK(__wasi_path_open(ROOT, 0, ".", 0, stat.fs_rights_base, stat.fs_rights_inheriting, 0, &fd));
  OK(__wasi_fd_close(fd));
  for (int flags = 0; flags <= DIRECTORY; flags += DIRECTORY) {
    OK(open_at(ROOT, 0, ".", flags, 0, &fd));
    THAT(fdstat(fd).fs_rights_base == 0 && fdstat(fd).fs_rights_inheriting == 0);
    OK(__wasi_fd_close(fd));
  }
  OK(__wasi_path_create_directory(ROOT, "seek"));
  OK(__wasi_path_open(ROOT, 0, "seek", DIRECTORY, R(FD_SEEK), 0, 0, &fd));
  THAT((fdstat(fd).fs_rights_base & R(FD_SEEK)) == 0);
  __wasi_filesize_t at;
  int error = __wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &at);
  THAT(error == E(BADF) || error == E(ISDIR) || error == E(NOTCAPABLE));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_remove_directory(ROOT, "seek"));
}

static void shrinking(void) {
  uint8_t text[4];
  __wasi_iovec_t in = {text, sizeof text};
  __wasi_ciovec_t out = {text, sizeof text};
  size_t n;
  __wasi_filesize_t at;
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT, R(FD_READ) | R(FD_WRITE) | R(FD_SEEK) | R(FD_TELL), &fd));
  OK(__wasi_fd_write(fd, &out, 1, &n));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  OK(__wasi_fd_read(fd, &in, 1, &n));
  __wasi_rights_t before = fdstat(fd).fs_rights_base;
  OK(__wasi_fd_fdstat_set_rights(fd, before, 0));
  OK(__wasi_fd_fdstat_set_rights(fd, R(FD_SEEK), 0));
  THAT((fdstat(fd).fs_rights_base & (R(FD_READ) | R(FD_WRITE))) == 0);
  THAT((fdstat(fd).fs_rights_base & R(FD_SEEK)) != 0);
  EITHER(BADF, NOTCAPABLE, __wasi_fd_read(fd, &in, 1, &n));
  EITHER(BADF, NOTCAPABLE, __wasi_fd_write(fd, &out, 1, &n));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  IS(NOTCAPABLE, __wasi_fd_fdstat_set_rights(fd, before, 0));
  IS(NOTCAPABLE, __wasi_fd_fdstat_set_rights(fd, R(FD_SEEK), R(FD_READ)));
  OK(__wasi_fd_fdstat_set_rights(fd, 0, 0));
  IS(NOTCAPABLE, __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

/* A directory without the right to do a thing refuses the thing. */
static void missing(void) {
  uint8_t buffer[64];
  size_t n;
  __wasi_filestat_t stat;
  int fd = -1;
  OK(__wasi_path_create_directory(ROOT, "dir"));
  make_file(ROOT, "dir/file", "text");
  int dir = open_directory(ROOT, "dir");
  OK(__wasi_fd_fdstat_set_rights(dir, R(PATH_OPEN), R(FD_READ) | R(FD_SEEK)));
  IS(NOTCAPABLE, __wasi_path_create_directory(dir, "new"));
  IS(NOTCAPABLE, __wasi_path_remove_directory(dir, "new"));
  IS(NOTCAPABLE, __wasi_path_unlink_file(dir, "file"));
  IS(NOTCAPABLE, __wasi_path_symlink("file", dir, "link"));
  IS(NOTCAPABLE, __wasi_path_link(dir, 0, "file", ROOT, "link"));
  IS(NOTCAPABLE, __wasi_path_link(ROOT, 0, "dir/file", dir, "link"));
  IS(NOTCAPABLE, __wasi_path_rename(dir, "file", ROOT, "file"));
  IS(NOTCAPABLE, __wasi_path_rename(ROOT, "dir/file", dir, "other"));
  IS(NOTCAPABLE, __wasi_path_readlink(dir, "file", buffer, sizeof buffer, &n));
  IS(NOTCAPABLE, __wasi_path_filestat_get(dir, 0, "file", &stat));
  IS(NOTCAPABLE, __wasi_path_filestat_set_times(dir, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM));
  IS(NOTCAPABLE, __wasi_fd_readdir(dir, buffer, sizeof buffer, 0, &n));
  EITHER(NOTCAPABLE, PERM, open_at(dir, 0, "new", CREAT, R(FD_READ), &fd));
  EITHER(NOTCAPABLE, PERM, open_at(dir, 0, "file", TRUNC, R(FD_READ), &fd));
  /* What is inherited is a limit on what can be asked for. */
  IS(NOTCAPABLE, open_at(dir, 0, "file", 0, R(FD_READ) | R(FD_WRITE), &fd));
  OK(open_at(dir, 0, "file", 0, R(FD_READ), &fd));
  THAT((fdstat(fd).fs_rights_base & R(FD_WRITE)) == 0);
  THAT(read_from(fd, buffer, sizeof buffer) == 4);
  OK(__wasi_fd_close(fd));
  OK(__wasi_fd_fdstat_set_rights(dir, 0, 0));
  IS(NOTCAPABLE, try_open(dir, 0, "file", 0));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_unlink_file(ROOT, "dir/file"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

/* Truncating by path needs path_filestat_set_size, not fd_filestat_set_size. */
static void truncation(void) {
  if ((fdstat(ROOT).fs_rights_base & R(PATH_FILESTAT_SET_SIZE)) == 0) return;
  int fd = -1, dir = -1;
  make_file(ROOT, "file", "text");
  __wasi_rights_t base = DIRECTORY_RIGHTS | R(PATH_FILESTAT_SET_SIZE);
  OK(__wasi_path_open(ROOT, 0, ".", DIRECTORY, base, READ_WRITE, 0, &dir));
  OK(__wasi_fd_fdstat_set_rights(dir, base, READ_WRITE & ~R(FD_FILESTAT_SET_SIZE)));
  OK(open_at(dir, 0, "file", TRUNC, 0, &fd));
  OK(__wasi_fd_close(fd));
  THAT(stat_at(ROOT, 0, "file").size == 0);
  OK(__wasi_fd_fdstat_set_rights(dir, DIRECTORY_RIGHTS, READ_WRITE & ~R(FD_FILESTAT_SET_SIZE)));
  EITHER(NOTCAPABLE, PERM, open_at(dir, 0, "file", TRUNC, 0, &fd));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

int main(void) {
  given();
  shrinking();
  missing();
  truncation();
  return done();
}
