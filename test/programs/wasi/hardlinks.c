/* path_link: one file under several names. */
#include "check.h"

int main(void) {
  make_file(ROOT, "file", "one");
  OK(__wasi_path_create_directory(ROOT, "dir"));
  int dir = open_directory(ROOT, "dir");

  /* A second and a third name: the same file in every respect. */
  OK(__wasi_path_link(ROOT, 0, "file", ROOT, "link"));
  OK(__wasi_path_link(ROOT, 0, "./dir/../file", dir, "link"));
  __wasi_filestat_t file = stat_at(ROOT, 0, "file"), link = stat_at(dir, 0, "link");
  THAT(file.ino == link.ino && file.dev == link.dev && file.size == link.size && file.filetype == link.filetype);
  THAT(file.nlink == 3 && link.nlink == 3);
  THAT(file.atim == link.atim && file.mtim == link.mtim && file.ctim == link.ctim);
  /* Opened by one name or another: with the same flags and rights. */
  int fd = -1, other = -1;
  __wasi_fdstat_t one, two;
  OK(open_at(ROOT, 0, "file", 0, READ_ONLY | R(PATH_OPEN), &fd));
  OK(open_at(dir, 0, "link", 0, READ_ONLY | R(PATH_OPEN), &other));
  OK(__wasi_fd_fdstat_get(fd, &one));
  OK(__wasi_fd_fdstat_get(other, &two));
  THAT(one.fs_filetype == two.fs_filetype && one.fs_flags == two.fs_flags);
  THAT(one.fs_rights_base == two.fs_rights_base && one.fs_rights_inheriting == two.fs_rights_inheriting);
  THAT(stat_of(fd).ino == stat_of(other).ino && stat_of(fd).nlink == 3);
  OK(__wasi_fd_close(fd));
  OK(__wasi_fd_close(other));
  OK(open_at(dir, 0, "link", 0, READ_WRITE, &fd));
  THAT(write_to(fd, "changed", 7) == 7);
  OK(__wasi_fd_close(fd));
  THAT(stat_at(ROOT, 0, "file").size == 7);
  OK(__wasi_path_unlink_file(ROOT, "link"));
  OK(__wasi_path_unlink_file(dir, "link"));
  THAT(stat_at(ROOT, 0, "file").nlink == 1);

  /* What cannot be linked, and where to. */
  IS(NOENT, __wasi_path_link(ROOT, 0, "missing", ROOT, "link"));
  IS(EXIST, __wasi_path_link(ROOT, 0, "file", ROOT, "file"));
  IS(EXIST, __wasi_path_link(ROOT, 0, "file", ROOT, "dir"));
  IS(NOENT, __wasi_path_link(ROOT, 0, "file", ROOT, "missing/link"));
  IS(NOENT, __wasi_path_link(ROOT, 0, "file", ROOT, "link/"));
  IS(NOTDIR, __wasi_path_link(ROOT, 0, "file/", ROOT, "link"));
  EITHER(PERM, ACCES, __wasi_path_link(ROOT, 0, "dir", ROOT, "link"));
  IS(NOENT, __wasi_path_link(ROOT, 0, "dir", ROOT, "missing/link"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_link(ROOT, 0, "file", ROOT, "../link"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_link(ROOT, 0, "../file", ROOT, "link"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_link(dir, 0, "../file", ROOT, "link"));
  THAT(!exists(ROOT, "link"));

  /* Symbolic links are linked themselves, not what they point to. */
  OK(__wasi_path_symlink("nowhere", ROOT, "symlink"));
  OK(__wasi_path_link(ROOT, 0, "symlink", ROOT, "link"));
  THAT(stat_at(ROOT, 0, "link").filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
  OK(__wasi_path_unlink_file(ROOT, "link"));
  IS(EXIST, __wasi_path_link(ROOT, 0, "file", ROOT, "symlink"));
  EITHER(NOENT, INVAL, __wasi_path_link(ROOT, FOLLOW, "symlink", ROOT, "link"));
  OK(__wasi_path_unlink_file(ROOT, "symlink"));
  OK(__wasi_path_symlink("symlink", ROOT, "symlink"));
  OK(__wasi_path_link(ROOT, 0, "symlink", ROOT, "link"));
  OK(__wasi_path_unlink_file(ROOT, "link"));
  OK(__wasi_path_unlink_file(ROOT, "symlink"));

  OK(__wasi_fd_close(dir));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  return done();
}
