/*
 * bytecode [LIMIT]: an interpreter of a small stack machine, one big switch in one loop. Its program sums the lengths
 * of the Collatz sequences of all numbers below LIMIT.
 */
#include "checksum.h"

enum op { PUSH, LOAD, STORE, ADD, MUL, HALVE, ODD, LESS, EQUAL, XOR, JUMP, JUMP_IF_ZERO, CALL, RETURN, HALT };
enum variable { LIMIT, START, N, STEPS, TOTAL, VARIABLES };

struct instruction {
  enum op op;
  int32_t argument;
};

#define NEXT 2
#define COLLATZ 22
#define STEP 27
#define EVEN 41
#define END 45

static const struct instruction PROGRAM[] = {
    {PUSH, 1},      {STORE, START},
    /* NEXT */
    {LOAD, START},  {LOAD, LIMIT},  {LESS, 0},      {JUMP_IF_ZERO, END},
    {LOAD, START},  {STORE, N},     {PUSH, 0},      {STORE, STEPS},     {CALL, COLLATZ},
    {LOAD, TOTAL},  {PUSH, 31},     {MUL, 0},       {LOAD, STEPS},      {XOR, 0},        {STORE, TOTAL},
    {LOAD, START},  {PUSH, 1},      {ADD, 0},       {STORE, START},     {JUMP, NEXT},
    /* COLLATZ */
    {LOAD, N},      {PUSH, 1},      {EQUAL, 0},     {JUMP_IF_ZERO, STEP}, {RETURN, 0},
    /* STEP */
    {LOAD, STEPS},  {PUSH, 1},      {ADD, 0},       {STORE, STEPS},
    {LOAD, N},      {ODD, 0},       {JUMP_IF_ZERO, EVEN},
    {LOAD, N},      {PUSH, 3},      {MUL, 0},       {PUSH, 1},          {ADD, 0},        {STORE, N},      {JUMP, COLLATZ},
    /* EVEN */
    {LOAD, N},      {HALVE, 0},     {STORE, N},     {JUMP, COLLATZ},
    /* END */
    {HALT, 0},
};

static uint64_t run(const struct instruction *program, uint64_t *variables) {
  uint64_t stack[32], *top = stack;
  int32_t calls[8], depth = 0, pc = 0;
  for (uint64_t executed = 0;; executed++) {
    struct instruction i = program[pc++];
    switch (i.op) {
      case PUSH: *top++ = (uint64_t)i.argument; break;
      case LOAD: *top++ = variables[i.argument]; break;
      case STORE: variables[i.argument] = *--top; break;
      case ADD: top--; top[-1] += top[0]; break;
      case MUL: top--; top[-1] *= top[0]; break;
      case HALVE: top[-1] >>= 1; break;
      case ODD: top[-1] &= 1; break;
      case LESS: top--; top[-1] = top[-1] < top[0]; break;
      case EQUAL: top--; top[-1] = top[-1] == top[0]; break;
      case XOR: top--; top[-1] ^= top[0]; break;
      case JUMP: pc = i.argument; break;
      case JUMP_IF_ZERO: if (*--top == 0) pc = i.argument; break;
      case CALL: calls[depth++] = pc; pc = i.argument; break;
      case RETURN: pc = calls[--depth]; break;
      case HALT: return executed;
    }
  }
}

int main(int argc, char **argv) {
  uint64_t variables[VARIABLES] = {0};
  variables[LIMIT] = (uint64_t)size_argument(argc, argv, 1, 50);
  uint64_t executed = run(PROGRAM, variables);
  checksum_print("bytecode", checksum_add_u64(checksum_add_u64(CHECKSUM_START, executed), variables[TOTAL]));
  return 0;
}
