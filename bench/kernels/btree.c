/* btree [COUNT]: a B-tree of up to 31 keys a node: inserts in random order, lookups, walks over ranges. */
#include <string.h>
#include "checksum.h"

#define MOST 31
#define HALF (MOST / 2)

struct node {
  int32_t count, leaf;
  uint32_t keys[MOST];
  struct node *children[MOST + 1];
};

static struct node *make(int32_t leaf) {
  struct node *n = calloc(1, sizeof *n);
  n->leaf = leaf;
  return n;
}

static int32_t position(const struct node *n, uint32_t key) {
  int32_t low = 0, high = n->count;
  while (low < high) {
    int32_t middle = (low + high) / 2;
    if (n->keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* The full child at `at` becomes two. */
static void split(struct node *parent, int32_t at) {
  struct node *full = parent->children[at], *right = make(full->leaf);
  right->count = MOST - HALF - 1;
  memcpy(right->keys, full->keys + HALF + 1, (size_t)right->count * sizeof *right->keys);
  if (!full->leaf) {
    memcpy(right->children, full->children + HALF + 1, ((size_t)right->count + 1) * sizeof *right->children);
  }
  full->count = HALF;
  memmove(parent->children + at + 2, parent->children + at + 1, (size_t)(parent->count - at) * sizeof *parent->children);
  memmove(parent->keys + at + 1, parent->keys + at, (size_t)(parent->count - at) * sizeof *parent->keys);
  parent->children[at + 1] = right;
  parent->keys[at] = full->keys[HALF];
  parent->count++;
}

static int insert(struct node *n, uint32_t key) {
  for (;;) {
    int32_t at = position(n, key);
    if (at < n->count && n->keys[at] == key) return 0;
    if (n->leaf) {
      memmove(n->keys + at + 1, n->keys + at, (size_t)(n->count - at) * sizeof *n->keys);
      n->keys[at] = key;
      n->count++;
      return 1;
    }
    if (n->children[at]->count == MOST) {
      split(n, at);
      if (n->keys[at] == key) return 0;
      if (n->keys[at] < key) at++;
    }
    n = n->children[at];
  }
}

static int contains(const struct node *n, uint32_t key) {
  for (;;) {
    int32_t at = position(n, key);
    if (at < n->count && n->keys[at] == key) return 1;
    if (n->leaf) return 0;
    n = n->children[at];
  }
}

static uint64_t walk(const struct node *n, uint32_t from, uint32_t to, uint64_t sum) {
  int32_t at = position(n, from);
  for (;; at++) {
    if (!n->leaf) sum = walk(n->children[at], from, to, sum);
    if (at == n->count || n->keys[at] > to) return sum;
    sum = sum * 31 + n->keys[at];
  }
}

int main(int argc, char **argv) {
  long count = size_argument(argc, argv, 1, 500);
  struct node *root = make(1);
  uint64_t state = 23, sum = CHECKSUM_START, hits = 0;
  uint32_t range = (uint32_t)count * 2;
  for (long i = 0; i < count; i++) {
    if (root->count == MOST) {
      struct node *above = make(0);
      above->children[0] = root;
      root = above;
      split(root, 0);
    }
    hits += (uint64_t)insert(root, (uint32_t)random_next(&state) % range);
  }
  for (long i = 0; i < 2 * count; i++) hits += (uint64_t)contains(root, (uint32_t)random_next(&state) % range);
  for (long i = 0; i < count / 8; i++) {
    uint32_t from = (uint32_t)random_next(&state) % range;
    sum = checksum_add_u64(sum, walk(root, from, from + 64, 0));
  }
  checksum_print("btree", checksum_add_u64(sum, hits));
  return 0;
}
