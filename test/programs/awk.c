/*
 * awk [OUTER [INNER]]: two nested loops that only count, with a line of progress after each tenth of the way.
 * In the spirit of openMosix's classic first test: awk 'BEGIN {for(i=0;i<10000;i++)for(j=0;j<10000;j++);}'.
 * Like awk it does not count in a register: values are doubles in variables found by name.
 */
#include <string.h>
#include "checksum.h"

struct variable {
  const char *name;
  double value;
};

static struct variable variables[4];

static double *lookup(const char *name) {
  struct variable *v = variables;
  while (v->name != NULL && strcmp(v->name, name) != 0) v++;
  v->name = name;
  return &v->value;
}

int main(int argc, char **argv) {
  long outer = size_argument(argc, argv, 1, 100), inner = size_argument(argc, argv, 2, 1000);
  uint64_t sum = CHECKSUM_START;
  long tenth = outer / 10 > 0 ? outer / 10 : 1;
  for (*lookup("i") = 0; *lookup("i") < outer; *lookup("i") += 1) {
    for (*lookup("j") = 0; *lookup("j") < inner; *lookup("j") += 1) {
      *lookup("n") += 1;
    }
    long i = (long)*lookup("i") + 1;
    if (i % tenth == 0) {
      sum = checksum_add_u64(sum, (uint64_t)*lookup("n"));
      printf("%ld of %ld rows, %.0f steps\n", i, outer, *lookup("n"));
      fflush(stdout);
    }
  }
  checksum_print("awk", sum);
  return 0;
}
