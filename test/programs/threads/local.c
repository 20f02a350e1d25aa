/*
 * What belongs to each thread alone: thread-local variables, keys with destructors, cleanup handlers, pthread_exit from
 * deep inside; and what is done once for all. Usage: local [rounds] [threads]
 */
#include <pthread.h>

#include "checksum.h"

enum { MOST = 16 };

static _Thread_local uint64_t state = 1;
static _Thread_local unsigned char table[300] = {1, 2, 3};
static _Thread_local struct {
  _Alignas(64) int aligned;
} apart;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int initialised, destroyed, cleaned, detached_done;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static int rounds = 30000;

static void add_one(int *number) {
  pthread_mutex_lock(&lock);
  ++*number;
  pthread_mutex_unlock(&lock);
}

static void destroy(void *value) {
  free(value);
  add_one(&destroyed);
}

static void initialise(void) {
  if (pthread_key_create(&key, destroy) != 0) abort();
  initialised++;
}

static void clean(void *argument) { add_one(argument); }

_Noreturn static void leave(int depth, uint64_t result) {
  if (depth > 0) leave(depth - 1, result + (uint64_t)depth);
  uint64_t *kept = pthread_getspecific(key);
  *kept ^= result;
  void *copy = malloc(sizeof *kept);
  if (copy == NULL) abort();
  *(uint64_t *)copy = *kept;
  pthread_exit(copy);
}

static void *work(void *argument) {
  pthread_once(&once, initialise);
  uint64_t number = (uint64_t)(uintptr_t)argument;
  if ((uintptr_t)&apart % 64 != 0 || state != 1 || table[2] != 3) abort();
  uint64_t *kept = malloc(sizeof *kept);
  if (kept == NULL) abort();
  *kept = number;
  pthread_setspecific(key, kept);
  state = number * 77 + 1;
  for (int i = 0; i < rounds; i++) {
    uint64_t value = random_next(&state);
    table[value % sizeof table] += (unsigned char)(value >> 32);
    apart.aligned += (int)(value & 3);
  }
  uint64_t sum = checksum_add(checksum_add_u64(CHECKSUM_START, state), table, sizeof table);
  sum = checksum_add_u64(sum, (uint64_t)apart.aligned);
  pthread_cleanup_push(clean, &cleaned);
  leave(5, sum);
  pthread_cleanup_pop(0);
}

static void *work_detached(void *argument) {
  (void)argument;
  pthread_once(&once, initialise);
  pthread_mutex_lock(&lock);
  detached_done++;
  pthread_cond_signal(&done);
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void *leave_process(void *argument) {
  pthread_t initial = *(pthread_t *)argument;
  void *result;
  if (pthread_join(initial, &result) != 0 || result != &lock) abort();
  printf("the initial thread has left\n");
  return NULL;
}

int main(int argc, char **argv) {
  rounds = (int)size_argument(argc, argv, 1, rounds);
  int threads = (int)size_argument(argc, argv, 2, 4);
  if (rounds < 0 || threads < 1 || threads > MOST) return 2;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t started[MOST], ignored;
  for (uintptr_t i = 0; i < (uintptr_t)threads; i++) {
    if (pthread_create(&started[i], NULL, work, (void *)i) != 0) return 3;
    if (pthread_create(&ignored, &attributes, work_detached, NULL) != 0) return 3;
  }
  for (int i = 0; i < threads; i++) {
    void *result;
    if (pthread_join(started[i], &result) != 0) return 4;
    printf("thread %d: %016" PRIx64 "\n", i, *(uint64_t *)result);
    free(result);
  }
  pthread_mutex_lock(&lock);
  while (detached_done < threads) pthread_cond_wait(&done, &lock);
  pthread_mutex_unlock(&lock);
  printf("initialised %d, destroyed %d, cleaned %d, state %d\n", initialised, destroyed, cleaned, (int)state);
  static pthread_t self;
  self = pthread_self();
  if (pthread_create(&ignored, NULL, leave_process, &self) != 0) return 6;
  pthread_exit(&lock);
}
