/* queens [N]: counts the ways to place N queens, by recursion on an array of columns. */
#include <stdbool.h>
#include "checksum.h"

static int columns[32];

static bool safe(int row, int column) {
  for (int i = 0; i < row; i++) {
    int other = columns[i];
    if (other == column || other - column == row - i || column - other == row - i) return false;
  }
  return true;
}

static uint64_t place(int row, int n) {
  if (row == n) return 1;
  uint64_t ways = 0;
  for (int column = 0; column < n; column++) {
    if (!safe(row, column)) continue;
    columns[row] = column;
    ways += place(row + 1, n);
  }
  return ways;
}

int main(int argc, char **argv) {
  checksum_print("queens", checksum_add_u64(CHECKSUM_START, place(0, (int)size_argument(argc, argv, 1, 6))));
  return 0;
}
