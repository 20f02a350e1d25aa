/* Semaphores without names. */
#include <errno.h>
#include <semaphore.h>

#include "internal.h"

struct semaphore {
  atomic_int value;
  atomic_int waiters;
};

_Static_assert(sizeof(struct semaphore) <= sizeof(sem_t), "a semaphore has room for this");

static struct semaphore *of(sem_t *semaphore) { return (struct semaphore *)semaphore; }

static int failed(int error) {
  errno = error;
  return -1;
}

int sem_init(sem_t *semaphore, int shared, unsigned value) {
  (void)shared;
  if (value > INT_MAX) return failed(EINVAL);
  *of(semaphore) = (struct semaphore){.value = (int)value};
  return 0;
}

int sem_destroy(sem_t *semaphore) {
  (void)semaphore;
  return 0;
}

int sem_getvalue(sem_t *restrict semaphore, int *restrict value) {
  *value = atomic_load(&of(semaphore)->value);
  return 0;
}

int sem_trywait(sem_t *semaphore) {
  struct semaphore *s = of(semaphore);
  int value = atomic_load(&s->value);
  while (value > 0) {
    if (atomic_compare_exchange_weak(&s->value, &value, value - 1)) return 0;
  }
  return failed(EAGAIN);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  struct semaphore *s = of(semaphore);
  int error = 0;
  atomic_fetch_add(&s->waiters, 1);
  for (;;) {
    int value = atomic_load(&s->value);
    if (value > 0) {
      if (atomic_compare_exchange_weak(&s->value, &value, value - 1)) break;
      continue;
    }
    int64_t left;
    error = time_left(CLOCK_REALTIME, until, &left);
    if (error == 0 && left == 0) error = ETIMEDOUT;
    if (error != 0) break;
    word_wait(&s->value, 0, left);
  }
  atomic_fetch_sub(&s->waiters, 1);
  return error == 0 ? 0 : failed(error);
}

int sem_wait(sem_t *semaphore) { return sem_timedwait(semaphore, NULL); }

int sem_post(sem_t *semaphore) {
  struct semaphore *s = of(semaphore);
  int value = atomic_load(&s->value);
  do {
    if (value == INT_MAX) return failed(EOVERFLOW);
  } while (!atomic_compare_exchange_weak(&s->value, &value, value + 1));
  if (atomic_load(&s->waiters) > 0) word_wake(&s->value, 1);
  return 0;
}
