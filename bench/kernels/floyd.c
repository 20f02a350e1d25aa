/* floyd [SIZE [ROUNDS]]: shortest ways between all pairs of nodes, by Floyd and Warshall, as in PolyBench. */
#include "checksum.h"

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 16), rounds = size_argument(argc, argv, 2, 1);
  size_t bytes = (size_t)(n * n) * sizeof(int32_t);
  int32_t *way = malloc(bytes);
  uint64_t state = 31, sum = CHECKSUM_START;
  for (long round = 0; round < rounds; round++) {
    for (long i = 0; i < n * n; i++) {
      uint64_t r = random_next(&state);
      way[i] = (r & 7) == 0 ? (int32_t)(r >> 8 & 0xff) + 1 : 1 << 28;
    }
    for (long i = 0; i < n; i++) way[i * n + i] = 0;
    for (long k = 0; k < n; k++) {
      for (long i = 0; i < n; i++) {
        for (long j = 0; j < n; j++) {
          int32_t over = way[i * n + k] + way[k * n + j];
          way[i * n + j] = over < way[i * n + j] ? over : way[i * n + j];
        }
      }
    }
    sum = checksum_add(sum, way, bytes);
  }
  checksum_print("floyd", sum);
  return 0;
}
