/* Descriptors: given directories, closing, renumbering, numbers that are not open. */
#include "check.h"

static void given(void) {
  __wasi_prestat_t prestat;
  uint8_t name[8];
  OK(__wasi_fd_prestat_get(ROOT, &prestat));
  THAT(prestat.tag == __WASI_PREOPENTYPE_DIR && prestat.u.dir.pr_name_len == 1);
  EITHER(NAMETOOLONG, INVAL, __wasi_fd_prestat_dir_name(ROOT, name, 0));
  memset(name, 'x', sizeof name);
  OK(__wasi_fd_prestat_dir_name(ROOT, name, 1));
  THAT(name[0] == '.' && name[1] == 'x');
  memset(name, 'x', sizeof name);
  OK(__wasi_fd_prestat_dir_name(ROOT, name, sizeof name));
  THAT(name[0] == '.');
  IS(BADF, __wasi_fd_prestat_get(ROOT + 1, &prestat));
  IS(BADF, __wasi_fd_prestat_dir_name(ROOT + 1, name, sizeof name));
  EITHER(BADF, INVAL, __wasi_fd_prestat_get(0, &prestat));
}

/* Every call that takes a descriptor says so when it is not open. */
static void not_open(int fd) {
  uint8_t buffer[16];
  __wasi_iovec_t in = {buffer, sizeof buffer};
  __wasi_ciovec_t out = {buffer, sizeof buffer};
  size_t n;
  __wasi_filesize_t at;
  __wasi_fdstat_t fdstat;
  __wasi_filestat_t filestat;
  IS(BADF, __wasi_fd_advise(fd, 0, 0, 0));
  IS(BADF, __wasi_fd_allocate(fd, 0, 1));
  IS(BADF, __wasi_fd_close(fd));
  IS(BADF, __wasi_fd_datasync(fd));
  IS(BADF, __wasi_fd_fdstat_get(fd, &fdstat));
  IS(BADF, __wasi_fd_fdstat_set_flags(fd, 0));
  IS(BADF, __wasi_fd_fdstat_set_rights(fd, 0, 0));
  IS(BADF, __wasi_fd_filestat_get(fd, &filestat));
  IS(BADF, __wasi_fd_filestat_set_size(fd, 0));
  IS(BADF, __wasi_fd_filestat_set_times(fd, 0, 0, 0));
  IS(BADF, __wasi_fd_pread(fd, &in, 1, 0, &n));
  IS(BADF, __wasi_fd_pwrite(fd, &out, 1, 0, &n));
  IS(BADF, __wasi_fd_read(fd, &in, 1, &n));
  IS(BADF, __wasi_fd_readdir(fd, buffer, sizeof buffer, 0, &n));
  IS(BADF, __wasi_fd_renumber(fd, fd));
  IS(BADF, __wasi_fd_seek(fd, 0, 0, &at));
  IS(BADF, __wasi_fd_sync(fd));
  IS(BADF, __wasi_fd_tell(fd, &at));
  IS(BADF, __wasi_fd_write(fd, &out, 1, &n));
  IS(BADF, __wasi_path_create_directory(fd, "x"));
  IS(BADF, __wasi_path_filestat_get(fd, 0, "x", &filestat));
  IS(BADF, __wasi_path_filestat_set_times(fd, 0, "x", 0, 0, 0));
  IS(BADF, __wasi_path_link(fd, 0, "x", ROOT, "y"));
  IS(BADF, __wasi_path_link(ROOT, 0, "x", fd, "y"));
  IS(BADF, try_open(fd, 0, "x", 0));
  IS(BADF, __wasi_path_readlink(fd, "x", buffer, sizeof buffer, &n));
  IS(BADF, __wasi_path_remove_directory(fd, "x"));
  IS(BADF, __wasi_path_rename(fd, "x", ROOT, "y"));
  IS(BADF, __wasi_path_rename(ROOT, "x", fd, "y"));
  IS(BADF, __wasi_path_symlink("x", fd, "y"));
  IS(BADF, __wasi_path_unlink_file(fd, "x"));
}

static void renumbering(void) {
  int one = -1, two = -1;
  __wasi_fdstat_t before, after;
  OK(open_at(ROOT, 0, "one", CREAT, READ_ONLY, &one));
  OK(open_at(ROOT, 0, "two", CREAT, READ_WRITE, &two));
  __wasi_inode_t ino = stat_of(one).ino;
  /* Device and inode together name a file: two files of one directory differ in the second. */
  THAT(stat_of(one).dev == stat_of(two).dev && ino != stat_of(two).ino);
  OK(__wasi_fd_fdstat_get(one, &before));
  OK(__wasi_fd_renumber(one, two));
  IS(BADF, __wasi_fd_close(one));
  OK(__wasi_fd_fdstat_get(two, &after));
  THAT(stat_of(two).ino == ino);
  THAT(before.fs_filetype == after.fs_filetype && before.fs_flags == after.fs_flags);
  THAT(before.fs_rights_base == after.fs_rights_base && before.fs_rights_inheriting == after.fs_rights_inheriting);
  OK(__wasi_fd_renumber(two, two));
  THAT(stat_of(two).ino == ino);
  /* Only onto a number that is open: which numbers there are is not the program's to say. */
  IS(BADF, __wasi_fd_renumber(two, 1000));
  IS(BADF, __wasi_fd_renumber(1000, two));
  THAT(stat_of(two).ino == ino);
  OK(__wasi_fd_close(two));
  IS(BADF, __wasi_fd_close(two));
  OK(__wasi_path_unlink_file(ROOT, "one"));
  OK(__wasi_path_unlink_file(ROOT, "two"));
}

/* Closing one descriptor leaves the others; numbers of closed ones come again. */
static void closing(void) {
  int fds[20];
  for (int i = 0; i < 20; i++) {
    OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fds[i]));
    for (int j = 0; j < i; j++) THAT(fds[i] != fds[j]);
  }
  for (int i = 0; i < 20; i += 2) OK(__wasi_fd_close(fds[i]));
  for (int i = 1; i < 20; i += 2) THAT(stat_of(fds[i]).size == 0);
  for (int i = 0; i < 20; i += 2) IS(BADF, __wasi_fd_close(fds[i]));
  for (int i = 1; i < 20; i += 2) OK(__wasi_fd_close(fds[i]));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

/* The given directory is a descriptor like any other. */
static void giving_up(void) {
  int dir = -1;
  __wasi_prestat_t prestat;
  OK(__wasi_path_open(ROOT, 0, ".", DIRECTORY, DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | READ_WRITE, 0, &dir));
  __wasi_filestat_t stat = stat_of(dir);
  OK(__wasi_fd_renumber(dir, ROOT));
  THAT(stat_of(ROOT).ino == stat.ino && stat_of(ROOT).dev == stat.dev);
  IS(BADF, __wasi_fd_close(dir));
  OK(__wasi_path_create_directory(ROOT, "dir"));
  dir = open_directory(ROOT, "dir");
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  OK(__wasi_fd_close(ROOT));
  IS(BADF, __wasi_fd_prestat_get(ROOT, &prestat));
  IS(BADF, try_open(ROOT, 0, "file", CREAT));
  THAT(stat_of(dir).filetype == __WASI_FILETYPE_DIRECTORY);
  OK(__wasi_fd_close(dir));
}

int main(void) {
  given();
  not_open(50);
  not_open(0x7fffffff);
  not_open(-1);
  renumbering();
  closing();
  giving_up();
  return done();
}
