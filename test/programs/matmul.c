/* matmul [SIZE [ROUNDS]]: multiplies square matrices of doubles, over and over. */
#include <string.h>
#include "checksum.h"

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 24), rounds = size_argument(argc, argv, 2, 3);
  size_t bytes = (size_t)(n * n) * sizeof(double);
  double *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
  uint64_t state = 42;
  for (long i = 0; i < n * n; i++) {
    a[i] = (double)(random_next(&state) >> 11) / 9007199254740992.0;
    b[i] = (double)(random_next(&state) >> 11) / 9007199254740992.0 / (double)n * 2.0;
  }
  for (long round = 0; round < rounds; round++) {
    memset(c, 0, bytes);
    for (long i = 0; i < n; i++) {
      for (long k = 0; k < n; k++) {
        double factor = a[i * n + k];
        for (long j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
      }
    }
    double *t = a;
    a = c;
    c = t;
  }
  double trace = 0;
  for (long i = 0; i < n; i++) trace += a[i * n + i];
  printf("trace %.17g\n", trace);
  checksum_print("matmul", checksum_add(CHECKSUM_START, a, bytes));
  return 0;
}
