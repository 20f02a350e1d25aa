/* hash [COUNT]: an open-addressing hash map: inserts, updates, lookups that hit and miss, removals. */
#include "checksum.h"

struct entry {
  uint64_t key; /* 0 is free, 1 is removed */
  uint64_t value;
};

static struct entry *table;
static size_t mask;

static size_t slot_of(uint64_t key) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdull;
  key ^= key >> 33;
  return (size_t)key & mask;
}

static struct entry *find(uint64_t key) {
  for (size_t i = slot_of(key);; i = (i + 1) & mask) {
    if (table[i].key == key) return &table[i];
    if (table[i].key == 0) return NULL;
  }
}

static void put(uint64_t key, uint64_t value) {
  struct entry *removed = NULL;
  for (size_t i = slot_of(key);; i = (i + 1) & mask) {
    struct entry *e = &table[i];
    if (e->key == key) {
      e->value += value;
      return;
    }
    if (e->key == 1 && removed == NULL) removed = e;
    if (e->key == 0) {
      if (removed != NULL) e = removed;
      e->key = key;
      e->value = value;
      return;
    }
  }
}

int main(int argc, char **argv) {
  long count = size_argument(argc, argv, 1, 1000);
  size_t slots = 16;
  while (slots < (size_t)count) slots *= 2;
  mask = slots - 1;
  table = calloc(slots, sizeof *table);
  uint64_t state = 11, sum = 0, range = (uint64_t)count / 2;
  for (long i = 0; i < count; i++) put(random_next(&state) % range + 2, (uint64_t)i);
  for (long i = 0; i < count; i++) {
    struct entry *e = find(random_next(&state) % (range * 2) + 2);
    if (e != NULL) sum += e->value;
    if (e != NULL && i % 3 == 0) e->key = 1;
    if (i % 3 == 1) put(random_next(&state) % range + 2, (uint64_t)i);
  }
  checksum_print("hash", checksum_add_u64(checksum_add(CHECKSUM_START, table, slots * sizeof *table), sum));
  return 0;
}
