/* Condition variables: a word that counts signals. Who waits sleeps while it stays as it was under the mutex. */
#include <errno.h>
#include <wasi/api.h>

#include "internal.h"

/* What a pthread_cond_t holds. All 0 is one that goes by the real-time clock. */
struct cond {
  atomic_int signals;
  atomic_int waiters;
  clockid_t clock;
};

_Static_assert(sizeof(struct cond) <= sizeof(pthread_cond_t), "a condition variable has room for this");

static struct cond *of(pthread_cond_t *cond) { return (struct cond *)cond; }

int pthread_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes) {
  struct cond *c = of(cond);
  *c = (struct cond){0};
  /* pthread_condattr_getclock of the sysroot does not give back what pthread_condattr_setclock has kept. */
  if (attributes != NULL && (attributes->__attr & INT_MAX) == __WASI_CLOCKID_MONOTONIC) c->clock = CLOCK_MONOTONIC;
  return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond) {
  struct cond *c = of(cond);
  /* Those who have been woken may still be about to leave. */
  for (int waiters; (waiters = atomic_load(&c->waiters)) > 0;) word_wait(&c->waiters, waiters, FOREVER);
  return 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  struct cond *c = of(cond);
  int64_t left;
  int wrong = time_left(c->clock == NULL ? CLOCK_REALTIME : c->clock, until, &left);
  if (wrong != 0) return wrong;
  atomic_fetch_add(&c->waiters, 1);
  int signals = atomic_load(&c->signals);
  wrong = pthread_mutex_unlock(mutex);
  bool late = wrong == 0 && word_wait(&c->signals, signals, left) == 2;
  if (atomic_fetch_sub(&c->waiters, 1) == 1) word_wake_all(&c->waiters);
  if (wrong != 0) return wrong;
  wrong = pthread_mutex_lock(mutex);
  return wrong != 0 ? wrong : late ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex) {
  return pthread_cond_timedwait(cond, mutex, NULL);
}

static int wake(pthread_cond_t *cond, unsigned count) {
  struct cond *c = of(cond);
  if (atomic_load(&c->waiters) == 0) return 0;
  atomic_fetch_add(&c->signals, 1);
  word_wake(&c->signals, count);
  return 0;
}

int pthread_cond_signal(pthread_cond_t *cond) { return wake(cond, 1); }

int pthread_cond_broadcast(pthread_cond_t *cond) { return wake(cond, UINT_MAX); }
