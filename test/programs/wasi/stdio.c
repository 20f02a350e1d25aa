/*
 * stdio KIND KIND KIND: stdin, stdout and stderr are what the arguments say (pipe, file, terminal, null): filetype,
 * rights, seeking, polling, and all that a file can do; a file for input ends with an exclamation mark. Then they are moved about by fd_renumber.
 */
#include "check.h"
#include <unistd.h>

static __wasi_filesize_t tell(int fd) {
  __wasi_filesize_t at;
  OK(__wasi_fd_tell(fd, &at));
  return at;
}

/* All that another file can do, without moving the position; an output is left empty. */
static void acts_as_file(int fd) {
  __wasi_filesize_t at = tell(fd);
  char byte;
  __wasi_iovec_t in = {(uint8_t *)&byte, 1};
  __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
  size_t n;
  OK(__wasi_fd_sync(fd));
  OK(__wasi_fd_datasync(fd));
  OK(__wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_SEQUENTIAL));
  IS(INVAL, __wasi_fd_advise(fd, 0, 0, 9));
  if (fd == 0) {
    __wasi_filesize_t size = stat_of(fd).size;
    OK(__wasi_fd_pread(fd, &in, 1, size - 1, &n));
    THAT(n == 1 && byte == '!');
    OK(__wasi_fd_pread(fd, &in, 1, size, &n));
    THAT(n == 0);
    IS(BADF, __wasi_fd_pwrite(fd, &out, 1, 0, &n));
    IS(INVAL, __wasi_fd_filestat_set_size(fd, 0));
  } else {
    OK(__wasi_fd_filestat_set_size(fd, 0));
    OK(__wasi_fd_pwrite(fd, &out, 1, 2, &n));
    THAT(n == 1 && stat_of(fd).size == 3);
    IS(BADF, __wasi_fd_pread(fd, &in, 1, 0, &n));
    OK(__wasi_fd_allocate(fd, 0, 100));
    THAT(stat_of(fd).size == 100);
    IS(INVAL, __wasi_fd_allocate(fd, 0, 0));
    OK(__wasi_fd_filestat_set_times(fd, 1, 2000000003, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
    THAT(stat_of(fd).atim == 1 && stat_of(fd).mtim == 2000000003);
    OK(__wasi_fd_filestat_set_size(fd, 0));
    THAT(stat_of(fd).size == 0);
  }
  THAT(tell(fd) == at);
}

static void kind_is(int fd, const char *kind) {
  __wasi_fdstat_t stat;
  __wasi_filesize_t at;
  OK(__wasi_fd_fdstat_get(fd, &stat));
  bool can_seek = (stat.fs_rights_base & (R(FD_SEEK) | R(FD_TELL))) != 0;
  THAT((stat.fs_rights_base & (fd == 0 ? R(FD_READ) : R(FD_WRITE))) != 0);
  THAT((stat.fs_rights_base & R(POLL_FD_READWRITE)) != 0);
  if (strcmp(kind, "file") == 0) {
    THAT(stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE);
    OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &at));
    acts_as_file(fd);
  } else if (strcmp(kind, "terminal") == 0) {
    /* This pair is what isatty asks for. */
    THAT(stat.fs_filetype == __WASI_FILETYPE_CHARACTER_DEVICE && !can_seek);
    int error = __wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &at);
    THAT(error == E(SPIPE) || error == E(NOTCAPABLE));
  } else if (strcmp(kind, "null") == 0) {
    THAT(stat.fs_filetype == __WASI_FILETYPE_CHARACTER_DEVICE);
  } else {
    THAT(strcmp(kind, "pipe") == 0);
    /* Preview 1 has no name for a pipe. */
    THAT(stat.fs_filetype == __WASI_FILETYPE_UNKNOWN || stat.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM);
    int error = __wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &at);
    THAT(error == E(SPIPE) || error == E(NOTCAPABLE));
    error = __wasi_fd_tell(fd, &at);
    THAT(error == E(SPIPE) || error == E(NOTCAPABLE));
  }
  THAT(isatty(fd) == (strcmp(kind, "terminal") == 0));
  THAT(stat_of(fd).filetype == stat.fs_filetype);
  if (strcmp(kind, "file") != 0) THAT(stat_of(fd).size == 0);
  __wasi_prestat_t prestat;
  EITHER(BADF, INVAL, __wasi_fd_prestat_get(fd, &prestat));
  EITHER(NOTDIR, NOTCAPABLE, try_open(fd, 0, "x", 0));
}

/* Something to read, the end of it, or a moment gone by: a wait for the first of them ends. */
static void readable_or_late(void) {
  __wasi_subscription_t in[2] = {{.userdata = 6}, {.userdata = 7}};
  in[0].u.tag = __WASI_EVENTTYPE_FD_READ;
  in[0].u.u.fd_read.file_descriptor = 0;
  in[1].u.tag = __WASI_EVENTTYPE_CLOCK;
  in[1].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
  in[1].u.u.clock.timeout = 20000000;
  __wasi_event_t out[2];
  size_t n = 0;
  OK(__wasi_poll_oneoff(in, out, 2, &n));
  THAT(n == 1 || n == 2);
  for (size_t i = 0; i < n; i++) {
    THAT(out[i].error == 0);
    THAT(out[i].userdata == (out[i].type == __WASI_EVENTTYPE_FD_READ ? 6 : 7));
  }
}

static void writable(int fd) {
  __wasi_subscription_t s = {.userdata = 5};
  s.u.tag = __WASI_EVENTTYPE_FD_WRITE;
  s.u.u.fd_write.file_descriptor = fd;
  __wasi_event_t event;
  size_t n = 0;
  OK(__wasi_poll_oneoff(&s, &event, 1, &n));
  THAT(n == 1 && event.error == 0 && event.userdata == 5 && event.type == __WASI_EVENTTYPE_FD_WRITE);
}

int main(int argc, char **argv) {
  THAT(argc == 4);
  for (int fd = 0; fd < 3; fd++) kind_is(fd, argv[fd + 1]);
  readable_or_late();
  writable(1);
  writable(2);
  /* Each in turn to another number and back. */
  for (int fd = 0; fd < 3; fd++) {
    int other = -1;
    __wasi_fdstat_t before, after;
    OK(__wasi_fd_fdstat_get(fd, &before));
    OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &other));
    OK(__wasi_fd_renumber(fd, other));
    IS(BADF, __wasi_fd_fdstat_get(fd, &after));
    OK(__wasi_fd_fdstat_get(other, &after));
    THAT(before.fs_filetype == after.fs_filetype && before.fs_rights_base == after.fs_rights_base);
    int hole = -1;
    OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &hole));
    if (hole != fd) {
      /* The number was not given out again; it cannot be had back then. */
      fprintf(stderr, "stdio.c: descriptor %d did not come back, but %d\n", fd, hole);
      exit(1);
    }
    OK(__wasi_fd_renumber(other, fd));
    OK(__wasi_fd_fdstat_get(fd, &after));
    THAT(before.fs_filetype == after.fs_filetype);
  }
  OK(__wasi_path_unlink_file(ROOT, "file"));
  return done();
}
