/* i64 [ROUNDS]: 64-bit integers: modular powers, Miller-Rabin, greatest common divisors, bit counts, rotations. */
#include <stdbool.h>
#include "checksum.h"

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t m) { return (uint64_t)((unsigned __int128)a * b % m); }

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t m) {
  uint64_t result = 1;
  for (base %= m; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, base, m);
    base = multiply(base, base, m);
  }
  return result;
}

static bool witness(uint64_t base, uint64_t n) {
  uint64_t odd = n - 1;
  int twos = __builtin_ctzll(odd);
  uint64_t x = power(base, odd >> twos, n);
  if (x == 1 || x == n - 1) return false;
  for (int i = 1; i < twos; i++) {
    x = multiply(x, x, n);
    if (x == n - 1) return false;
  }
  return true;
}

/* These bases decide for every number below 2^64 (J. Sorenson, J. Webster, 2015). */
static bool prime(uint64_t n) {
  static const uint64_t BASES[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  for (int i = 0; i < 12; i++) {
    if (n % BASES[i] == 0) return n == BASES[i];
  }
  for (int i = 0; i < 12; i++) {
    if (witness(BASES[i], n)) return false;
  }
  return n > 1;
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b == 0 ? a : gcd(b, a % b); }

int main(int argc, char **argv) {
  long rounds = size_argument(argc, argv, 1, 60);
  uint64_t state = 0x123456789abcdefull, sum = CHECKSUM_START;
  long primes = 0;
  for (long i = 0; i < rounds; i++) {
    uint64_t a = random_next(&state) | 1, b = random_next(&state);
    int64_t s = (int64_t)a, t = (int64_t)(b | 1);
    if (prime(a)) primes++;
    sum = checksum_add_u64(sum, gcd(a, b));
    sum = checksum_add_u64(sum, (uint64_t)__builtin_popcountll(a) << 32 | (uint64_t)__builtin_clzll(b | 1));
    sum = checksum_add_u64(sum, (a << (b & 63) | a >> (-b & 63)) ^ (uint64_t)(s >> (b & 63)));
    sum = checksum_add_u64(sum, (uint64_t)(s / t) * 3 + (uint64_t)(s % t));
    sum = checksum_add_u64(sum, (uint64_t)(int64_t)((double)s * 0.5) + (uint64_t)(int64_t)(int8_t)b);
  }
  printf("%ld primes of %ld\n", primes, rounds);
  checksum_print("i64", sum);
  return 0;
}
