/* path_rename: files and directories, over nothing and over each other, with slashes, between directories. */
#include "check.h"

static void directories(void) {
  OK(__wasi_path_create_directory(ROOT, "source"));
  OK(__wasi_path_rename(ROOT, "source", ROOT, "target"));
  THAT(!exists(ROOT, "source") && exists(ROOT, "target"));
  /* Over an empty directory: that one goes. */
  OK(__wasi_path_create_directory(ROOT, "source"));
  __wasi_inode_t ino = stat_at(ROOT, 0, "source").ino;
  OK(__wasi_path_rename(ROOT, "source", ROOT, "target"));
  THAT(stat_at(ROOT, 0, "target").ino == ino);
  /* Over one with something in it: refused. */
  OK(__wasi_path_create_directory(ROOT, "source"));
  make_file(ROOT, "target/file", "");
  EITHER(NOTEMPTY, EXIST, __wasi_path_rename(ROOT, "source", ROOT, "target"));
  IS(NOTDIR, __wasi_path_rename(ROOT, "source", ROOT, "target/file"));
  IS(INVAL, __wasi_path_rename(ROOT, "target", ROOT, "target/below"));
  OK(__wasi_path_unlink_file(ROOT, "target/file"));
  OK(__wasi_path_remove_directory(ROOT, "target"));
  /* Slashes behind the names of directories. */
  OK(__wasi_path_rename(ROOT, "source/", ROOT, "target"));
  OK(__wasi_path_rename(ROOT, "target", ROOT, "source/"));
  OK(__wasi_path_rename(ROOT, "source/", ROOT, "target/"));
  OK(__wasi_path_remove_directory(ROOT, "target"));
}

static void files(void) {
  make_file(ROOT, "source", "source");
  OK(__wasi_path_rename(ROOT, "source", ROOT, "target"));
  IS(NOENT, try_open(ROOT, 0, "source", 0));
  THAT(stat_at(ROOT, 0, "target").size == 6);
  IS(NOENT, __wasi_path_rename(ROOT, "source", ROOT, "other"));
  make_file(ROOT, "source", "new");
  OK(__wasi_path_rename(ROOT, "source", ROOT, "target"));
  THAT(!exists(ROOT, "source") && stat_at(ROOT, 0, "target").size == 3);
  OK(__wasi_path_rename(ROOT, "target", ROOT, "target"));
  /* Files have no slashes behind them, and nothing below. */
  IS(NOTDIR, __wasi_path_rename(ROOT, "target/", ROOT, "source"));
  EITHER(NOTDIR, NOENT, __wasi_path_rename(ROOT, "target", ROOT, "source/"));
  IS(NOTDIR, __wasi_path_rename(ROOT, "target", ROOT, "target/below"));
  IS(NOENT, __wasi_path_rename(ROOT, "target", ROOT, "missing/target"));
  OK(__wasi_path_create_directory(ROOT, "dir"));
  IS(ISDIR, __wasi_path_rename(ROOT, "target", ROOT, "dir"));
  /* Two names of one file: nothing happens, as POSIX says. */
  OK(__wasi_path_link(ROOT, 0, "target", ROOT, "same"));
  OK(__wasi_path_rename(ROOT, "target", ROOT, "same"));
  THAT(exists(ROOT, "target") && exists(ROOT, "same"));
  OK(__wasi_path_unlink_file(ROOT, "same"));
  /* Into another directory and back. */
  int dir = open_directory(ROOT, "dir");
  OK(__wasi_path_rename(ROOT, "target", dir, "moved"));
  THAT(exists(ROOT, "dir/moved"));
  OK(__wasi_path_rename(dir, "moved", ROOT, "target"));
  THAT(!exists(ROOT, "dir/moved"));
  OK(__wasi_fd_close(dir));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

/* A symbolic link is renamed and replaced itself. */
static void links(void) {
  OK(__wasi_path_symlink("target", ROOT, "link"));
  OK(__wasi_path_rename(ROOT, "link", ROOT, "other"));
  THAT(stat_at(ROOT, 0, "other").filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
  make_file(ROOT, "file", "file");
  OK(__wasi_path_rename(ROOT, "file", ROOT, "other"));
  THAT(stat_at(ROOT, 0, "other").filetype == __WASI_FILETYPE_REGULAR_FILE);
  THAT(stat_at(ROOT, 0, "target").size == 3);
  OK(__wasi_path_unlink_file(ROOT, "other"));
  OK(__wasi_path_unlink_file(ROOT, "target"));
}

int main(void) {
  directories();
  files();
  links();
  return done();
}
