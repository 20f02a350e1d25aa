/* lu [SIZE [ROUNDS]]: LU decomposition of a matrix of doubles in place, as in PolyBench, and a determinant. */
#include "checksum.h"

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 16), rounds = size_argument(argc, argv, 2, 1);
  double *a = malloc((size_t)(n * n) * sizeof *a), determinant = 1;
  uint64_t state = 21;
  for (long round = 0; round < rounds; round++) {
    /* Large on the diagonal, so that it needs no exchange of rows. */
    for (long i = 0; i < n * n; i++) a[i] = (double)(random_next(&state) >> 11) / 9007199254740992.0 / (double)n;
    for (long i = 0; i < n; i++) a[i * n + i] += 1;
    for (long i = 0; i < n; i++) {
      for (long j = 0; j < i; j++) {
        for (long k = 0; k < j; k++) a[i * n + j] -= a[i * n + k] * a[k * n + j];
        a[i * n + j] /= a[j * n + j];
      }
      for (long j = i; j < n; j++) {
        for (long k = 0; k < i; k++) a[i * n + j] -= a[i * n + k] * a[k * n + j];
      }
    }
    for (long i = 0; i < n; i++) determinant *= a[i * n + i];
  }
  uint64_t sum = checksum_add(CHECKSUM_START, a, (size_t)(n * n) * sizeof *a);
  checksum_print("lu", checksum_add(sum, &determinant, sizeof determinant));
  return 0;
}
