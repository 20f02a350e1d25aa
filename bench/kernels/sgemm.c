/* sgemm [SIZE [ROUNDS]]: C = C + A * B with matrices of floats, in blocks of 32 by 32. */
#include <string.h>
#include "checksum.h"

#define BLOCK 32

static void multiply(long n, const float *restrict a, const float *restrict b, float *restrict c) {
  for (long i0 = 0; i0 < n; i0 += BLOCK) {
    for (long k0 = 0; k0 < n; k0 += BLOCK) {
      for (long i = i0; i < i0 + BLOCK && i < n; i++) {
        for (long k = k0; k < k0 + BLOCK && k < n; k++) {
          float factor = a[i * n + k];
          for (long j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
        }
      }
    }
  }
}

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 16), rounds = size_argument(argc, argv, 2, 2);
  size_t bytes = (size_t)(n * n) * sizeof(float);
  float *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
  uint64_t state = 5;
  memset(c, 0, bytes);
  for (long i = 0; i < n * n; i++) {
    a[i] = (float)(random_next(&state) >> 40) / 16777216.0f;
    b[i] = (float)(random_next(&state) >> 40) / 16777216.0f / (float)n;
  }
  for (long round = 0; round < rounds; round++) multiply(n, a, b, c);
  checksum_print("sgemm", checksum_add(CHECKSUM_START, c, bytes));
  return 0;
}
