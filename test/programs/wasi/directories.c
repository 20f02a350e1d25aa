/* Making and removing directories, and all that cannot be done with the descriptor of one. */
#include "check.h"

static void making(void) {
  OK(__wasi_path_create_directory(ROOT, "dir"));
  IS(EXIST, __wasi_path_create_directory(ROOT, "dir"));
  IS(EXIST, __wasi_path_create_directory(ROOT, "dir/"));
  IS(EXIST, __wasi_path_create_directory(ROOT, "."));
  IS(NOENT, __wasi_path_create_directory(ROOT, ""));
  IS(NOENT, __wasi_path_create_directory(ROOT, "missing/dir"));
  OK(__wasi_path_create_directory(ROOT, "dir/sub/"));
  make_file(ROOT, "file", "");
  IS(EXIST, __wasi_path_create_directory(ROOT, "file"));
  IS(NOTDIR, __wasi_path_create_directory(ROOT, "file/dir"));
  THAT(stat_at(ROOT, 0, "dir").filetype == __WASI_FILETYPE_DIRECTORY);
}

static void removing(void) {
  IS(NOTEMPTY, __wasi_path_remove_directory(ROOT, "dir"));
  IS(NOTDIR, __wasi_path_remove_directory(ROOT, "file"));
  IS(NOTDIR, __wasi_path_remove_directory(ROOT, "file/"));
  IS(NOENT, __wasi_path_remove_directory(ROOT, "missing"));
  IS(ISDIR, __wasi_path_unlink_file(ROOT, "dir"));
  IS(ISDIR, __wasi_path_unlink_file(ROOT, "dir/"));
  IS(NOTDIR, __wasi_path_unlink_file(ROOT, "file/"));
  IS(NOENT, __wasi_path_unlink_file(ROOT, "missing"));
  OK(__wasi_path_remove_directory(ROOT, "dir/sub/"));
  THAT(!exists(ROOT, "dir/sub"));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  THAT(!exists(ROOT, "file"));
}

/* An open directory that is removed stays open and is empty, also when another one gets its name. */
static void removed(void) {
  int dir = open_directory(ROOT, "dir");
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  THAT(stat_of(dir).filetype == __WASI_FILETYPE_DIRECTORY);
  IS(NOENT, try_open(dir, 0, "file", CREAT));
  IS(NOENT, __wasi_path_create_directory(dir, "sub"));
  OK(__wasi_path_create_directory(ROOT, "dir"));
  make_file(ROOT, "dir/file", "");
  IS(NOENT, try_open(dir, 0, "file", 0));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_unlink_file(ROOT, "dir/file"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

static void moved(void) {
  OK(__wasi_path_create_directory(ROOT, "before"));
  int dir = open_directory(ROOT, "before");
  OK(__wasi_path_rename(ROOT, "before", ROOT, "after"));
  make_file(dir, "file", "text");
  THAT(stat_at(ROOT, 0, "after/file").size == 4);
  OK(__wasi_path_unlink_file(dir, "file"));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_remove_directory(ROOT, "after"));
}

/* One of the errnos that POSIX, the specification's rights and the published tests give. */
static bool refused(int error) {
  return error == E(BADF) || error == E(ISDIR) || error == E(NOTCAPABLE);
}

static void descriptor(void) {
  uint8_t buffer[16];
  __wasi_iovec_t in = {buffer, sizeof buffer};
  __wasi_ciovec_t out = {buffer, sizeof buffer};
  size_t n;
  __wasi_filesize_t at;
  OK(__wasi_path_create_directory(ROOT, "dir"));
  int dir = open_directory(ROOT, "dir");
  THAT(refused(__wasi_fd_read(dir, &in, 1, &n)));
  THAT(refused(__wasi_fd_pread(dir, &in, 1, 0, &n)));
  THAT(refused(__wasi_fd_write(dir, &out, 1, &n)));
  THAT(refused(__wasi_fd_pwrite(dir, &out, 1, 0, &n)));
  THAT(refused(__wasi_fd_seek(dir, 0, __WASI_WHENCE_SET, &at)));
  THAT(refused(__wasi_fd_seek(dir, 0, __WASI_WHENCE_CUR, &at)));
  THAT(refused(__wasi_fd_seek(dir, 0, __WASI_WHENCE_END, &at)));
  THAT(refused(__wasi_fd_tell(dir, &at)));
  THAT(refused(__wasi_fd_allocate(dir, 0, 1)));
  int error = __wasi_fd_filestat_set_size(dir, 0);
  THAT(refused(error) || error == E(INVAL));
  THAT(stat_of(dir).filetype == __WASI_FILETYPE_DIRECTORY);
  /* A directory that was opened is not one that was given. */
  __wasi_prestat_t prestat;
  IS(BADF, __wasi_fd_prestat_get(dir, &prestat));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

int main(void) {
  making();
  removing();
  removed();
  moved();
  descriptor();
  return done();
}
