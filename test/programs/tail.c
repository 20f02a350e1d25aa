/*
 * tail [ROUNDS]: an interpreter whose instructions tail-call each other through a table, as fast interpreters are
 * written today, and functions that tail-call each other in a circle (built with -mtail-call). The stack must not grow.
 */
#include "checksum.h"

/* ---- direct tail calls in a circle, without a loop anywhere ---- */

__attribute__((noinline)) static uint64_t odd(uint32_t n, uint64_t sum);

__attribute__((noinline)) static uint64_t even(uint32_t n, uint64_t sum) {
  if (n == 0) return sum;
  __attribute__((musttail)) return odd(n - 1, sum * 31 + n);
}

static uint64_t odd(uint32_t n, uint64_t sum) {
  if (n == 0) return ~sum;
  __attribute__((musttail)) return even(n - 1, sum ^ n << 7);
}

/* ---- threaded code: every instruction ends by calling the next one ---- */

struct machine {
  uint64_t accumulator;
  uint32_t rounds;
  double drift;
};

struct instruction {
  uint64_t (*run)(struct machine *machine, const struct instruction *at);
  int operand;
};

#define NEXT __attribute__((musttail)) return at[1].run(machine, at + 1)

static uint64_t add(struct machine *machine, const struct instruction *at) {
  machine->accumulator += (uint64_t)at->operand;
  NEXT;
}

static uint64_t rotate(struct machine *machine, const struct instruction *at) {
  machine->accumulator = machine->accumulator << at->operand | machine->accumulator >> (64 - at->operand);
  NEXT;
}

static uint64_t drift(struct machine *machine, const struct instruction *at) {
  machine->drift = machine->drift * 0.5 + at->operand;
  NEXT;
}

/* Prints, so that a call which is not in tail position stands between tail calls. */
static uint64_t print(struct machine *machine, const struct instruction *at) {
  if (machine->rounds % 1000 == 0) printf("%u %016" PRIx64 " %g\n", machine->rounds, machine->accumulator, machine->drift);
  NEXT;
}

static uint64_t again(struct machine *machine, const struct instruction *at) {
  if (machine->rounds-- == 0) return machine->accumulator;
  __attribute__((musttail)) return at[at->operand].run(machine, at + at->operand);
}

static const struct instruction PROGRAM[] = {
    {print, 0}, {add, 12345}, {rotate, 7}, {drift, 3}, {add, -1}, {rotate, 13}, {again, -6},
};

int main(int argc, char **argv) {
  uint32_t rounds = (uint32_t)size_argument(argc, argv, 1, 100000);
  struct machine machine = {1, rounds, 0};
  uint64_t sum = checksum_add_u64(CHECKSUM_START, PROGRAM[0].run(&machine, PROGRAM));
  sum = checksum_add_u64(sum, even(rounds * 4 + 1, 5));
  sum = checksum_add(sum, &machine, sizeof machine);
  checksum_print("tail", sum);
  return 0;
}
