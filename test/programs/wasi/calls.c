/* The calls without files: clocks, random numbers, arguments and environment, yielding. */
#include "check.h"

static void clocks(void) {
  __wasi_timestamp_t time = 0, later = 0;
  for (__wasi_clockid_t id = 0; id < 4; id++) {
    __wasi_timestamp_t resolution = 0;
    OK(__wasi_clock_res_get(id, &resolution));
    THAT(resolution > 0 && resolution <= 1000000000);
    OK(__wasi_clock_time_get(id, 0, &time));
    OK(__wasi_clock_time_get(id, 1000000, &later));
    if (id != __WASI_CLOCKID_REALTIME) THAT(later >= time);
  }
  OK(__wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 0, &time));
  /* After 2020-01-01 and before 2100-01-01. */
  THAT(time > 1577836800ull * 1000000000 && time < 4102444800ull * 1000000000);
  IS(INVAL, __wasi_clock_res_get(4, &time));
  IS(INVAL, __wasi_clock_time_get(4, 0, &time));
  IS(INVAL, __wasi_clock_time_get(0xffffffff, 0, &time));
  OK(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &time));
  __wasi_timestamp_t first = time;
  for (int i = 0; i < 100; i++) {
    OK(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, (__wasi_timestamp_t)i, &later));
    THAT(later >= time);
    time = later;
  }
  /* It goes on while it is read. */
  THAT(time > first);
}

static void random_numbers(void) {
  /* More than a system gives at once (65536 bytes in Web Crypto), and not at an aligned address. */
  static uint8_t buffer[200001];
  OK(__wasi_random_get(buffer, 0));
  OK(__wasi_random_get(NULL, 0));
  THAT(buffer[0] == 0);
  OK(__wasi_random_get(buffer + 1, sizeof buffer - 2));
  THAT(buffer[0] == 0 && buffer[sizeof buffer - 1] == 0);
  for (size_t i = 1; i + 1000 < sizeof buffer; i += 1000) {
    size_t seen[256] = {0}, kinds = 0;
    for (size_t j = 0; j < 1000; j++) kinds += seen[buffer[i + j]]++ == 0;
    THAT(kinds > 200);
  }
}

/* Sizes and contents agree, and every string ends within the bytes announced. */
static void strings(const size_t counts[2], uint8_t **pointers, uint8_t *bytes, int argc, char **argv) {
  THAT((int)counts[0] == argc);
  for (size_t i = 0; i < counts[0]; i++) {
    THAT(pointers[i] >= bytes && pointers[i] < bytes + counts[1]);
    if (i > 0) THAT(pointers[i] == pointers[i - 1] + strlen((char *)pointers[i - 1]) + 1);
    if (argv != NULL) THAT(strcmp((char *)pointers[i], argv[i]) == 0);
  }
  THAT(counts[1] == 0 || bytes[counts[1] - 1] == '\0');
}

int main(int argc, char **argv) {
  static uint8_t *pointers[64];
  static uint8_t bytes[4096];
  size_t counts[2];
  clocks();
  random_numbers();
  OK(__wasi_args_sizes_get(&counts[0], &counts[1]));
  THAT(counts[0] <= 64 && counts[1] <= sizeof bytes);
  OK(__wasi_args_get(pointers, bytes));
  strings(counts, pointers, bytes, argc, argv);
  /* Lengths are in bytes of UTF-8. */
  THAT(argc == 3 && strlen(argv[1]) == 5 && strcmp(argv[1], "z\xc3\xbc\xc3\xa4") == 0 && argv[2][0] == '\0');
  OK(__wasi_environ_sizes_get(&counts[0], &counts[1]));
  THAT(counts[0] == 2 && counts[1] <= sizeof bytes);
  OK(__wasi_environ_get(pointers, bytes));
  strings(counts, pointers, bytes, 2, NULL);
  THAT(strcmp((char *)pointers[0], "NAME=\xf0\x9f\x90\xa6") == 0 && strcmp((char *)pointers[1], "EMPTY=") == 0);
  OK(__wasi_sched_yield());
  return done();
}
