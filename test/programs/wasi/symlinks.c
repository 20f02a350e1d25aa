/* Symbolic links: dangling, looping, followed and not, through directories, and out of the given directory. */
#include "check.h"

static void dangling(void) {
  OK(__wasi_path_symlink("nowhere", ROOT, "dangling"));
  IS(LOOP, try_open(ROOT, 0, "dangling", 0));
  EITHER(NOTDIR, LOOP, try_open(ROOT, 0, "dangling", DIRECTORY));
  IS(NOENT, try_open(ROOT, FOLLOW, "dangling", 0));
  IS(EXIST, try_open(ROOT, FOLLOW, "dangling", CREAT | EXCL));
  __wasi_filestat_t stat = stat_at(ROOT, 0, "dangling");
  THAT(stat.filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
  THAT(stat.size == strlen("nowhere"));
  IS(NOENT, __wasi_path_filestat_get(ROOT, FOLLOW, "dangling", &stat));
  IS(EXIST, __wasi_path_symlink("other", ROOT, "dangling"));
  IS(EXIST, __wasi_path_create_directory(ROOT, "dangling"));
  /* Following a dangling link with CREAT makes its target. */
  int fd = -1;
  OK(open_at(ROOT, FOLLOW, "dangling", CREAT, READ_WRITE, &fd));
  OK(__wasi_fd_close(fd));
  THAT(exists(ROOT, "nowhere"));
  OK(__wasi_path_unlink_file(ROOT, "nowhere"));
  OK(__wasi_path_unlink_file(ROOT, "dangling"));
}

static void loops(void) {
  OK(__wasi_path_symlink("self", ROOT, "self"));
  OK(__wasi_path_symlink("b", ROOT, "a"));
  OK(__wasi_path_symlink("a", ROOT, "b"));
  IS(LOOP, try_open(ROOT, 0, "self", 0));
  IS(LOOP, try_open(ROOT, FOLLOW, "self", 0));
  IS(LOOP, try_open(ROOT, FOLLOW, "a", 0));
  IS(LOOP, try_open(ROOT, 0, "a/file", 0));
  /* A slash says that a directory is meant, and none is created by opening it, wherever the links lead. */
  OK(__wasi_path_symlink("round/", ROOT, "round"));
  IS(LOOP, try_open(ROOT, FOLLOW, "round", 0));
  EITHER(ISDIR, LOOP, try_open(ROOT, FOLLOW, "round", CREAT));
  OK(__wasi_path_unlink_file(ROOT, "round"));
  __wasi_filestat_t stat;
  IS(LOOP, __wasi_path_filestat_get(ROOT, FOLLOW, "b", &stat));
  OK(__wasi_path_filestat_get(ROOT, 0, "b", &stat));
  OK(__wasi_path_unlink_file(ROOT, "self"));
  OK(__wasi_path_unlink_file(ROOT, "a"));
  OK(__wasi_path_unlink_file(ROOT, "b"));
}

static void following(void) {
  OK(__wasi_path_create_directory(ROOT, "dir"));
  OK(__wasi_path_create_directory(ROOT, "dir/sub"));
  make_file(ROOT, "dir/sub/file", "text");
  OK(__wasi_path_symlink("dir", ROOT, "link"));
  OK(__wasi_path_symlink("sub/../sub/file", ROOT, "dir/deep"));
  OK(__wasi_path_symlink("../link/deep", ROOT, "dir/back"));
  THAT(stat_at(ROOT, FOLLOW, "link").filetype == __WASI_FILETYPE_DIRECTORY);
  THAT(stat_at(ROOT, 0, "link").filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
  /* A slash behind a link means what the link points to. */
  THAT(stat_at(ROOT, 0, "link/").filetype == __WASI_FILETYPE_DIRECTORY);
  EITHER(LOOP, NOTDIR, try_open(ROOT, 0, "link", DIRECTORY));
  IS(LOOP, try_open(ROOT, 0, "link", 0));
  int fd = -1;
  OK(open_at(ROOT, FOLLOW, "link", DIRECTORY, DIRECTORY_RIGHTS, &fd));
  OK(__wasi_fd_close(fd));
  THAT(stat_at(ROOT, FOLLOW, "dir/back").size == 4);
  THAT(stat_at(ROOT, FOLLOW, "link/back").ino == stat_at(ROOT, 0, "dir/sub/file").ino);
  OK(open_at(ROOT, FOLLOW, "link/back", 0, READ_ONLY, &fd));
  char text[8];
  THAT(read_from(fd, text, sizeof text) == 4 && memcmp(text, "text", 4) == 0);
  OK(__wasi_fd_close(fd));
  IS(NOTDIR, try_open(ROOT, FOLLOW, "link/back", DIRECTORY));
  EITHER(LOOP, NOTDIR, try_open(ROOT, 0, "link/back", DIRECTORY));
  IS(LOOP, try_open(ROOT, 0, "link/back", 0));
  THAT(stat_at(ROOT, 0, "link/back").filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
  THAT(stat_at(ROOT, FOLLOW, "link/back").filetype == __WASI_FILETYPE_REGULAR_FILE);
  /* To follow says nothing about what is no link. */
  THAT(stat_at(ROOT, FOLLOW, "dir").filetype == __WASI_FILETYPE_DIRECTORY);
  THAT(stat_at(ROOT, FOLLOW, "dir/sub/file").filetype == __WASI_FILETYPE_REGULAR_FILE);
  IS(NOTDIR, __wasi_path_remove_directory(ROOT, "link"));
  OK(__wasi_path_unlink_file(ROOT, "link"));
  THAT(exists(ROOT, "dir"));
  OK(__wasi_path_unlink_file(ROOT, "dir/back"));
  OK(__wasi_path_unlink_file(ROOT, "dir/deep"));
  OK(__wasi_path_unlink_file(ROOT, "dir/sub/file"));
  OK(__wasi_path_remove_directory(ROOT, "dir/sub"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

static void outside(void) {
  OK(__wasi_path_create_directory(ROOT, "dir"));
  OK(__wasi_path_symlink("..", ROOT, "up"));
  OK(__wasi_path_symlink("../..", ROOT, "dir/upper"));
  OK(__wasi_path_symlink("../../etc/passwd", ROOT, "dir/passwd"));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, FOLLOW, "up", DIRECTORY));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "up/file", 0));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, 0, "dir/upper/etc/passwd", 0));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, FOLLOW, "dir/passwd", 0));
  EITHER(PERM, NOTCAPABLE, try_open(ROOT, FOLLOW, "dir/passwd", CREAT));
  EITHER(PERM, NOTCAPABLE, __wasi_path_create_directory(ROOT, "up/new"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_unlink_file(ROOT, "dir/upper/file"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_rename(ROOT, "dir", ROOT, "up/dir"));
  __wasi_filestat_t stat;
  EITHER(PERM, NOTCAPABLE, __wasi_path_filestat_get(ROOT, FOLLOW, "up", &stat));
  /* The same link is inside for one who stands higher. */
  OK(__wasi_path_symlink("../dir", ROOT, "dir/self"));
  THAT(stat_at(ROOT, FOLLOW, "dir/self").filetype == __WASI_FILETYPE_DIRECTORY);
  int dir = open_directory(ROOT, "dir");
  EITHER(PERM, NOTCAPABLE, try_open(dir, FOLLOW, "self", DIRECTORY));
  OK(__wasi_fd_close(dir));
  /* Absolute targets lead outside by themselves: not to be made. */
  EITHER(PERM, NOTCAPABLE, __wasi_path_symlink("/etc", ROOT, "absolute"));
  EITHER(PERM, NOTCAPABLE, __wasi_path_symlink("/", ROOT, "absolute"));
  THAT(!exists(ROOT, "absolute"));
  OK(__wasi_path_unlink_file(ROOT, "up"));
  OK(__wasi_path_unlink_file(ROOT, "dir/upper"));
  OK(__wasi_path_unlink_file(ROOT, "dir/passwd"));
  OK(__wasi_path_unlink_file(ROOT, "dir/self"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
}

static void names(void) {
  IS(NOENT, __wasi_path_symlink("target", ROOT, "link/"));
  IS(NOENT, __wasi_path_symlink("target", ROOT, ""));
  IS(NOENT, __wasi_path_symlink("target", ROOT, "missing/link"));
  OK(__wasi_path_create_directory(ROOT, "dir"));
  IS(EXIST, __wasi_path_symlink("target", ROOT, "dir"));
  IS(EXIST, __wasi_path_symlink("target", ROOT, "dir/"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  make_file(ROOT, "file", "");
  IS(EXIST, __wasi_path_symlink("target", ROOT, "file"));
  /* POSIX asks for the first, Linux gives the second. */
  EITHER(NOTDIR, EXIST, __wasi_path_symlink("target", ROOT, "file/"));
  IS(NOTDIR, __wasi_path_symlink("target", ROOT, "file/link"));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void reading(void) {
  /* With a letter of two bytes, so that cutting it is noticed. */
  static const char TARGET[] = "t\xc3\xa4rget";
  uint8_t text[16];
  size_t n = 0;
  OK(__wasi_path_symlink(TARGET, ROOT, "link"));
  memset(text, 'x', sizeof text);
  OK(__wasi_path_readlink(ROOT, "link", text, sizeof text, &n));
  THAT(n == 7 && memcmp(text, TARGET, 7) == 0 && text[7] == 'x');
  for (size_t room = 0; room <= 7; room++) {
    memset(text, 'x', sizeof text);
    OK(__wasi_path_readlink(ROOT, "link", text, room, &n));
    THAT(n == room && memcmp(text, TARGET, room) == 0 && text[room] == 'x');
  }
  IS(NOENT, __wasi_path_readlink(ROOT, "missing", text, sizeof text, &n));
  make_file(ROOT, "file", "");
  IS(INVAL, __wasi_path_readlink(ROOT, "file", text, sizeof text, &n));
  IS(INVAL, __wasi_path_readlink(ROOT, ".", text, sizeof text, &n));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  OK(__wasi_path_unlink_file(ROOT, "link"));
}

int main(void) {
  dangling();
  loops();
  following();
  outside();
  names();
  reading();
  return done();
}
