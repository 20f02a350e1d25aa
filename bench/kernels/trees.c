/* trees [DEPTH]: builds and walks binary trees: recursion, malloc and free. */
#include "checksum.h"

struct node {
  struct node *left, *right;
};

static struct node *build(long depth) {
  struct node *n = malloc(sizeof *n);
  n->left = depth > 0 ? build(depth - 1) : NULL;
  n->right = depth > 0 ? build(depth - 1) : NULL;
  return n;
}

static uint64_t count(const struct node *n) { return n == NULL ? 0 : 1 + count(n->left) + count(n->right); }

static void discard(struct node *n) {
  if (n == NULL) return;
  discard(n->left);
  discard(n->right);
  free(n);
}

int main(int argc, char **argv) {
  long most = size_argument(argc, argv, 1, 6);
  uint64_t sum = CHECKSUM_START;
  struct node *kept = build(most);
  for (long depth = 4; depth <= most; depth += 2) {
    uint64_t nodes = 0;
    for (long i = 0; i < 1L << (most - depth + 2); i++) {
      struct node *tree = build(depth);
      nodes += count(tree);
      discard(tree);
    }
    sum = checksum_add_u64(sum, nodes);
  }
  sum = checksum_add_u64(sum, count(kept));
  discard(kept);
  checksum_print("trees", sum);
  return 0;
}
