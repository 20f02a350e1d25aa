/* Thread-specific data, and things that are done once. */
#include <errno.h>

#include "internal.h"

struct key {
  bool used;
  unsigned generation;
  void (*destroy)(void *);
};

static atomic_int lock;
static struct key keys[KEYS];

int pthread_key_create(pthread_key_t *key, void (*destroy)(void *)) {
  int error = EAGAIN;
  word_lock(&lock);
  for (unsigned i = 0; i < KEYS; i++) {
    if (keys[i].used) continue;
    keys[i] = (struct key){.used = true, .generation = keys[i].generation + 1, .destroy = destroy};
    *key = i;
    error = 0;
    break;
  }
  word_unlock(&lock);
  return error;
}

int pthread_key_delete(pthread_key_t key) {
  if (key >= KEYS) return EINVAL;
  word_lock(&lock);
  keys[key].used = false;
  word_unlock(&lock);
  return 0;
}

void *pthread_getspecific(pthread_key_t key) {
  if (key >= KEYS) return NULL;
  struct key_value *value = &pthread_self()->values[key];
  return value->generation == keys[key].generation ? value->value : NULL;
}

int pthread_setspecific(pthread_key_t key, const void *value) {
  if (key >= KEYS || !keys[key].used) return EINVAL;
  pthread_self()->values[key] = (struct key_value){keys[key].generation, (void *)value};
  return 0;
}

void run_key_destructors(void) {
  struct key_value *values = pthread_self()->values;
  bool again = true;
  for (int round = 0; again && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
    again = false;
    for (unsigned i = 0; i < KEYS; i++) {
      void *value = values[i].value;
      values[i].value = NULL;
      word_lock(&lock);
      struct key key = keys[i];
      word_unlock(&lock);
      if (value == NULL || !key.used || key.destroy == NULL || values[i].generation != key.generation) continue;
      key.destroy(value);
      again = true;
    }
  }
}

/* The states of a pthread_once_t. */
enum { NOT_DONE, RUNNING, DONE };

int pthread_once(pthread_once_t *once, void (*run)(void)) {
  atomic_int *state = (atomic_int *)once;
  int expected = NOT_DONE;
  if (atomic_compare_exchange_strong(state, &expected, RUNNING)) {
    run();
    atomic_store(state, DONE);
    word_wake_all(state);
    return 0;
  }
  while (atomic_load(state) != DONE) word_wait(state, RUNNING, FOREVER);
  return 0;
}
