/*
 * What belongs to a thread: variables, keys with destructors, errno, its stack; and detached ones.
 * Usage: local [rounds] [threads]
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16, KEYS = 3 };

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__))

static void fail(int line) {
  fprintf(stderr, "local.c:%d\n", line);
  exit(1);
}

static int rounds = 1000, threads = 4;

static _Thread_local unsigned long number = 17;
static _Thread_local char text[64] = "untouched";

static pthread_key_t keys[KEYS];
static long destroyed, repeated;

/* A destructor that sets its key again is called again. */
static void destroy(void *value) {
  long *left = value;
  if (--*left > 0) {
    __atomic_fetch_add(&repeated, 1, __ATOMIC_SEQ_CST);
    pthread_setspecific(keys[0], value);
    return;
  }
  __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
  free(value);
}

static void note(void *value) { ++*(long *)value; }

static unsigned long deep(int depth, unsigned long seed) {
  volatile unsigned char here[200];
  for (int i = 0; i < (int)sizeof here; i++) here[i] = (unsigned char)(seed + i);
  unsigned long below = depth == 0 ? seed : deep(depth - 1, seed * 6364136223846793005ul + 1);
  for (int i = 0; i < (int)sizeof here; i++) below = below * 31 + here[i];
  return below;
}

struct task {
  int number;
  unsigned long result;
  long cleaned;
};

static void *work(void *argument) {
  struct task *task = argument;
  CHECK(number == 17 && strcmp(text, "untouched") == 0);
  for (int i = 0; i < KEYS; i++) CHECK(pthread_getspecific(keys[i]) == NULL);
  long *left = malloc(sizeof *left);
  *left = 2;
  pthread_setspecific(keys[0], left);
  snprintf(text, sizeof text, "of thread %d", task->number);
  number = task->number;
  for (int round = 0; round < rounds; round++) {
    number = number * 6364136223846793005ul + 1442695040888963407ul;
    if (round % 100 != 0) continue;
    errno = 0;
    if (task->number % 2 == 0) CHECK(close(1000) == -1);
    pthread_cleanup_push(note, &task->cleaned);
    number += deep(20, number);
    pthread_cleanup_pop(1);
    CHECK(errno == (task->number % 2 == 0 ? EBADF : 0));
  }
  char expected[64];
  snprintf(expected, sizeof expected, "of thread %d", task->number);
  CHECK(strcmp(text, expected) == 0);
  task->result = number;
  return task;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_over = PTHREAD_COND_INITIALIZER;
static int detached_left;

static void *work_detached(void *argument) {
  number += (unsigned long)argument;
  CHECK(number == 17 + (unsigned long)argument);
  pthread_mutex_lock(&mutex);
  if (--detached_left == 0) pthread_cond_signal(&all_over);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

/* One after the other: seats and ids of threads that are over go to new ones. */
static void detached(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (int round = 0; round < 4; round++) {
    detached_left = threads;
    for (int i = 0; i < threads; i++) {
      pthread_t thread;
      int by_attribute = i % 2 == 0;
      CHECK(pthread_create(&thread, by_attribute ? &attributes : NULL, work_detached, (void *)(long)i) == 0);
      if (!by_attribute) CHECK(pthread_detach(thread) == 0);
    }
    pthread_mutex_lock(&mutex);
    while (detached_left > 0) pthread_cond_wait(&all_over, &mutex);
    pthread_mutex_unlock(&mutex);
  }
}

int main(int argc, char **argv) {
  if (argc > 1) rounds = atoi(argv[1]);
  if (argc > 2) threads = atoi(argv[2]);
  CHECK(rounds > 0 && threads > 0 && threads <= MOST);
  for (int i = 0; i < KEYS; i++) CHECK(pthread_key_create(&keys[i], i == 0 ? destroy : NULL) == 0);
  pthread_t all[MOST];
  struct task tasks[MOST] = {0};
  for (int i = 0; i < threads; i++) {
    tasks[i].number = i;
    CHECK(pthread_create(&all[i], NULL, work, &tasks[i]) == 0);
  }
  unsigned long together = 0;
  long cleaned = 0;
  for (int i = 0; i < threads; i++) {
    CHECK(pthread_join(all[i], NULL) == 0);
    together ^= tasks[i].result + i;
    cleaned += tasks[i].cleaned;
  }
  printf("threads: %08lx, cleaned up %ld\n", together, cleaned);
  printf("destructors: %ld, %ld again\n", destroyed, repeated);
  detached();
  CHECK(number == 17 && strcmp(text, "untouched") == 0);
}
