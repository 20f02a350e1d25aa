/*
 * Producers and consumers of a short queue, with condition variables. Usage: queue [items] [producers] [consumers]
 * Which consumer gets what is left to chance; what all of them get together is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROOM = 8, MOST = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static uint32_t queue[ROOM];
static unsigned head, length;
static int producing;

static int items = 20000;

static void *produce(void *argument) {
  uint32_t value = (uint32_t)(long)argument;
  for (int i = 0; i < items; i++) {
    pthread_mutex_lock(&lock);
    while (length == ROOM) pthread_cond_wait(&not_full, &lock);
    queue[(head + length++) % ROOM] = value;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
    value = value * 1664525 + 1013904223;
  }
  pthread_mutex_lock(&lock);
  if (--producing == 0) pthread_cond_broadcast(&not_empty);
  pthread_mutex_unlock(&lock);
  return NULL;
}

struct sum {
  uint64_t values, squares;
  long count, timeouts;
};

static void *consume(void *argument) {
  struct sum *sum = argument;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (length == 0 && producing > 0) {
      struct timespec until;
      clock_gettime(CLOCK_REALTIME, &until);
      until.tv_sec += 1;
      int wrong = pthread_cond_timedwait(&not_empty, &lock, &until);
      if (wrong == ETIMEDOUT) sum->timeouts++;
      else if (wrong != 0) abort();
    }
    if (length == 0) {
      pthread_mutex_unlock(&lock);
      return sum;
    }
    uint64_t value = queue[head];
    head = (head + 1) % ROOM;
    length--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&lock);
    sum->values += value;
    sum->squares += value * value;
    sum->count++;
  }
}

int main(int argc, char **argv) {
  if (argc > 1) items = atoi(argv[1]);
  int producers = argc > 2 ? atoi(argv[2]) : 3;
  int consumers = argc > 3 ? atoi(argv[3]) : 2;
  if (producers < 1 || producers > MOST || consumers < 1 || consumers > MOST) return 2;
  static struct sum sums[MOST];
  pthread_t makers[MOST], takers[MOST];
  producing = producers;
  for (int i = 0; i < consumers; i++) {
    if (pthread_create(&takers[i], NULL, consume, &sums[i]) != 0) return 3;
  }
  for (long i = 0; i < producers; i++) {
    if (pthread_create(&makers[i], NULL, produce, (void *)(i + 1)) != 0) return 3;
  }
  for (int i = 0; i < producers; i++) pthread_join(makers[i], NULL);
  struct sum all = {0};
  for (int i = 0; i < consumers; i++) {
    void *result;
    pthread_join(takers[i], &result);
    const struct sum *sum = result;
    all.values += sum->values;
    all.squares += sum->squares;
    all.count += sum->count;
  }
  printf("%ld items, sum %016" PRIx64 ", squares %016" PRIx64 "\n", all.count, all.values, all.squares);
  return 0;
}
