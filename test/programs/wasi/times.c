/* Times of files, links and directories: set by path and by descriptor, to a value, to now, or left alone. */
#include "check.h"

#define ATIM __WASI_FSTFLAGS_ATIM
#define ATIM_NOW __WASI_FSTFLAGS_ATIM_NOW
#define MTIM __WASI_FSTFLAGS_MTIM
#define MTIM_NOW __WASI_FSTFLAGS_MTIM_NOW

#define SECOND 1000000000ull
/* 2001-09-09T01:46:40.123456789Z: times are kept to the nanosecond, as Linux does. */
#define OLD (1000000000ull * SECOND + 123456789ull)

static __wasi_timestamp_t now(void) {
  __wasi_timestamp_t time = 0;
  OK(__wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 1, &time));
  return time;
}

/* Within a minute: the clock of the file system may be another, and coarser. */
static bool is_now(__wasi_timestamp_t time) {
  __wasi_timestamp_t t = now();
  return time + 60 * SECOND > t && time < t + 60 * SECOND;
}

static void by_path(const char *path, __wasi_lookupflags_t lookup) {
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, OLD, OLD + SECOND, ATIM | MTIM));
  __wasi_filestat_t stat = stat_at(ROOT, (int)lookup, path);
  THAT(stat.atim == OLD && stat.mtim == OLD + SECOND && is_now(stat.ctim));
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, 0, OLD + 2 * SECOND, MTIM));
  stat = stat_at(ROOT, (int)lookup, path);
  THAT(stat.atim == OLD && stat.mtim == OLD + 2 * SECOND);
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, OLD + 3 * SECOND, 0, ATIM));
  stat = stat_at(ROOT, (int)lookup, path);
  THAT(stat.atim == OLD + 3 * SECOND && stat.mtim == OLD + 2 * SECOND);
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, 0, 0, MTIM_NOW));
  stat = stat_at(ROOT, (int)lookup, path);
  THAT(stat.atim == OLD + 3 * SECOND && is_now(stat.mtim));
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, 0, 0, ATIM_NOW));
  THAT(is_now(stat_at(ROOT, (int)lookup, path).atim));
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, OLD, OLD, ATIM | MTIM));
  OK(__wasi_path_filestat_set_times(ROOT, lookup, path, 0, 0, 0));
  THAT(stat_at(ROOT, (int)lookup, path).mtim == OLD);
  IS(INVAL, __wasi_path_filestat_set_times(ROOT, lookup, path, 0, 0, MTIM | MTIM_NOW));
  IS(INVAL, __wasi_path_filestat_set_times(ROOT, lookup, path, 0, 0, ATIM | ATIM_NOW));
  THAT(stat_at(ROOT, (int)lookup, path).mtim == OLD);
}

static void by_descriptor(void) {
  int fd = -1;
  OK(open_at(ROOT, 0, "file", 0, READ_WRITE, &fd));
  OK(__wasi_fd_filestat_set_times(fd, OLD, OLD + SECOND, ATIM | MTIM));
  THAT(stat_of(fd).atim == OLD && stat_of(fd).mtim == OLD + SECOND);
  OK(__wasi_fd_filestat_set_times(fd, OLD + 5 * SECOND, 0, ATIM));
  THAT(stat_of(fd).atim == OLD + 5 * SECOND && stat_of(fd).mtim == OLD + SECOND);
  OK(__wasi_fd_filestat_set_times(fd, 0, 0, MTIM_NOW));
  THAT(stat_of(fd).atim == OLD + 5 * SECOND && is_now(stat_of(fd).mtim));
  IS(INVAL, __wasi_fd_filestat_set_times(fd, 100, 200, MTIM | MTIM_NOW));
  IS(INVAL, __wasi_fd_filestat_set_times(fd, 100, 200, ATIM | ATIM_NOW));
  /* A little earlier than it was, and nothing else: not the size, and not the other time. */
  __wasi_filestat_t was = stat_of(fd);
  OK(__wasi_fd_filestat_set_times(fd, 0, was.mtim - 100, MTIM));
  THAT(stat_of(fd).mtim == was.mtim - 100 && stat_of(fd).atim == was.atim && stat_of(fd).size == was.size);
  /* Writing touches the time of modification. */
  OK(__wasi_fd_filestat_set_times(fd, OLD, OLD, ATIM | MTIM));
  THAT(write_to(fd, "x", 1) == 1);
  THAT(is_now(stat_of(fd).mtim));
  OK(__wasi_fd_close(fd));
}

int main(void) {
  make_file(ROOT, "file", "text");
  OK(__wasi_path_create_directory(ROOT, "dir"));
  by_path("file", 0);
  by_path("dir", 0);
  by_descriptor();
  OK(__wasi_path_symlink("file", ROOT, "link"));
  __wasi_timestamp_t before = stat_at(ROOT, 0, "file").mtim;
  by_path("link", 0);
  THAT(stat_at(ROOT, 0, "file").mtim == before);
  by_path("link", FOLLOW);
  THAT(stat_at(ROOT, 0, "file").mtim == OLD);
  IS(NOENT, __wasi_path_filestat_set_times(ROOT, 0, "missing", 0, 0, MTIM_NOW));
  OK(__wasi_path_symlink("nowhere", ROOT, "dangling"));
  IS(NOENT, __wasi_path_filestat_set_times(ROOT, FOLLOW, "dangling", 0, 0, MTIM_NOW));
  OK(__wasi_path_unlink_file(ROOT, "dangling"));
  OK(__wasi_path_unlink_file(ROOT, "link"));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  return done();
}
