/* fib [N]: Fibonacci numbers by plain recursion: nothing but calls. */
#include "checksum.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv) {
  checksum_print("fib", checksum_add_u64(CHECKSUM_START, fib((uint32_t)size_argument(argc, argv, 1, 12))));
  return 0;
}
