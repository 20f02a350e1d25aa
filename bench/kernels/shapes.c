/* shapes [COUNT [ROUNDS]]: calls through tables of functions, as objects with methods make them. */
#include "checksum.h"

struct shape;
struct methods {
  uint32_t (*area)(const struct shape *);
  uint32_t (*edges)(const struct shape *);
  void (*grow)(struct shape *, uint32_t);
};
struct shape {
  const struct methods *methods;
  uint32_t a, b;
};

static uint32_t square_area(const struct shape *s) { return s->a * s->a; }
static uint32_t square_edges(const struct shape *s) { return s->a * 4; }
static void square_grow(struct shape *s, uint32_t by) { s->a += by; }
static uint32_t box_area(const struct shape *s) { return s->a * s->b; }
static uint32_t box_edges(const struct shape *s) { return (s->a + s->b) * 2; }
static void box_grow(struct shape *s, uint32_t by) { s->a += by, s->b += by; }
static uint32_t triangle_area(const struct shape *s) { return s->a * s->b / 2; }
static uint32_t triangle_edges(const struct shape *s) { return s->a + s->b * 2; }
static void triangle_grow(struct shape *s, uint32_t by) { s->b += by; }
static uint32_t round_area(const struct shape *s) { return s->a * s->a * 355 / 113; }
static uint32_t round_edges(const struct shape *s) { return s->a * 710 / 113; }
static void round_grow(struct shape *s, uint32_t by) { s->a += by & 3; }

static const struct methods METHODS[] = {
    {square_area, square_edges, square_grow},
    {box_area, box_edges, box_grow},
    {triangle_area, triangle_edges, triangle_grow},
    {round_area, round_edges, round_grow},
};

int main(int argc, char **argv) {
  long count = size_argument(argc, argv, 1, 50), rounds = size_argument(argc, argv, 2, 3);
  struct shape *shapes = malloc((size_t)count * sizeof *shapes);
  uint64_t state = 37, sum = 0;
  for (long i = 0; i < count; i++) {
    uint64_t r = random_next(&state);
    shapes[i] = (struct shape){&METHODS[r >> 20 & 3], (uint32_t)r & 63, (uint32_t)(r >> 8) & 63};
  }
  for (long round = 0; round < rounds; round++) {
    for (long i = 0; i < count; i++) {
      struct shape *s = &shapes[i];
      uint32_t area = s->methods->area(s), edges = s->methods->edges(s);
      if (area < edges * 8) s->methods->grow(s, edges & 7);
      sum += area ^ edges;
    }
  }
  checksum_print("shapes", checksum_add(checksum_add_u64(CHECKSUM_START, sum), &shapes[count / 2].a, 8));
  return 0;
}
