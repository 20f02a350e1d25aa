/*
 * jumps [ROUNDS]: setjmp and longjmp as clang makes them of exceptions (built with -mllvm -wasm-enable-sjlj, in both
 * forms of exception handling): an evaluator of random expressions that jumps out of any depth on an error, jumps within
 * one function, and jumps past frames that have their own buffers.
 */
#include <setjmp.h>
#include "checksum.h"

static uint64_t seed = 42;

static uint32_t below(uint32_t n) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(seed >> 33) % n;
}

enum { DIVIDED_BY_ZERO = 1, TOO_DEEP, TOO_LARGE };

static jmp_buf on_error;
static int errors[4];

static int64_t evaluate(int depth) {
  if (depth > 12) longjmp(on_error, TOO_DEEP);
  uint32_t kind = below(6);
  if (kind < 2) return (int64_t)below(20) - 4;
  int64_t a = evaluate(depth + 1), b = evaluate(depth + 1);
  switch (kind) {
    case 2: return a + b;
    case 3: return a - b;
    case 4:
      if (a * b > 200) longjmp(on_error, TOO_LARGE);
      return a * b;
    default:
      if (b == 0) longjmp(on_error, DIVIDED_BY_ZERO);
      return a / b;
  }
}

/* Values that change between setjmp and longjmp are kept if they are volatile. */
static int64_t guarded(int rounds) {
  volatile int64_t sum = 0;
  volatile int left = rounds;
  int error = setjmp(on_error);
  if (error != 0) {
    errors[error]++;
    sum = sum * 31 + error;
  }
  while (left > 0) {
    left = left - 1;
    int64_t value = evaluate(0);
    sum = sum * 31 + value;
    if (left % 16 == 0) printf("%d %" PRId64 "\n", left, value);
  }
  return sum;
}

/* ---- buffers of several frames ---- */

struct frame {
  jmp_buf buffer;
  struct frame *outer;
};

__attribute__((noinline)) static int climb(int levels, struct frame *outer) {
  struct frame here = {.outer = outer};
  int value = setjmp(here.buffer);
  if (value != 0) {
    if (value % 3 == 0 && here.outer != NULL) longjmp(here.outer->buffer, value + 1);
    return value * 2;
  }
  if (levels == 0) {
    struct frame *to = &here;
    for (uint32_t skip = below(5); skip > 0 && to->outer != NULL; skip--) to = to->outer;
    longjmp(to->buffer, (int)below(100) + 1);
  }
  return climb(levels - 1, &here) + 1;
}

int main(int argc, char **argv) {
  int rounds = (int)size_argument(argc, argv, 1, 1000);
  uint64_t sum = checksum_add_u64(CHECKSUM_START, (uint64_t)guarded(rounds));
  for (int i = 0; i < rounds; i++) sum = checksum_add_u64(sum, (uint64_t)climb((int)below(9), NULL));
  printf("divided by zero %d, too deep %d, too large %d\n", errors[1], errors[2], errors[3]);
  checksum_print("jumps", sum);
  return 0;
}
