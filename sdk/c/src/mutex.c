/* Mutexes: normal, recursive and errorcheck; and spin locks. */
#include <errno.h>

#include "internal.h"

/* What a pthread_mutex_t holds. All 0 is a free one of type normal. */
struct mutex {
  int type;
  atomic_int lock;
  pthread_t _Atomic owner;
  unsigned depth;
};

_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "a mutex has room for this");

static struct mutex *of(pthread_mutex_t *mutex) { return (struct mutex *)mutex; }

int pthread_mutex_init(pthread_mutex_t *restrict mutex, const pthread_mutexattr_t *restrict attributes) {
  struct mutex *m = of(mutex);
  *m = (struct mutex){0};
  if (attributes != NULL) pthread_mutexattr_gettype(attributes, &m->type);
  return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex) { return atomic_load(&of(mutex)->lock) == 0 ? 0 : EBUSY; }

/* Whether this thread holds a mutex whose type knows it: then what to answer to a further lock; -1 otherwise. */
static int held_already(struct mutex *m, int refusal) {
  if (m->type == PTHREAD_MUTEX_NORMAL || atomic_load(&m->owner) != pthread_self()) return -1;
  if (m->type == PTHREAD_MUTEX_ERRORCHECK) return refusal;
  if (m->depth == UINT_MAX) return EAGAIN;
  m->depth++;
  return 0;
}

static void taken(struct mutex *m) {
  if (m->type == PTHREAD_MUTEX_NORMAL) return;
  atomic_store(&m->owner, pthread_self());
  m->depth = 1;
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  struct mutex *m = of(mutex);
  int held = held_already(m, EDEADLK);
  if (held >= 0) return held;
  int wrong = word_lock_until(&m->lock, CLOCK_REALTIME, until);
  if (wrong == 0) taken(m);
  return wrong;
}

int pthread_mutex_lock(pthread_mutex_t *mutex) { return pthread_mutex_timedlock(mutex, NULL); }

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
  struct mutex *m = of(mutex);
  int held = held_already(m, EBUSY);
  if (held >= 0) return held;
  if (!word_trylock(&m->lock)) return EBUSY;
  taken(m);
  return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
  struct mutex *m = of(mutex);
  if (m->type != PTHREAD_MUTEX_NORMAL) {
    if (atomic_load(&m->owner) != pthread_self()) return EPERM;
    if (--m->depth > 0) return 0;
    atomic_store(&m->owner, NULL);
  }
  word_unlock(&m->lock);
  return 0;
}

/* A spin lock sleeps too: a thread that spins keeps a processor from the one that it waits for. */

int pthread_spin_init(pthread_spinlock_t *lock, int shared) {
  (void)shared;
  *lock = 0;
  return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock) {
  (void)lock;
  return 0;
}

int pthread_spin_lock(pthread_spinlock_t *lock) {
  word_lock((atomic_int *)lock);
  return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock) { return word_trylock((atomic_int *)lock) ? 0 : EBUSY; }

int pthread_spin_unlock(pthread_spinlock_t *lock) {
  word_unlock((atomic_int *)lock);
  return 0;
}
