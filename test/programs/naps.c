/* naps COUNT MILLISECONDS: sleeps so often for so long, and says how often its own clock had not gone on for that long. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int count = atoi(argv[1]);
  long long nanos = atoi(argv[2]) * 1000000LL;
  struct timespec nap = {nanos / 1000000000, nanos % 1000000000};
  int early = 0;
  for (int i = 0; i < count; i++) {
    long long before = now();
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) != 0) return 1;
    if (now() - before < nanos) early++;
  }
  printf("%d of %d naps were too short\n", early, count);
  return 0;
}
