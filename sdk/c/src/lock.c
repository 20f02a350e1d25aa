/* Locks in a word, after Drepper, "Futexes are tricky" (the third mutex), and times. */
#include <errno.h>

#include "internal.h"

enum { FREE, HELD, CONTENDED };

int time_left(clockid_t clock, const struct timespec *until, int64_t *nanoseconds) {
  *nanoseconds = FOREVER;
  if (until == NULL) return 0;
  if (until->tv_nsec < 0 || until->tv_nsec >= 1000000000) return EINVAL;
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return EINVAL;
  int64_t seconds = (int64_t)until->tv_sec - now.tv_sec;
  /* About 146 years: as good as for ever, and the product does not overflow. */
  if (seconds > INT64_MAX / 2000000000) return 0;
  int64_t left = seconds < 0 ? 0 : seconds * 1000000000 + until->tv_nsec - now.tv_nsec;
  *nanoseconds = left < 0 ? 0 : left;
  return 0;
}

bool word_trylock(atomic_int *lock) {
  int expected = FREE;
  return atomic_compare_exchange_strong(lock, &expected, HELD);
}

int word_lock_until(atomic_int *lock, clockid_t clock, const struct timespec *until) {
  if (word_trylock(lock)) return 0;
  while (atomic_exchange(lock, CONTENDED) != FREE) {
    int64_t left;
    int wrong = time_left(clock, until, &left);
    if (wrong != 0) return wrong;
    if (left == 0) return ETIMEDOUT;
    word_wait(lock, CONTENDED, left);
  }
  return 0;
}

void word_lock(atomic_int *lock) { word_lock_until(lock, CLOCK_REALTIME, NULL); }

void word_unlock(atomic_int *lock) {
  if (atomic_exchange(lock, FREE) == CONTENDED) word_wake(lock, 1);
}

void recursive_lock(struct recursive_lock *lock) {
  struct __pthread *self = pthread_self();
  if (atomic_load(&lock->owner) != self) {
    word_lock(&lock->word);
    atomic_store(&lock->owner, self);
  }
  lock->depth++;
}

void recursive_unlock(struct recursive_lock *lock) {
  if (--lock->depth > 0) return;
  atomic_store(&lock->owner, NULL);
  word_unlock(&lock->word);
}
