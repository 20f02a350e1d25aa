/*
 * For the conformance programs of this directory: each exercises one area of WASI preview 1 by raw calls and stops at
 * the first wrong answer, naming the line. The directory under test is descriptor 3, given as "." and empty.
 *
 * Where the specification leaves the errno open, the answers of POSIX and of the published conformance tests
 * (WebAssembly/wasi-testsuite, wasmtime's test programs) are accepted: EITHER.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define ROOT 3
#define E(name) __WASI_ERRNO_##name

static inline void expect_errno(const char *file, int line, const char *call, int got, int wanted, int other) {
  if (got == wanted || got == other) return;
  fprintf(stderr, "%s:%d: %s gives errno %d, not %d\n", file, line, call, got, wanted);
  exit(1);
}

static inline void expect_true(const char *file, int line, const char *condition, bool holds) {
  if (holds) return;
  fprintf(stderr, "%s:%d: it does not hold that %s\n", file, line, condition);
  exit(1);
}

#define IS(errno_name, call) expect_errno(__FILE__, __LINE__, #call, call, E(errno_name), E(errno_name))
#define EITHER(one, other, call) expect_errno(__FILE__, __LINE__, #call, call, E(one), E(other))
#define OK(call) IS(SUCCESS, call)
#define THAT(condition) expect_true(__FILE__, __LINE__, #condition, condition)

#define R(name) __WASI_RIGHTS_##name
#define READ_ONLY \
  (R(FD_READ) | R(FD_SEEK) | R(FD_TELL) | R(FD_ADVISE) | R(FD_FILESTAT_GET) | R(POLL_FD_READWRITE) | \
   R(FD_FDSTAT_SET_FLAGS))
#define WRITE_ONLY \
  (R(FD_WRITE) | R(FD_SEEK) | R(FD_TELL) | R(FD_ADVISE) | R(FD_FILESTAT_GET) | R(POLL_FD_READWRITE) | \
   R(FD_FDSTAT_SET_FLAGS) | R(FD_ALLOCATE) | R(FD_DATASYNC) | R(FD_SYNC) | R(FD_FILESTAT_SET_SIZE) | \
   R(FD_FILESTAT_SET_TIMES))
#define READ_WRITE (READ_ONLY | WRITE_ONLY)
#define DIRECTORY_RIGHTS \
  (R(PATH_CREATE_DIRECTORY) | R(PATH_CREATE_FILE) | R(PATH_LINK_SOURCE) | R(PATH_LINK_TARGET) | R(PATH_OPEN) | \
   R(FD_READDIR) | R(PATH_READLINK) | R(PATH_RENAME_SOURCE) | R(PATH_RENAME_TARGET) | R(PATH_FILESTAT_GET) | \
   R(PATH_FILESTAT_SET_TIMES) | R(PATH_SYMLINK) | R(PATH_REMOVE_DIRECTORY) | R(PATH_UNLINK_FILE) | \
   R(FD_FILESTAT_GET) | R(FD_FILESTAT_SET_TIMES))

#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW
#define CREAT __WASI_OFLAGS_CREAT
#define DIRECTORY __WASI_OFLAGS_DIRECTORY
#define EXCL __WASI_OFLAGS_EXCL
#define TRUNC __WASI_OFLAGS_TRUNC

/* path_open without inheriting rights and descriptor flags. */
static inline int open_at(int dir, int lookup, const char *path, int oflags, __wasi_rights_t rights, int *fd) {
  return __wasi_path_open(dir, (__wasi_lookupflags_t)lookup, path, (__wasi_oflags_t)oflags, rights, 0, 0, fd);
}

/* Opening is expected to fail; a descriptor that comes out all the same is not needed. */
static inline int try_open(int dir, int lookup, const char *path, int oflags) {
  int fd;
  return open_at(dir, lookup, path, oflags, 0, &fd);
}

static inline int open_directory(int dir, const char *path) {
  int fd = -1;
  OK(__wasi_path_open(dir, 0, path, DIRECTORY, DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | READ_WRITE, 0, &fd));
  return fd;
}

static inline size_t write_to(int fd, const void *data, size_t length) {
  __wasi_ciovec_t part = {data, length};
  size_t n = 0;
  OK(__wasi_fd_write(fd, &part, 1, &n));
  return n;
}

static inline size_t read_from(int fd, void *data, size_t length) {
  __wasi_iovec_t part = {data, length};
  size_t n = 0;
  OK(__wasi_fd_read(fd, &part, 1, &n));
  return n;
}

/* A new file with that text in it, closed. */
static inline void make_file(int dir, const char *path, const char *text) {
  int fd = -1;
  OK(open_at(dir, 0, path, CREAT | EXCL, READ_WRITE, &fd));
  if (*text != '\0') THAT(write_to(fd, text, strlen(text)) == strlen(text));
  OK(__wasi_fd_close(fd));
}

static inline __wasi_filestat_t stat_at(int dir, int lookup, const char *path) {
  __wasi_filestat_t stat;
  OK(__wasi_path_filestat_get(dir, (__wasi_lookupflags_t)lookup, path, &stat));
  return stat;
}

static inline __wasi_filestat_t stat_of(int fd) {
  __wasi_filestat_t stat;
  OK(__wasi_fd_filestat_get(fd, &stat));
  return stat;
}

static inline bool exists(int dir, const char *path) {
  __wasi_filestat_t stat;
  return __wasi_path_filestat_get(dir, 0, path, &stat) == 0;
}

static inline int done(void) {
  puts("ok");
  return 0;
}
