/* blocks SIZE [ROUNDS]: fills, copies and moves blocks of SIZE bytes, as a whole each. */
#include <string.h>
#include "checksum.h"

#define MARKS 16411

static uint64_t sum_marks(uint64_t sum, const unsigned char *block, size_t size) {
  for (size_t i = 0; i < size; i += MARKS) sum = checksum_add(sum, block + i, 1);
  return checksum_add(sum, block + size - 1, 1);
}

int main(int argc, char **argv) {
  size_t size = (size_t)size_argument(argc, argv, 1, 100000);
  long rounds = size_argument(argc, argv, 2, 1);
  unsigned char *one = malloc(size), *other = malloc(size);
  uint64_t sum = CHECKSUM_START, state = 5;
  for (long round = 0; round < rounds; round++) {
    memset(one, (int)(round + 3), size);
    for (size_t i = 0; i < size; i += MARKS) one[i] = (unsigned char)random_next(&state);
    memcpy(other, one, size);
    /* What is behind goes forwards, what is before goes backwards. */
    memmove(other, other + size / 5, size - size / 5);
    memmove(one + size / 3, one, size - size / 3);
    sum = sum_marks(sum_marks(sum, one, size), other, size);
  }
  printf("%ld rounds of %zu bytes\n", rounds, size);
  checksum_print("blocks", sum);
  return 0;
}
