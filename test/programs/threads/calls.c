/* Every call of the layer in sdk/c, and what it says when it cannot do what is asked. Prints `ok`, or stops at a line. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void expect(const char *file, int line, const char *call, int got, int wanted) {
  if (got == wanted) return;
  fprintf(stderr, "%s:%d: %s gives %d, not %d\n", file, line, call, got, wanted);
  exit(1);
}

#define IS(wanted, call) expect(__FILE__, __LINE__, #call, call, wanted)
#define OK(call) IS(0, call)
#define THAT(condition) expect(__FILE__, __LINE__, #condition, (condition) ? 1 : 0, 1)
/* For calls that answer with -1 and errno. */
#define FAILS(error, call) (IS(-1, call), IS(error, errno))

static struct timespec in_milliseconds(clockid_t clock, long milliseconds) {
  struct timespec time;
  OK(clock_gettime(clock, &time));
  time.tv_nsec += milliseconds % 1000 * 1000000;
  time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static struct timespec soon(void) { return in_milliseconds(CLOCK_REALTIME, 3); }

static const struct timespec PAST = {1, 0}, WRONG = {1, 1000000000};

static void *return_it(void *argument) { return argument; }

static void *exit_with_it(void *argument) { pthread_exit(argument); }

static sem_t go;

static void *wait_to_go(void *argument) {
  OK(sem_wait(&go));
  return argument;
}

static void *join_self(void *argument) {
  (void)argument;
  IS(EDEADLK, pthread_join(pthread_self(), NULL));
  return NULL;
}

static void *use_stack(void *argument) {
  volatile char large[40000];
  for (size_t i = 0; i < sizeof large; i++) large[i] = (char)i;
  return large[300] == 44 ? argument : NULL;
}

static void threads(void) {
  pthread_t thread;
  void *result = NULL;
  THAT(pthread_equal(pthread_self(), pthread_self()));
  IS(EDEADLK, pthread_join(pthread_self(), NULL));
  OK(pthread_create(&thread, NULL, return_it, &go));
  THAT(!pthread_equal(thread, pthread_self()));
  OK(pthread_join(thread, &result));
  THAT(result == &go);
  OK(pthread_create(&thread, NULL, exit_with_it, &thread));
  OK(pthread_join(thread, &result));
  THAT(result == &thread);
  OK(pthread_create(&thread, NULL, join_self, NULL));
  OK(pthread_join(thread, NULL));

  pthread_attr_t attributes;
  size_t bytes = 0;
  int detached = -1;
  OK(pthread_attr_init(&attributes));
  OK(pthread_attr_getstacksize(&attributes, &bytes));
  THAT(bytes >= 65536);
  OK(pthread_attr_setstacksize(&attributes, 65536));
  OK(pthread_attr_getdetachstate(&attributes, &detached));
  THAT(detached == PTHREAD_CREATE_JOINABLE);
  OK(pthread_create(&thread, &attributes, use_stack, &go));
  OK(pthread_join(thread, &result));
  THAT(result == &go);
  OK(pthread_attr_setstacksize(&attributes, SIZE_MAX / 4));
  IS(EAGAIN, pthread_create(&thread, &attributes, use_stack, &go));

  OK(sem_init(&go, 0, 0));
  OK(pthread_create(&thread, NULL, wait_to_go, NULL));
  OK(pthread_detach(thread));
  IS(EINVAL, pthread_detach(thread));
  IS(EINVAL, pthread_join(thread, NULL));
  OK(sem_post(&go));
  OK(pthread_attr_destroy(&attributes));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *try_mutex(void *argument) {
  struct timespec until = soon();
  IS(EBUSY, pthread_mutex_trylock(argument));
  IS(ETIMEDOUT, pthread_mutex_timedlock(argument, &until));
  IS(ETIMEDOUT, pthread_mutex_timedlock(argument, &PAST));
  IS(EINVAL, pthread_mutex_timedlock(argument, &WRONG));
  return NULL;
}

static void *unlock_other(void *argument) {
  IS(EPERM, pthread_mutex_unlock(argument));
  return NULL;
}

static void in_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  OK(pthread_create(&thread, NULL, run, argument));
  OK(pthread_join(thread, NULL));
}

static void mutexes(void) {
  static const int TYPES[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
  OK(pthread_mutex_lock(&mutex));
  IS(EBUSY, pthread_mutex_destroy(&mutex));
  in_thread(try_mutex, &mutex);
  OK(pthread_mutex_unlock(&mutex));
  OK(pthread_mutex_timedlock(&mutex, &PAST));
  OK(pthread_mutex_unlock(&mutex));
  OK(pthread_mutex_destroy(&mutex));
  for (int i = 0; i < 3; i++) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t typed;
    OK(pthread_mutexattr_init(&attributes));
    OK(pthread_mutexattr_settype(&attributes, TYPES[i]));
    OK(pthread_mutex_init(&typed, &attributes));
    OK(pthread_mutex_lock(&typed));
    in_thread(try_mutex, &typed);
    if (i > 0) in_thread(unlock_other, &typed);
    IS(i == 1 ? 0 : EBUSY, pthread_mutex_trylock(&typed));
    if (i == 1) OK(pthread_mutex_unlock(&typed));
    if (i == 2) IS(EDEADLK, pthread_mutex_lock(&typed));
    IS(EBUSY, pthread_mutex_destroy(&typed));
    OK(pthread_mutex_unlock(&typed));
    if (i > 0) IS(EPERM, pthread_mutex_unlock(&typed));
    OK(pthread_mutex_destroy(&typed));
  }
  pthread_spinlock_t spin;
  OK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
  OK(pthread_spin_lock(&spin));
  IS(EBUSY, pthread_spin_trylock(&spin));
  OK(pthread_spin_unlock(&spin));
  OK(pthread_spin_trylock(&spin));
  OK(pthread_spin_unlock(&spin));
  OK(pthread_spin_destroy(&spin));
}

static pthread_cond_t cond;
static int stage;

static void *reach_stage(void *argument) {
  OK(pthread_mutex_lock(&mutex));
  stage = *(int *)argument;
  OK(pthread_cond_signal(&cond));
  OK(pthread_mutex_unlock(&mutex));
  return NULL;
}

static void conditions(void) {
  const clockid_t CLOCKS[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
  for (int i = 0; i < 2; i++) {
    pthread_condattr_t attributes;
    OK(pthread_condattr_init(&attributes));
    OK(pthread_condattr_setclock(&attributes, CLOCKS[i]));
    OK(pthread_cond_init(&cond, &attributes));
    OK(pthread_mutex_lock(&mutex));
    struct timespec until = in_milliseconds(CLOCKS[i], 3);
    int wrong;
    while ((wrong = pthread_cond_timedwait(&cond, &mutex, &until)) == 0) {
    }
    IS(ETIMEDOUT, wrong);
    IS(EINVAL, pthread_cond_timedwait(&cond, &mutex, &WRONG));
    IS(EBUSY, pthread_mutex_trylock(&mutex));
    until = in_milliseconds(CLOCKS[i], 100000);
    int wanted = i + 1;
    pthread_t thread;
    OK(pthread_create(&thread, NULL, reach_stage, &wanted));
    while (stage != wanted) OK(pthread_cond_timedwait(&cond, &mutex, &until));
    OK(pthread_mutex_unlock(&mutex));
    OK(pthread_join(thread, NULL));
    OK(pthread_cond_signal(&cond));
    OK(pthread_cond_broadcast(&cond));
    OK(pthread_cond_destroy(&cond));
  }
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void *read_and_not_write(void *argument) {
  (void)argument;
  struct timespec until = soon();
  OK(pthread_rwlock_rdlock(&lock));
  OK(pthread_rwlock_unlock(&lock));
  IS(EBUSY, pthread_rwlock_trywrlock(&lock));
  IS(ETIMEDOUT, pthread_rwlock_timedwrlock(&lock, &until));
  return NULL;
}

static void *neither_read_nor_write(void *argument) {
  (void)argument;
  struct timespec until = soon();
  IS(EBUSY, pthread_rwlock_tryrdlock(&lock));
  IS(EBUSY, pthread_rwlock_trywrlock(&lock));
  IS(ETIMEDOUT, pthread_rwlock_timedrdlock(&lock, &until));
  IS(EINVAL, pthread_rwlock_timedwrlock(&lock, &WRONG));
  return NULL;
}

static void read_write_locks(void) {
  OK(pthread_rwlock_rdlock(&lock));
  OK(pthread_rwlock_tryrdlock(&lock));
  in_thread(read_and_not_write, NULL);
  IS(EBUSY, pthread_rwlock_destroy(&lock));
  OK(pthread_rwlock_unlock(&lock));
  OK(pthread_rwlock_unlock(&lock));
  OK(pthread_rwlock_wrlock(&lock));
  in_thread(neither_read_nor_write, NULL);
  OK(pthread_rwlock_unlock(&lock));
  OK(pthread_rwlock_trywrlock(&lock));
  OK(pthread_rwlock_unlock(&lock));
  OK(pthread_rwlock_destroy(&lock));
}

static void semaphores(void) {
  sem_t semaphore;
  int value = -1;
  FAILS(EINVAL, sem_init(&semaphore, 0, UINT_MAX));
  OK(sem_init(&semaphore, 0, 1));
  OK(sem_wait(&semaphore));
  FAILS(EAGAIN, sem_trywait(&semaphore));
  struct timespec until = soon();
  FAILS(ETIMEDOUT, sem_timedwait(&semaphore, &until));
  FAILS(EINVAL, sem_timedwait(&semaphore, &WRONG));
  OK(sem_post(&semaphore));
  OK(sem_post(&semaphore));
  OK(sem_getvalue(&semaphore, &value));
  IS(2, value);
  OK(sem_trywait(&semaphore));
  OK(sem_timedwait(&semaphore, &PAST));
  OK(sem_destroy(&semaphore));
  OK(sem_init(&semaphore, 0, INT_MAX));
  FAILS(EOVERFLOW, sem_post(&semaphore));
}

static pthread_barrier_t barrier;

static void *meet(void *serial) {
  int result = pthread_barrier_wait(&barrier);
  if (result == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_fetch_add((int *)serial, 1, __ATOMIC_SEQ_CST);
  else OK(result);
  return NULL;
}

static void barriers(void) {
  pthread_t thread[2];
  int serial = 0;
  IS(EINVAL, pthread_barrier_init(&barrier, NULL, 0));
  for (int round = 0; round < 5; round++) {
    OK(pthread_barrier_init(&barrier, NULL, 3));
    for (int i = 0; i < 2; i++) OK(pthread_create(&thread[i], NULL, meet, &serial));
    meet(&serial);
    OK(pthread_barrier_destroy(&barrier));
    memset(&barrier, 0xaa, sizeof barrier);
    for (int i = 0; i < 2; i++) OK(pthread_join(thread[i], NULL));
    IS(round + 1, serial);
  }
}

static void nothing(void *value) { (void)value; }

static void keys(void) {
  static pthread_key_t all[PTHREAD_KEYS_MAX];
  pthread_key_t key;
  int value = 0;
  for (int i = 0; i < PTHREAD_KEYS_MAX; i++) OK(pthread_key_create(&all[i], nothing));
  IS(EAGAIN, pthread_key_create(&key, nothing));
  OK(pthread_setspecific(all[5], &value));
  THAT(pthread_getspecific(all[5]) == &value);
  THAT(pthread_getspecific(all[6]) == NULL);
  OK(pthread_key_delete(all[5]));
  OK(pthread_key_create(&key, NULL));
  THAT(pthread_getspecific(key) == NULL);
  OK(pthread_key_delete(key));
  IS(EINVAL, pthread_setspecific(key, &value));
  IS(EINVAL, pthread_setspecific(PTHREAD_KEYS_MAX, &value));
  IS(EINVAL, pthread_key_delete(PTHREAD_KEYS_MAX));
  for (int i = 0; i < PTHREAD_KEYS_MAX; i++) {
    if (i != 5) OK(pthread_key_delete(all[i]));
  }
}

static void *allocate(void *argument) {
  char *blocks[64] = {0};
  unsigned random = (unsigned)(size_t)argument;
  for (int i = 0; i < 4000; i++) {
    random = random * 1103515245 + 12345;
    char **block = &blocks[random >> 16 & 63];
    if (*block != NULL) {
      size_t length = strlen(*block);
      for (size_t at = 0; at < length; at++) THAT((*block)[at] == (*block)[0]);
      free(*block);
    }
    size_t size = 1 + (random >> 4 & 1023);
    *block = i % 3 == 0 ? calloc(1, size + 1) : i % 3 == 1 ? malloc(size + 1) : realloc(malloc(1), size + 1);
    THAT(*block != NULL);
    memset(*block, 'a' + i % 26, size);
    (*block)[size] = 0;
  }
  for (int i = 0; i < 64; i++) free(blocks[i]);
  return NULL;
}

static void memory(void) {
  pthread_t thread[4];
  for (size_t i = 0; i < 4; i++) OK(pthread_create(&thread[i], NULL, allocate, (void *)(i + 1)));
  for (int i = 0; i < 4; i++) OK(pthread_join(thread[i], NULL));
  void *aligned = NULL;
  OK(posix_memalign(&aligned, 256, 10));
  THAT(((size_t)aligned & 255) == 0);
  free(aligned);
  aligned = aligned_alloc(64, 128);
  THAT(aligned != NULL && ((size_t)aligned & 63) == 0);
  free(aligned);
}

int main(void) {
  threads();
  mutexes();
  conditions();
  read_write_locks();
  semaphores();
  barriers();
  keys();
  memory();
  puts("ok");
  return 0;
}
