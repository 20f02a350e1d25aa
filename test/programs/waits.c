/*
 * waits [MILLISECONDS]: reads lines from stdin; after each it sleeps, then answers with a counter and the sum so far.
 * While no line is there it wakes up by a timer, so it is always blocked in one of: poll_oneoff on stdin with a
 * timeout, poll_oneoff on a clock, or read.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "checksum.h"

int main(int argc, char **argv) {
  long pause = size_argument(argc, argv, 1, 5);
  uint64_t sum = CHECKSUM_START;
  long lines = 0;
  char line[200];
  size_t length = 0;
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd want = {.fd = STDIN_FILENO, .events = POLLRDNORM};
    int ready = poll(&want, 1, 50);
    if (ready < 0) {
      perror("waits: poll");
      return 1;
    }
    if (ready == 0) continue;
    /* One byte at a time: the program then is in a read at any point of a line. */
    ssize_t n = read(STDIN_FILENO, &line[length], 1);
    if (n < 0) {
      perror("waits: read");
      return 1;
    }
    if (n == 1 && line[length] != '\n' && length + 2 < sizeof line) {
      length++;
      continue;
    }
    if (n == 0 && length == 0) break;
    line[length] = '\0';
    struct timespec sleep = {pause / 1000, pause % 1000 * 1000000};
    if (nanosleep(&sleep, NULL) != 0) {
      perror("waits: nanosleep");
      return 1;
    }
    sum = checksum_add(sum, line, length);
    printf("%ld: %s (%016" PRIx64 ")\n", ++lines, line, sum);
    fflush(stdout);
    length = 0;
    if (n == 0) break;
  }
  printf("%ld lines\n", lines);
  checksum_print("waits", sum);
  return 0;
}
