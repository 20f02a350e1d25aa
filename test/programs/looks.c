/*
 * looks: tells what is on stdin now, without waiting: what poll says, then what a read brings, until there is nothing or
 * the end. As a program does that drains its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void look(void) {
  struct pollfd both[] = {{.fd = STDIN_FILENO, .events = POLLRDNORM}, {.fd = STDOUT_FILENO, .events = POLLWRNORM}};
  if (poll(both, 2, 0) < 0) perror("looks: poll");
  printf("in %d, out %d\n", (both[0].revents & POLLRDNORM) != 0, (both[1].revents & POLLWRNORM) != 0);
}

int main(void) {
  char bytes[5];
  ssize_t count;
  look();
  if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0) return 1;
  while ((count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) printf("%.*s\n", (int)count, bytes);
  puts(count == 0 ? "end" : errno == EAGAIN ? "nothing" : "error");
  look();
  return 0;
}
