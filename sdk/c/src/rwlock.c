/* Locks for many readers or one writer. Readers may keep a writer waiting for as long as they overlap. */
#include <errno.h>

#include "internal.h"

enum { WRITER = -1 };

struct rwlock {
  /* How many readers hold it; -1 if a writer does. */
  atomic_int holders;
  atomic_int waiters;
};

_Static_assert(sizeof(struct rwlock) <= sizeof(pthread_rwlock_t), "a lock has room for this");

static struct rwlock *of(pthread_rwlock_t *lock) { return (struct rwlock *)lock; }

int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attributes) {
  (void)attributes;
  *of(lock) = (struct rwlock){0};
  return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock) { return atomic_load(&of(lock)->holders) == 0 ? 0 : EBUSY; }

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) {
  struct rwlock *l = of(lock);
  int holders = atomic_load(&l->holders);
  while (holders != WRITER) {
    if (holders == INT_MAX) return EAGAIN;
    if (atomic_compare_exchange_weak(&l->holders, &holders, holders + 1)) return 0;
  }
  return EBUSY;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock) {
  int none = 0;
  return atomic_compare_exchange_strong(&of(lock)->holders, &none, WRITER) ? 0 : EBUSY;
}

static int lock_until(pthread_rwlock_t *lock, int (*attempt)(pthread_rwlock_t *), const struct timespec *until) {
  struct rwlock *l = of(lock);
  for (;;) {
    int holders = atomic_load(&l->holders);
    int wrong = attempt(lock);
    if (wrong != EBUSY) return wrong;
    int64_t left;
    wrong = time_left(CLOCK_REALTIME, until, &left);
    if (wrong != 0) return wrong;
    if (left == 0) return ETIMEDOUT;
    atomic_fetch_add(&l->waiters, 1);
    /* If it was free when it was looked at, it changes without anybody being woken: not a value to sleep on. */
    if (holders != 0) word_wait(&l->holders, holders, left);
    atomic_fetch_sub(&l->waiters, 1);
  }
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until) {
  return lock_until(lock, pthread_rwlock_tryrdlock, until);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until) {
  return lock_until(lock, pthread_rwlock_trywrlock, until);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock) { return lock_until(lock, pthread_rwlock_tryrdlock, NULL); }

int pthread_rwlock_wrlock(pthread_rwlock_t *lock) { return lock_until(lock, pthread_rwlock_trywrlock, NULL); }

int pthread_rwlock_unlock(pthread_rwlock_t *lock) {
  struct rwlock *l = of(lock);
  if (atomic_load(&l->holders) == WRITER) atomic_store(&l->holders, 0);
  else atomic_fetch_sub(&l->holders, 1);
  /* Also with readers left: a writer sleeps on the number that it has seen. */
  if (atomic_load(&l->waiters) > 0) word_wake_all(&l->holders);
  return 0;
}
