/*
 * Every way of waiting that <pthread.h> and <semaphore.h> have. Usage: sync [rounds] [threads]
 * Each thread changes shared numbers that nothing but the locks keeps right.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 16, ROOM = 4 };

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__))

static void fail(int line) {
  fprintf(stderr, "sync.c:%d\n", line);
  exit(1);
}

static int rounds = 200, threads = 4;

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive, checking, held;
static long counts[3];

static void use_mutexes(void) {
  pthread_mutex_lock(&plain);
  counts[0]++;
  pthread_mutex_unlock(&plain);
  for (int depth = 0; depth < 3; depth++) CHECK(pthread_mutex_lock(&recursive) == 0);
  counts[1]++;
  for (int depth = 0; depth < 3; depth++) CHECK(pthread_mutex_unlock(&recursive) == 0);
  CHECK(pthread_mutex_lock(&checking) == 0);
  CHECK(pthread_mutex_lock(&checking) == EDEADLK);
  counts[2]++;
  CHECK(pthread_mutex_unlock(&checking) == 0);
  CHECK(pthread_mutex_unlock(&checking) == EPERM);
}

static struct timespec soon(clockid_t clock, long milliseconds) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1000000;
  if (time.tv_nsec >= 1000000000) time.tv_sec++, time.tv_nsec -= 1000000000;
  return time;
}

/* The initial thread holds this mutex while the others run, and nobody signals this condition. */
static pthread_cond_t never;

static void wait_in_vain(void) {
  struct timespec until = soon(CLOCK_REALTIME, 2);
  CHECK(pthread_mutex_trylock(&held) == EBUSY);
  CHECK(pthread_mutex_timedlock(&held, &until) == ETIMEDOUT);
  pthread_mutex_lock(&plain);
  until = soon(CLOCK_MONOTONIC, 2);
  int result;
  while ((result = pthread_cond_timedwait(&never, &plain, &until)) == 0) continue;
  CHECK(result == ETIMEDOUT);
  pthread_mutex_unlock(&plain);
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long left, right;
static long read_unequal;

static void read_and_write(int number, int round) {
  if ((round + number) % 4 == 0) {
    pthread_rwlock_wrlock(&lock);
    left++;
    right++;
    pthread_rwlock_unlock(&lock);
    return;
  }
  pthread_rwlock_rdlock(&lock);
  if (left != right) __atomic_fetch_add(&read_unequal, 1, __ATOMIC_SEQ_CST);
  pthread_rwlock_unlock(&lock);
}

/* A ring: even threads put numbers in, odd ones take them out. */
static sem_t room, full;
static pthread_spinlock_t spin;
static int ring[ROOM], first, last;
static unsigned long sum;

static void pass_on(int number, int round) {
  if (number % 2 == 0) {
    while (sem_wait(&room) != 0) CHECK(errno == EINTR);
    pthread_spin_lock(&spin);
    ring[last] = round * MOST + number;
    last = (last + 1) % ROOM;
    pthread_spin_unlock(&spin);
    sem_post(&full);
    return;
  }
  while (sem_wait(&full) != 0) CHECK(errno == EINTR);
  pthread_spin_lock(&spin);
  sum += ring[first];
  first = (first + 1) % ROOM;
  pthread_spin_unlock(&spin);
  sem_post(&room);
}

/* Threads go one after the other, each woken by the one before. */
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static int whose;
static long turns;

static void take_turn(int number) {
  pthread_mutex_lock(&plain);
  while (whose != number) pthread_cond_wait(&turn, &plain);
  turns = turns * 31 % 1000003 + number;
  whose = (whose + 1) % threads;
  pthread_cond_broadcast(&turn);
  pthread_mutex_unlock(&plain);
}

static pthread_barrier_t barrier;
static long present, serials, absent;

static void meet(int round) {
  __atomic_fetch_add(&present, 1, __ATOMIC_SEQ_CST);
  int result = pthread_barrier_wait(&barrier);
  if (__atomic_load_n(&present, __ATOMIC_SEQ_CST) < (long)threads * (round + 1)) absent++;
  if (result == PTHREAD_BARRIER_SERIAL_THREAD) serials++;
  pthread_barrier_wait(&barrier);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;

static void initialise(void) { initialised++; }

static void *work(void *argument) {
  int number = *(int *)argument;
  pthread_once(&once, initialise);
  for (int round = 0; round < rounds; round++) {
    use_mutexes();
    read_and_write(number, round);
    pass_on(number, round);
    take_turn(number);
    if (round % 8 == 0) meet(round / 8);
    if (round % 64 == 0) wait_in_vain();
  }
  return argument;
}

int main(int argc, char **argv) {
  if (argc > 1) rounds = atoi(argv[1]);
  if (argc > 2) threads = atoi(argv[2]);
  CHECK(rounds > 0 && threads > 0 && threads <= MOST && threads % 2 == 0);
  pthread_mutexattr_t type;
  pthread_mutexattr_init(&type);
  pthread_mutexattr_settype(&type, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &type);
  pthread_mutexattr_settype(&type, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checking, &type);
  pthread_mutex_init(&held, NULL);
  pthread_mutex_lock(&held);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&never, &clock);
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  sem_init(&room, 0, ROOM);
  sem_init(&full, 0, 0);
  pthread_barrier_init(&barrier, NULL, threads);
  pthread_t all[MOST];
  int numbers[MOST];
  for (int i = 0; i < threads; i++) {
    numbers[i] = i;
    CHECK(pthread_create(&all[i], NULL, work, &numbers[i]) == 0);
  }
  for (int i = 0; i < threads; i++) {
    void *result = NULL;
    CHECK(pthread_join(all[i], &result) == 0 && result == &numbers[i]);
  }
  printf("mutexes %ld %ld %ld\n", counts[0], counts[1], counts[2]);
  printf("rwlock %ld %ld, %ld unequal\n", left, right, read_unequal);
  printf("semaphores %lu\n", sum);
  printf("conditions %ld\n", turns);
  printf("barrier %ld, %ld absent\n", serials, absent);
  printf("once %d\n", initialised);
}
