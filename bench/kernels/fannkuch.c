/* fannkuch [N]: the most flips that any permutation of N numbers needs: short loops over a small array. */
#include "checksum.h"

int main(int argc, char **argv) {
  int n = (int)size_argument(argc, argv, 1, 6);
  int permutation[16], flipped[16], count[16];
  int r = n, most = 0;
  int64_t sum = 0;
  for (int i = 0; i < n; i++) permutation[i] = i;
  for (long round = 0;; round++) {
    for (; r != 1; r--) count[r - 1] = r;
    for (int i = 0; i < n; i++) flipped[i] = permutation[i];
    int flips = 0;
    for (int first; (first = flipped[0]) != 0; flips++) {
      for (int low = 0, high = first; low < high; low++, high--) {
        int t = flipped[low];
        flipped[low] = flipped[high];
        flipped[high] = t;
      }
    }
    if (flips > most) most = flips;
    sum += round % 2 == 0 ? flips : -flips;
    for (;; r++) {
      if (r == n) {
        checksum_print("fannkuch", checksum_add_u64(checksum_add_u64(CHECKSUM_START, (uint64_t)most), (uint64_t)sum));
        return 0;
      }
      int first = permutation[0];
      for (int i = 0; i < r; i++) permutation[i] = permutation[i + 1];
      permutation[r] = first;
      if (--count[r] > 0) break;
    }
  }
}
