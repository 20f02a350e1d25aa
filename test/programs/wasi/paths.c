/* Paths: dots, slashes, absolute ones, ones that leave the directory, odd bytes, long names. */
#include "check.h"

/* The libc's own wrapper counts up to a NUL; these take the length. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) int raw_path_open(
    int dir, int lookup, const char *path, size_t length, int oflags, uint64_t base, uint64_t inheriting, int flags,
    int *fd);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_create_directory"))) int raw_mkdir(
    int dir, const char *path, size_t length);

static void dots_and_slashes(void) {
  int fd = -1;
  OK(open_at(ROOT, 0, "dir/.//nested/../../dir/nested/../nested///./file", 0, READ_ONLY, &fd));
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "dir/nested/", 0, 0, &fd));
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "dir/nested///", DIRECTORY, 0, &fd));
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, ".", DIRECTORY, R(FD_FILESTAT_GET), &fd));
  THAT(stat_of(fd).ino == stat_of(ROOT).ino);
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "dir/..", DIRECTORY, R(FD_FILESTAT_GET), &fd));
  THAT(stat_of(fd).ino == stat_of(ROOT).ino);
  OK(__wasi_fd_close(fd));
  EITHER(NOTDIR, NOENT, try_open(ROOT, 0, "dir/nested/file/", 0));
  EITHER(NOTDIR, NOENT, try_open(ROOT, 0, "dir/nested/file///", 0));
  IS(NOTDIR, try_open(ROOT, 0, "dir/nested/file/.", 0));
  IS(NOTDIR, try_open(ROOT, 0, "dir/nested/file/..", 0));
  IS(NOTDIR, try_open(ROOT, 0, "dir/nested/file/below", 0));
  IS(NOENT, try_open(ROOT, 0, "dir/missing/../nested/file", 0));
  IS(NOENT, try_open(ROOT, 0, "", 0));
  IS(NOENT, try_open(ROOT, 0, "missing", 0));
  EITHER(ISDIR, NOENT, try_open(ROOT, 0, "new/", CREAT));
  IS(NOENT, try_open(ROOT, 0, "missing/new", CREAT));
}

static void outside(void) {
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "/dir/nested/file", 0));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "/etc/passwd", 0));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "/", DIRECTORY));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "..", DIRECTORY));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "dir/../..", DIRECTORY));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "dir/nested/../../../dir/nested/file", 0));
  EITHER(PERM, NOTCAPABLE, __wasi_path_create_directory(ROOT, "../new"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_remove_directory(ROOT, "../new"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_unlink_file(ROOT, "../file"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_symlink("target", ROOT, "../link"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_rename(ROOT, "dir", ROOT, "../dir"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_rename(ROOT, "../dir", ROOT, "other"));
  /* A directory opened below is as closed as the one that was given. */
  int dir = open_directory(ROOT, "dir");
  int fd = -1;
  OK(open_at(dir, 0, "nested/../nested/file", 0, READ_ONLY, &fd));
  OK(__wasi_fd_close(fd));
  EITHER(PERM, NOTCAPABLE, try_open(dir, 0, "..", DIRECTORY));
  EITHER(PERM, NOTCAPABLE, try_open(dir, 0, "../dir/nested/file", 0));
  OK(__wasi_fd_close(dir));
}

static void bytes(void) {
  int fd = -1;
  EITHER(INVAL, ILSEQ, raw_path_open(ROOT, 0, "dir/nested/file\0", 16, 0, 0, 0, 0, &fd));
  EITHER(INVAL, ILSEQ, raw_path_open(ROOT, 0, "d\0r", 3, 0, 0, 0, 0, &fd));
  /* Lengths are in bytes: the text behind the path is not part of it. */
  OK(raw_path_open(ROOT, 0, "dir/nested/file and more", 15, 0, READ_ONLY, 0, 0, &fd));
  OK(__wasi_fd_close(fd));
  static const char NAME[] = "\xd0\x94\xd0\xb5\xd0\xb9 \xf0\x9f\x90\xa6 \xe4\xbd\x99";
  make_file(ROOT, NAME, "bird");
  THAT(stat_at(ROOT, 0, NAME).size == 4);
  OK(__wasi_path_unlink_file(ROOT, NAME));
  /* Not UTF-8: a lone continuation byte, a cut sequence, a surrogate, an overlong slash. */
  IS(ILSEQ, raw_mkdir(ROOT, "a\x80", 2));
  IS(ILSEQ, raw_mkdir(ROOT, "a\xe4\xbd", 3));
  IS(ILSEQ, raw_mkdir(ROOT, "\xed\xa0\x80", 3));
  IS(ILSEQ, raw_mkdir(ROOT, "..\xc0\xaf..", 6));
}

static void long_names(void) {
  char name[300];
  memset(name, 'n', sizeof name);
  name[255] = '\0';
  make_file(ROOT, name, "");
  OK(__wasi_path_unlink_file(ROOT, name));
  name[255] = 'n';
  name[256] = '\0';
  IS(NAMETOOLONG, try_open(ROOT, 0, name, CREAT));
  IS(NAMETOOLONG, __wasi_path_create_directory(ROOT, name));
}

int main(void) {
  OK(__wasi_path_create_directory(ROOT, "dir"));
  OK(__wasi_path_create_directory(ROOT, "dir/nested"));
  make_file(ROOT, "dir/nested/file", "");
  dots_and_slashes();
  outside();
  bytes();
  long_names();
  OK(__wasi_path_unlink_file(ROOT, "dir/nested/file"));
  OK(__wasi_path_remove_directory(ROOT, "dir/nested"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  return done();
}
