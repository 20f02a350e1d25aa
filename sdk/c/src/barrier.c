/* Barriers. */
#include <errno.h>

#include "internal.h"

struct barrier {
  int limit;
  atomic_int arrived;
  atomic_int round;
  /* Threads between their arrival and their return, so that it can be destroyed by the first one that returns. */
  atomic_int inside;
};

_Static_assert(sizeof(struct barrier) <= sizeof(pthread_barrier_t), "a barrier has room for this");

static struct barrier *of(pthread_barrier_t *barrier) { return (struct barrier *)barrier; }

int pthread_barrier_init(pthread_barrier_t *restrict barrier, const pthread_barrierattr_t *restrict attributes,
                         unsigned count) {
  (void)attributes;
  if (count == 0 || count > INT_MAX) return EINVAL;
  *of(barrier) = (struct barrier){.limit = (int)count};
  return 0;
}

int pthread_barrier_destroy(pthread_barrier_t *barrier) {
  struct barrier *b = of(barrier);
  for (int inside; (inside = atomic_load(&b->inside)) > 0;) word_wait(&b->inside, inside, FOREVER);
  return 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier) {
  struct barrier *b = of(barrier);
  atomic_fetch_add(&b->inside, 1);
  int round = atomic_load(&b->round);
  bool last = atomic_fetch_add(&b->arrived, 1) + 1 == b->limit;
  if (last) {
    /* Nobody can arrive for the next round before the round is counted. */
    atomic_store(&b->arrived, 0);
    atomic_fetch_add(&b->round, 1);
    word_wake_all(&b->round);
  } else {
    while (atomic_load(&b->round) == round) word_wait(&b->round, round, FOREVER);
  }
  if (atomic_fetch_sub(&b->inside, 1) == 1) word_wake_all(&b->inside);
  return last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}
