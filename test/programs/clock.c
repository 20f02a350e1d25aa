/* clock: for each line of stdin the wall clock's seconds, after a sleep by the monotonic clock. */
#include <stdio.h>
#include <time.h>

int main(void) {
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    struct timespec pause = {0, 1000000};
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL) != 0) return 1;
    printf("%lld\n", (long long)time(NULL));
    fflush(stdout);
  }
  return 0;
}
