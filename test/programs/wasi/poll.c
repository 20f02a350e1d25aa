/* poll_oneoff: clocks, relative and absolute, files, several at once, and what is wrong about a subscription. */
#include "check.h"

#define MS 1000000ull

static __wasi_timestamp_t time_of(__wasi_clockid_t clock) {
  __wasi_timestamp_t time = 0;
  OK(__wasi_clock_time_get(clock, 1, &time));
  return time;
}

static __wasi_subscription_t clock_after(uint64_t userdata, __wasi_clockid_t id, uint64_t timeout, uint16_t flags) {
  __wasi_subscription_t s = {.userdata = userdata};
  s.u.tag = __WASI_EVENTTYPE_CLOCK;
  s.u.u.clock = (__wasi_subscription_clock_t){.id = id, .timeout = timeout, .precision = 0, .flags = flags};
  return s;
}

static __wasi_subscription_t ready(uint64_t userdata, uint8_t type, int fd) {
  __wasi_subscription_t s = {.userdata = userdata};
  s.u.tag = type;
  s.u.u.fd_read.file_descriptor = fd;
  return s;
}

static void sleeping(void) {
  static const __wasi_clockid_t CLOCKS[] = {__WASI_CLOCKID_MONOTONIC, __WASI_CLOCKID_REALTIME};
  for (int i = 0; i < 2; i++) {
    __wasi_event_t event;
    size_t n = 0;
    __wasi_timestamp_t before = time_of(__WASI_CLOCKID_MONOTONIC);
    __wasi_subscription_t s = clock_after(0x123456789abcull, CLOCKS[i], 5 * MS, 0);
    OK(__wasi_poll_oneoff(&s, &event, 1, &n));
    THAT(n == 1 && event.error == 0 && event.type == __WASI_EVENTTYPE_CLOCK && event.userdata == 0x123456789abcull);
    THAT(time_of(__WASI_CLOCKID_MONOTONIC) - before >= 5 * MS);
    /* A moment of that clock, to come and gone by. */
    uint64_t until = time_of(CLOCKS[i]) + 5 * MS;
    s = clock_after(2, CLOCKS[i], until, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
    OK(__wasi_poll_oneoff(&s, &event, 1, &n));
    THAT(n == 1 && event.error == 0 && event.userdata == 2);
    if (CLOCKS[i] == __WASI_CLOCKID_MONOTONIC) THAT(time_of(__WASI_CLOCKID_MONOTONIC) >= until);
    s = clock_after(3, CLOCKS[i], 1, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
    OK(__wasi_poll_oneoff(&s, &event, 1, &n));
    THAT(n == 1 && event.userdata == 3);
    s = clock_after(4, CLOCKS[i], 0, 0);
    OK(__wasi_poll_oneoff(&s, &event, 1, &n));
    THAT(n == 1 && event.userdata == 4);
  }
}

/* The first to come is told; the others are not waited for. */
static void first_of_several(void) {
  __wasi_subscription_t in[] = {
      clock_after(1, __WASI_CLOCKID_MONOTONIC, 3600 * 1000 * MS, 0),
      clock_after(2, __WASI_CLOCKID_MONOTONIC, 2 * MS, 0),
      clock_after(3, __WASI_CLOCKID_MONOTONIC, UINT64_MAX, 0),
  };
  __wasi_event_t out[3];
  size_t n = 0;
  OK(__wasi_poll_oneoff(in, out, 3, &n));
  THAT(n == 1 && out[0].userdata == 2 && out[0].error == 0);
}

/* Waits for no time, of which every one ends. */
static void lots(void) {
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  __wasi_subscription_t in[] = {
      clock_after(1, __WASI_CLOCKID_MONOTONIC, 0, 0),
      clock_after(2, __WASI_CLOCKID_REALTIME, 0, 0),
      ready(3, __WASI_EVENTTYPE_FD_READ, fd),
      ready(4, __WASI_EVENTTYPE_FD_WRITE, fd),
  };
  for (int i = 0; i < 300; i++) {
    __wasi_event_t out[4];
    size_t asked = (size_t)i % 4 + 1, n = 0;
    OK(__wasi_poll_oneoff(in, out, asked, &n));
    THAT(n > 0 && n <= asked && out[0].error == 0);
  }
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void files(void) {
  int fd = -1;
  OK(open_at(ROOT, 0, "file", CREAT, READ_WRITE, &fd));
  THAT(write_to(fd, "0123456789", 10) == 10);
  __wasi_filesize_t at;
  OK(__wasi_fd_seek(fd, 3, __WASI_WHENCE_SET, &at));
  __wasi_subscription_t in[] = {
      ready(1, __WASI_EVENTTYPE_FD_READ, fd),
      ready(2, __WASI_EVENTTYPE_FD_WRITE, fd),
      clock_after(3, __WASI_CLOCKID_MONOTONIC, 3600 * 1000 * MS, 0),
  };
  __wasi_event_t out[3];
  size_t n = 0;
  OK(__wasi_poll_oneoff(in, out, 3, &n));
  THAT(n == 2);
  for (size_t i = 0; i < n; i++) {
    THAT(out[i].error == 0 && (out[i].userdata == 1 || out[i].userdata == 2));
    THAT(out[i].type == (out[i].userdata == 1 ? __WASI_EVENTTYPE_FD_READ : __WASI_EVENTTYPE_FD_WRITE));
  }
  THAT(out[0].userdata != out[1].userdata);
  OK(__wasi_fd_close(fd));
  /* Reading is a right, waiting for it another one. */
  OK(open_at(ROOT, 0, "file", 0, R(FD_READ), &fd));
  in[0] = ready(1, __WASI_EVENTTYPE_FD_READ, fd);
  int error = __wasi_poll_oneoff(in, out, 1, &n);
  THAT(error == E(NOTCAPABLE) || (error == 0 && n == 1 && out[0].error == E(NOTCAPABLE)));
  OK(__wasi_fd_close(fd));
  OK(open_at(ROOT, 0, "file", 0, R(FD_READ) | R(POLL_FD_READWRITE), &fd));
  in[0] = ready(1, __WASI_EVENTTYPE_FD_READ, fd);
  OK(__wasi_poll_oneoff(in, out, 1, &n));
  THAT(n == 1 && out[0].error == 0 && out[0].type == __WASI_EVENTTYPE_FD_READ);
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(ROOT, "file"));
}

static void wrong(void) {
  __wasi_subscription_t in[2];
  __wasi_event_t out[2];
  size_t n = 0;
  IS(INVAL, __wasi_poll_oneoff(in, out, 0, &n));
  /* An unknown clock or a closed descriptor is told in the event, or refuses the call. */
  in[0] = ready(1, __WASI_EVENTTYPE_FD_READ, 99);
  int error = __wasi_poll_oneoff(in, out, 1, &n);
  THAT(error == E(BADF) || (error == 0 && n == 1 && out[0].error == E(BADF) && out[0].userdata == 1));
  in[0] = ready(1, __WASI_EVENTTYPE_FD_READ, -1);
  in[1] = ready(2, __WASI_EVENTTYPE_FD_WRITE, -1);
  error = __wasi_poll_oneoff(in, out, 2, &n);
  THAT(error == E(BADF) || (error == 0 && n == 2 && out[0].error == E(BADF) && out[1].error == E(BADF)));
  in[0] = clock_after(2, 77, 1, 0);
  error = __wasi_poll_oneoff(in, out, 1, &n);
  THAT(error == E(INVAL) || (error == 0 && n == 1 && out[0].error == E(INVAL) && out[0].userdata == 2));
  in[0] = ready(3, 9, 1);
  IS(INVAL, __wasi_poll_oneoff(in, out, 1, &n));
}

int main(void) {
  sleeping();
  first_of_several();
  lots();
  files();
  wrong();
  return done();
}
