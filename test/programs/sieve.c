/* sieve [LIMIT [ROUNDS]]: the primes below LIMIT by the sieve of Eratosthenes, one bit a number. */
#include <string.h>
#include "checksum.h"

int main(int argc, char **argv) {
  long limit = size_argument(argc, argv, 1, 20000), rounds = size_argument(argc, argv, 2, 1);
  size_t bytes = (size_t)limit / 8 + 1;
  unsigned char *composite = malloc(bytes);
  long count = 0, last = 0;
  for (long round = 0; round < rounds; round++) {
    memset(composite, 0, bytes);
    count = 0;
    for (long i = 2; i < limit; i++) {
      if (composite[i >> 3] >> (i & 7) & 1) continue;
      count++;
      last = i;
      if (i > limit / i) continue;
      for (long j = i * i; j < limit; j += i) composite[j >> 3] |= (unsigned char)(1 << (j & 7));
    }
  }
  printf("%ld primes below %ld, the last is %ld\n", count, limit, last);
  checksum_print("sieve", checksum_add(CHECKSUM_START, composite, bytes));
  return 0;
}
