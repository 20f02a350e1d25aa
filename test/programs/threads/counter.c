/*
 * Threads that count under locks of every kind. Usage: counter [rounds] [threads]
 * Each thread adds to shared numbers that nothing but the locks keeps right.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 32 };

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive, checking, contended;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static volatile long counts[5];
static long timeouts;
static int rounds = 20000;

static void count_twice(int depth) {
  pthread_mutex_lock(&recursive);
  if (depth > 0) count_twice(depth - 1);
  counts[1]++;
  pthread_mutex_unlock(&recursive);
}

static void check_errors(void) {
  pthread_mutex_lock(&checking);
  if (pthread_mutex_lock(&checking) != EDEADLK) abort();
  if (pthread_mutex_trylock(&checking) != EBUSY) abort();
  counts[2]++;
  pthread_mutex_unlock(&checking);
  if (pthread_mutex_unlock(&checking) != EPERM) abort();
}

/* The initial thread holds this one all the time. */
static void wait_in_vain(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 2000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  if (pthread_mutex_timedlock(&contended, &until) != ETIMEDOUT) abort();
  pthread_mutex_lock(&plain);
  timeouts++;
  pthread_mutex_unlock(&plain);
}

static void *work(void *argument) {
  long number = (long)argument;
  for (int i = 0; i < rounds; i++) {
    pthread_mutex_lock(&plain);
    counts[0] += number + 1;
    pthread_mutex_unlock(&plain);
    if (i % 16 == 0) count_twice(1);
    if (i % 16 == 4) check_errors();
    if (i % 16 == 8) {
      pthread_rwlock_wrlock(&shared);
      counts[3]++;
      pthread_rwlock_unlock(&shared);
    } else if (i % 4 == 1) {
      pthread_rwlock_rdlock(&shared);
      long seen = counts[3];
      if (seen != counts[3]) abort();
      pthread_rwlock_unlock(&shared);
    }
    pthread_spin_lock(&spin);
    counts[4]++;
    pthread_spin_unlock(&spin);
    if (i % (rounds / 4 + 1) == 0) wait_in_vain();
  }
  return (void *)(number * number);
}

int main(int argc, char **argv) {
  if (argc > 1) rounds = atoi(argv[1]);
  int threads = argc > 2 ? atoi(argv[2]) : 4;
  if (rounds < 1 || threads < 1 || threads > MOST) return 2;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checking, &attributes);
  pthread_mutex_init(&contended, NULL);
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  pthread_mutex_lock(&contended);
  pthread_t started[MOST];
  for (long i = 0; i < threads; i++) {
    if (pthread_create(&started[i], NULL, work, (void *)i) != 0) return 3;
  }
  for (int i = 0; i < threads; i++) {
    void *result;
    if (pthread_join(started[i], &result) != 0) return 4;
    printf("thread %d: %ld\n", i, (long)result);
  }
  printf("plain %ld, recursive %ld, checking %ld, shared %ld, spin %ld\n", counts[0], counts[1], counts[2], counts[3],
         counts[4]);
  printf("timeouts %ld\n", timeouts);
  return 0;
}
