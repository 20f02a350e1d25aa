/* FNV-1a, 64 bits: what every fixture program sums its output with. */
#pragma once
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECKSUM_START 0xcbf29ce484222325ull

static inline uint64_t checksum_add(uint64_t sum, const void *data, size_t length) {
  const unsigned char *bytes = (const unsigned char *)data;
  for (size_t i = 0; i < length; i++) sum = (sum ^ bytes[i]) * 0x100000001b3ull;
  return sum;
}

static inline uint64_t checksum_add_u64(uint64_t sum, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) sum = (sum ^ (value >> shift & 0xff)) * 0x100000001b3ull;
  return sum;
}

static inline void checksum_print(const char *name, uint64_t sum) {
  printf("%s checksum %016" PRIx64 "\n", name, sum);
}

/* The number in argument `index`, or `otherwise` where it is missing. */
static inline long size_argument(int argc, char **argv, int index, long otherwise) {
  return argc > index ? strtol(argv[index], NULL, 10) : otherwise;
}

/* A generator with known output on every machine (xorshift64*). */
static inline uint64_t random_next(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545f4914f6cdd1dull;
}
