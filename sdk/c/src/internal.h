/* What the parts of the layer share: waiting on a word of memory, and the record of a thread. */
#ifndef GODWIT_INTERNAL_H
#define GODWIT_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { FOREVER = -1 };

/*
 * Sleeps while *word is `expected`, until somebody wakes it, or for so many nanoseconds. May return early.
 * Returns 2 if the time is over.
 */
static inline int word_wait(atomic_int *word, int expected, int64_t nanoseconds) {
  return __builtin_wasm_memory_atomic_wait32((int *)word, expected, nanoseconds);
}

static inline void word_wake(atomic_int *word, unsigned count) {
  __builtin_wasm_memory_atomic_notify((int *)word, count);
}

static inline void word_wake_all(atomic_int *word) { word_wake(word, UINT_MAX); }

/*
 * Nanoseconds from now until a moment of the clock; 0 if it has passed. FOREVER for a null pointer. A moment that is
 * none gives EINVAL (an error number, 0 otherwise).
 */
int time_left(clockid_t clock, const struct timespec *until, int64_t *nanoseconds);

/* A lock in one word, 0 if it is free: 1 if it is held, 2 if somebody may wait for it besides. */
void word_lock(atomic_int *lock);
void word_unlock(atomic_int *lock);
/* Returns 0, or ETIMEDOUT or EINVAL. */
int word_lock_until(atomic_int *lock, clockid_t clock, const struct timespec *until);
bool word_trylock(atomic_int *lock);

/* A lock that its holder may take again. */
struct recursive_lock {
  atomic_int word;
  struct __pthread *_Atomic owner;
  unsigned depth;
};

void recursive_lock(struct recursive_lock *lock);
void recursive_unlock(struct recursive_lock *lock);

enum { KEYS = PTHREAD_KEYS_MAX };

struct key_value {
  /* Which of the keys that have had this number the value is of. */
  unsigned generation;
  void *value;
};

enum thread_state { JOINABLE, JOINED, DETACHED };

/* It lies at the start of the block that also holds the thread's own data and its stack. */
struct __pthread {
  /* thread.c knows the offsets of these three in its assembly code. */
  void *stack;
  void *tls;
  atomic_int ended;
  atomic_int state;
  void *(*run)(void *);
  void *argument;
  void *result;
  /* Next in the list of detached threads whose blocks wait for being freed. */
  struct __pthread *next;
  /* Where pthread_exit jumps to: a jmp_buf. */
  void *exit;
  struct __ptcb *cleanup;
  struct key_value values[KEYS];
};

/* Calls the destructors of the thread's keys. */
void run_key_destructors(void);

#endif
