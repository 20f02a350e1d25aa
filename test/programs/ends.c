/*
 * ends HOW [NUMBER]: prints a line, then ends in the way that HOW says: by exit status, or by a trap. The trap happens
 * in a function named for it, below two others, so that a report of the place can be checked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP __attribute__((noinline, optnone))

typedef int (*two)(int, int);
typedef int (*one)(int);

static volatile int zero;

KEEP static int trap_unreachable(int n) {
  if (n >= 0) __builtin_trap();
  return n;
}
KEEP static int trap_load(int n) { return *(volatile int *)(uintptr_t)(0xfffffff0u + (unsigned)n); }
KEEP static int trap_store(int n) { return *(volatile int *)(uintptr_t)(0xfffffff0u + (unsigned)n) = n; }
KEEP static int trap_divide(int n) { return n / zero; }
KEEP static int trap_remainder(int n) { return n % zero; }
KEEP static int trap_overflow(int n) { return (INT32_MIN + n * zero) / (zero - 1); }
KEEP static int trap_convert(int n) {
  int result;
  /* C leaves this conversion undefined and clang makes it saturate, so ask for the instruction that traps. */
  __asm__("local.get %1\n i32.trunc_f64_s\n local.set %0" : "=r"(result) : "r"(1e30 + n));
  return result;
}
KEEP static int trap_signature(int n) {
  /* The function exists but takes other parameters. */
  union {
    one function;
    two other;
  } u = {.function = trap_divide};
  return u.other(n, n);
}
KEEP static int trap_table(int n) { return ((one)(uintptr_t)(0x00ffff00 + n))(n); }
KEEP static int trap_null(int n) { return ((one)(uintptr_t)zero)(n); }

KEEP static int trap_stack(int n) {
  volatile int here = n;
  return n < 0 ? 0 : trap_stack(n + 1) + here;
}

/* Not a trap: memory.grow answers -1, malloc gives NULL, and the program says so. */
KEEP static int exhaust(int n) {
  long blocks = 0;
  while (malloc((size_t)n << 20) != NULL) blocks++;
  printf("out of memory after some blocks: %s\n", blocks > 0 ? "yes" : "no");
  return 0;
}

KEEP static int leave(int n) { exit(n); }
KEEP static int stop(int n) { _Exit(n); }
KEEP static int give(int n) { return n; }
KEEP static int give_up(int n) {
  if (n >= 0) abort();
  return n;
}

static const struct {
  const char *how;
  one function;
  int number;
} WAYS[] = {
    {"return", give, 0},           {"exit", leave, 0},         {"_Exit", stop, 0},          {"abort", give_up, 0},
    {"unreachable", trap_unreachable, 0}, {"load", trap_load, 0},     {"store", trap_store, 0},    {"divide", trap_divide, 1},
    {"remainder", trap_remainder, 1}, {"overflow", trap_overflow, 0}, {"convert", trap_convert, 0}, {"signature", trap_signature, 1},
    {"table", trap_table, 0},      {"null", trap_null, 0},     {"stack", trap_stack, 0},    {"memory", exhaust, 16},
};

KEEP static int middle(one function, int n) { return function(n); }

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "return";
  for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
    if (strcmp(WAYS[i].how, how) != 0) continue;
    printf("%s\n", how);
    fflush(stdout);
    return middle(WAYS[i].function, argc > 2 ? atoi(argv[2]) : WAYS[i].number);
  }
  fprintf(stderr, "ends: no way named %s\n", how);
  return 2;
}
