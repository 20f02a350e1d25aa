/*
 * sockets: the socket calls on what is no socket.
 * sockets listen: a listening socket is the first descriptor that is given, as other runtimes have it. Says
 * "listening", accepts one connection, receives the line "hello\n" in the ways there are (looking first, in pieces,
 * all of it), answers "answer\n", ends its side, reads to the end of the other, and accepts nothing more.
 */
#include "check.h"

#define LISTENER 3

static int receive(int fd, void *data, size_t length, int flags, size_t *n) {
  __wasi_iovec_t part = {data, length};
  __wasi_roflags_t roflags;
  return __wasi_sock_recv(fd, &part, 1, (__wasi_riflags_t)flags, n, &roflags);
}

static int give(int fd, const char *text, size_t *n) {
  __wasi_ciovec_t part = {(const uint8_t *)text, strlen(text)};
  return __wasi_sock_send(fd, &part, 1, 0, n);
}

static void no_socket(int fd) {
  char buffer[8];
  size_t n;
  int other;
  IS(NOTSOCK, __wasi_sock_accept(fd, 0, &other));
  IS(NOTSOCK, receive(fd, buffer, sizeof buffer, 0, &n));
  IS(NOTSOCK, give(fd, "x", &n));
  IS(NOTSOCK, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_WR));
}

static void no_number(int fd) {
  char buffer[8];
  size_t n;
  int other;
  IS(BADF, __wasi_sock_accept(fd, 0, &other));
  IS(BADF, receive(fd, buffer, sizeof buffer, 0, &n));
  IS(BADF, give(fd, "x", &n));
  IS(BADF, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD));
}

static void wait_for(int fd) {
  __wasi_subscription_t s = {.userdata = 1};
  s.u.tag = __WASI_EVENTTYPE_FD_READ;
  s.u.u.fd_read.file_descriptor = fd;
  __wasi_event_t event;
  size_t n = 0;
  OK(__wasi_poll_oneoff(&s, &event, 1, &n));
  THAT(n == 1 && event.error == 0 && event.type == __WASI_EVENTTYPE_FD_READ);
}

static void serve(void) {
  __wasi_fdstat_t stat;
  char buffer[32];
  size_t n = 0;
  int fd = -1;
  OK(__wasi_fd_fdstat_get(LISTENER, &stat));
  THAT(stat.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM && (stat.fs_rights_base & R(SOCK_ACCEPT)) != 0);
  EITHER(NOTCONN, NOTCAPABLE, receive(LISTENER, buffer, sizeof buffer, 0, &n));
  puts("listening");
  fflush(stdout);
  wait_for(LISTENER);
  OK(__wasi_sock_accept(LISTENER, 0, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  THAT(stat.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM);
  wait_for(fd);
  OK(receive(fd, buffer, 2, __WASI_RIFLAGS_RECV_PEEK, &n));
  THAT(n == 2 && memcmp(buffer, "he", 2) == 0);
  OK(receive(fd, buffer, 3, 0, &n));
  THAT(n == 3 && memcmp(buffer, "hel", 3) == 0);
  OK(receive(fd, buffer, 3, __WASI_RIFLAGS_RECV_WAITALL, &n));
  THAT(n == 3 && memcmp(buffer, "lo\n", 3) == 0);
  OK(give(fd, "answer\n", &n));
  THAT(n == 7);
  OK(__wasi_sock_shutdown(fd, __WASI_SDFLAGS_WR));
  IS(PIPE, give(fd, "more\n", &n));
  while (true) {
    OK(receive(fd, buffer, sizeof buffer, 0, &n));
    if (n == 0) break;
  }
  IS(INVAL, __wasi_sock_shutdown(fd, 0));
  OK(__wasi_fd_close(fd));
  OK(__wasi_fd_fdstat_set_flags(LISTENER, __WASI_FDFLAGS_NONBLOCK));
  IS(AGAIN, __wasi_sock_accept(LISTENER, 0, &fd));
}

int main(int argc, char **argv) {
  no_socket(1);
  if (argc > 1 && strcmp(argv[1], "listen") == 0) {
    serve();
    return done();
  }
  no_socket(ROOT);
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  no_socket(fd);
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
  no_number(99);
  no_number(-1);
  return done();
}
