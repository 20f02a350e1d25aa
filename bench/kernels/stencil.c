/* stencil [SIZE [STEPS]]: heat on a square plate, five points a cell, in floats. */
#include <string.h>
#include "checksum.h"

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 32), steps = size_argument(argc, argv, 2, 4);
  size_t bytes = (size_t)(n * n) * sizeof(float);
  float *now = malloc(bytes), *next = malloc(bytes);
  uint64_t state = 9;
  for (long i = 0; i < n * n; i++) now[i] = (float)(random_next(&state) >> 40) / 16777216.0f;
  memcpy(next, now, bytes);
  for (long step = 0; step < steps; step++) {
    for (long y = 1; y < n - 1; y++) {
      for (long x = 1; x < n - 1; x++) {
        const float *cell = &now[y * n + x];
        next[y * n + x] = cell[0] * 0.5f + (cell[-1] + cell[1] + cell[-n] + cell[n]) * 0.125f;
      }
    }
    float *t = now;
    now = next;
    next = t;
  }
  checksum_print("stencil", checksum_add(CHECKSUM_START, now, bytes));
  return 0;
}
