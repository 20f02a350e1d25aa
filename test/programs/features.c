/*
 * features [ROUNDS]: what newer compilers emit beyond the first WebAssembly: memory.copy and memory.fill with lengths
 * known only at run time, sign extension, saturating conversions, functions with several results (built with
 * -mmultivalue and its ABI), and a table of references to functions that is grown, written, read, copied and called.
 */
#include <string.h>
#include "checksum.h"

/* ---- several results: the ABI returns such a struct on the operand stack ---- */

struct pair {
  uint64_t high, low;
};

__attribute__((noinline)) static struct pair divide(uint64_t a, uint64_t b) { return (struct pair){a / b, a % b}; }

__attribute__((noinline)) static struct pair turns(uint64_t a, uint64_t b, int depth) {
  if (depth == 0 || b == 0) return (struct pair){a, b};
  struct pair p = divide(a, b), q = turns(b, p.low, depth - 1);
  return (struct pair){q.high + p.high, q.low ^ p.low};
}

/* ---- a second table; C cannot name references, so its functions are written out ---- */

typedef uint64_t (*step)(uint64_t);

/* Appends the function to the table. @returns its index there */
int steps_add(step function);
int steps_size(void);
uint64_t steps_call(uint64_t value, int index);
void steps_swap(int a, int b);
/* Overwrites the entries from..from+count with copies of those at 0..count. */
void steps_repeat(int from, int count);
/* @returns 1 if a reference to nothing, kept in a local over a call, is still one */
int null_survives(void);

__asm__(
    ".tabletype steps, funcref\n"
    "steps:\n"
    ".tabletype __indirect_function_table, funcref\n"

    ".globl steps_add\n"
    ".type steps_add,@function\n"
    "steps_add:\n"
    ".functype steps_add (i32) -> (i32)\n"
    "  local.get 0\n"
    "  table.get __indirect_function_table\n"
    "  i32.const 1\n"
    "  table.grow steps\n"
    "  end_function\n"

    ".globl steps_size\n"
    ".type steps_size,@function\n"
    "steps_size:\n"
    ".functype steps_size () -> (i32)\n"
    "  table.size steps\n"
    "  end_function\n"

    ".globl steps_call\n"
    ".type steps_call,@function\n"
    "steps_call:\n"
    ".functype steps_call (i64, i32) -> (i64)\n"
    "  local.get 0\n"
    "  local.get 1\n"
    "  call_indirect steps, (i64) -> (i64)\n"
    "  end_function\n"

    ".globl steps_swap\n"
    ".type steps_swap,@function\n"
    "steps_swap:\n"
    ".functype steps_swap (i32, i32) -> ()\n"
    ".local funcref\n"
    "  local.get 0\n"
    "  table.get steps\n"
    "  local.set 2\n"
    "  local.get 0\n"
    "  local.get 1\n"
    "  table.get steps\n"
    "  table.set steps\n"
    "  local.get 1\n"
    "  local.get 2\n"
    "  table.set steps\n"
    "  end_function\n"

    ".globl steps_repeat\n"
    ".type steps_repeat,@function\n"
    "steps_repeat:\n"
    ".functype steps_repeat (i32, i32) -> ()\n"
    "  local.get 0\n"
    "  i32.const 0\n"
    "  local.get 1\n"
    "  table.copy steps, steps\n"
    "  end_function\n"

    ".functype null_helper (i32) -> (i32)\n"
    ".globl null_survives\n"
    ".type null_survives,@function\n"
    "null_survives:\n"
    ".functype null_survives () -> (i32)\n"
    ".local externref\n"
    "  ref.null_extern\n"
    "  local.set 0\n"
    "  i32.const 5\n"
    "  call null_helper\n"
    "  drop\n"
    "  local.get 0\n"
    "  ref.is_null\n"
    "  end_function\n");

__attribute__((used, noinline)) int null_helper(int n) {
  for (volatile int i = 0; i < n;) i++;
  return n;
}

static uint64_t rotate(uint64_t v) { return v << 7 | v >> 57; }
static uint64_t multiply(uint64_t v) { return v * 0x9e3779b97f4a7c15ull; }
/* Calls through the table again: a reference in use while another call through the same table is on the stack. */
static uint64_t both(uint64_t v) { return steps_call(v, 0) ^ steps_call(v, 1); }

/* ---- the rest comes from ordinary C ---- */

static uint64_t move(unsigned char *block, size_t size, uint64_t *state) {
  size_t from = random_next(state) % size, to = random_next(state) % size;
  size_t room = size - (from > to ? from : to), n = random_next(state) % room;
  memmove(block + to, block + from, n);
  memset(block + from, (int)(*state & 0xff), n / 3);
  return checksum_add(CHECKSUM_START, block, size);
}

static uint64_t convert(uint64_t v) {
  double d = (double)(int64_t)v * 16.0;
  float f = (float)(int64_t)(v >> 40) * 1e5f;
  /* Beyond the range of the result C says nothing; the saturating instruction that clang uses does. */
  int64_t a = d > 9e18 || d < -9e18 ? 1 : (int64_t)d;
  int32_t b = f > 2e9f || f < -2e9f ? 2 : (int32_t)f;
  return (uint64_t)(a + b + (int8_t)v + (int16_t)(v >> 8) + (int64_t)(int32_t)v);
}

int main(int argc, char **argv) {
  long rounds = size_argument(argc, argv, 1, 50);
  uint64_t state = 2026, sum = CHECKSUM_START, value = 1;
  static unsigned char block[3000];
  for (size_t i = 0; i < sizeof block; i++) block[i] = (unsigned char)i;
  steps_add(rotate);
  steps_add(multiply);
  steps_add(both);
  steps_add(rotate);
  steps_add(rotate);
  for (long i = 0; i < rounds; i++) {
    value = steps_call(value + 1, (int)(i % steps_size()));
    if (i % 7 == 0) steps_swap(0, 1);
    if (i % 11 == 10) steps_repeat(3, 2);
    struct pair p = turns(random_next(&state), random_next(&state), 40);
    sum = checksum_add_u64(checksum_add_u64(sum, p.high), p.low);
    sum = checksum_add_u64(sum, move(block, sizeof block, &state) + convert(random_next(&state)) + value);
    if (!null_survives()) return 1;
  }
  printf("%d steps\n", steps_size());
  checksum_print("features", sum);
  return 0;
}
