/*
 * dirty SIZE_MB RATE: fills SIZE_MB megabytes with bytes that no one can compress, says "ready", and computes for ever,
 * rewriting RATE megabytes a second (0: none; it only reads), a page of 4 KiB at a time.
 */
#include <time.h>
#include "checksum.h"

#define PAGE 4096
#define BATCH 16

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  size_t bytes = (size_t)size_argument(argc, argv, 1, 1) << 20;
  double rate = (double)size_argument(argc, argv, 2, 0) * 1048576.0 / PAGE;
  uint64_t *memory = malloc(bytes), state = 1, sum = 0;
  if (memory == NULL) return 1;
  size_t words = bytes / sizeof *memory, pages = bytes / PAGE;
  for (size_t i = 0; i < words; i++) memory[i] = random_next(&state);
  puts("ready");
  fflush(stdout);
  double start = seconds(), written = 0;
  for (size_t page = 0;; page++) {
    uint64_t *at = memory + page % pages * (PAGE / sizeof *memory);
    if (written < rate * (seconds() - start)) {
      for (size_t batch = 0; batch < BATCH; batch++) {
        at = memory + (page + batch) % pages * (PAGE / sizeof *memory);
        for (size_t i = 0; i < PAGE / sizeof *memory; i++) at[i] = random_next(&state);
      }
      page += BATCH - 1;
      written += BATCH;
    } else {
      for (size_t i = 0; i < PAGE / sizeof *memory; i++) sum ^= at[i];
    }
    /* Never true, but the compiler cannot know and has to keep the sum. */
    if (written < 0) checksum_print("dirty", sum);
  }
}
