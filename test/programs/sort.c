/* sort [COUNT]: sorts the same numbers by quicksort, heapsort, a merge sort and the library's qsort, and compares. */
#include <string.h>
#include "checksum.h"

static void swap(uint32_t *a, uint32_t *b) {
  uint32_t t = *a;
  *a = *b;
  *b = t;
}

static void quicksort(uint32_t *v, long n) {
  while (n > 1) {
    swap(&v[0], &v[n / 2]);
    long last = 0;
    for (long i = 1; i < n; i++) {
      if (v[i] < v[0]) swap(&v[++last], &v[i]);
    }
    swap(&v[0], &v[last]);
    quicksort(v, last);
    v += last + 1;
    n -= last + 1;
  }
}

static void sift(uint32_t *v, long root, long n) {
  for (long child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && v[child + 1] > v[child]) child++;
    if (v[root] >= v[child]) return;
    swap(&v[root], &v[child]);
  }
}

static void heapsort_numbers(uint32_t *v, long n) {
  for (long i = n / 2; i-- > 0;) sift(v, i, n);
  while (n-- > 1) {
    swap(&v[0], &v[n]);
    sift(v, 0, n);
  }
}

static void mergesort_numbers(uint32_t *v, uint32_t *room, long n) {
  if (n < 2) return;
  long half = n / 2;
  mergesort_numbers(v, room, half);
  mergesort_numbers(v + half, room, n - half);
  memcpy(room, v, (size_t)n * sizeof *v);
  for (long i = 0, j = half, k = 0; k < n; k++) v[k] = j == n || (i < half && room[i] <= room[j]) ? room[i++] : room[j++];
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 2000);
  size_t bytes = (size_t)n * sizeof(uint32_t);
  uint32_t *numbers = malloc(bytes), *sorted = malloc(bytes), *expected = malloc(bytes), *room = malloc(bytes);
  uint64_t state = 88172645463325252ull;
  for (long i = 0; i < n; i++) numbers[i] = (uint32_t)(random_next(&state) >> 40);
  memcpy(expected, numbers, bytes);
  qsort(expected, (size_t)n, sizeof *expected, compare);
  for (int method = 0; method < 3; method++) {
    memcpy(sorted, numbers, bytes);
    if (method == 0) quicksort(sorted, n);
    if (method == 1) heapsort_numbers(sorted, n);
    if (method == 2) mergesort_numbers(sorted, room, n);
    if (memcmp(sorted, expected, bytes) != 0) {
      printf("sort: method %d is wrong\n", method);
      return 1;
    }
  }
  checksum_print("sort", checksum_add(CHECKSUM_START, expected, bytes));
  return 0;
}
