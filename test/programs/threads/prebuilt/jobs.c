/*
 * A pool of threads that sorts, and memory that one thread allocates and another frees.
 * Usage: jobs [numbers] [threads]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, SMALL = 256, BLOCKS = 64 };

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__))

static void fail(int line) {
  fprintf(stderr, "jobs.c:%d\n", line);
  exit(1);
}

struct job {
  struct job *next;
  void (*run)(struct job *);
  unsigned *from;
  size_t count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, idle = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static long open_jobs, done_jobs;
static int over;

static void submit(void (*run)(struct job *), unsigned *from, size_t count) {
  struct job *job = malloc(sizeof *job);
  CHECK(job != NULL);
  pthread_mutex_lock(&mutex);
  *job = (struct job){jobs, run, from, count};
  jobs = job;
  open_jobs++;
  pthread_cond_signal(&more);
  pthread_mutex_unlock(&mutex);
}

static void *worker(void *argument) {
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (jobs == NULL && !over) pthread_cond_wait(&more, &mutex);
    if (jobs == NULL) break;
    struct job *job = jobs;
    jobs = job->next;
    pthread_mutex_unlock(&mutex);
    job->run(job);
    free(job);
    pthread_mutex_lock(&mutex);
    done_jobs++;
    if (--open_jobs == 0) pthread_cond_signal(&idle);
  }
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void until_idle(void) {
  pthread_mutex_lock(&mutex);
  while (open_jobs > 0) pthread_cond_wait(&idle, &mutex);
  pthread_mutex_unlock(&mutex);
}

static int by_value(const void *a, const void *b) {
  unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
  return left < right ? -1 : left > right;
}

/* Quicksort: one half is a job for whoever has time. */
static void sort(struct job *job) {
  unsigned *from = job->from;
  size_t count = job->count;
  while (count > SMALL) {
    unsigned pivot = from[count / 2];
    size_t low = 0, high = count - 1;
    for (;;) {
      while (from[low] < pivot) low++;
      while (from[high] > pivot) high--;
      if (low >= high) break;
      unsigned kept = from[low];
      from[low++] = from[high];
      from[high--] = kept;
    }
    size_t half = high + 1;
    submit(sort, from + half, count - half);
    count = half;
  }
  qsort(from, count, sizeof *from, by_value);
}

/* Blocks in a common place: each job takes some out, looks at them, frees them, and puts new ones in. */
static char *places[BLOCKS];
static unsigned long freed;

static void exchange(struct job *job) {
  unsigned random = *job->from | 1;
  for (size_t i = 0; i < job->count; i++) {
    random = random * 1664525 + 1013904223;
    size_t size = 2 + (random >> 20);
    char *block = i % 3 == 0 ? calloc(1, size) : i % 3 == 1 ? malloc(size) : realloc(malloc(3), size);
    CHECK(block != NULL);
    memset(block, 'a' + i % 26, size - 1);
    block[size - 1] = 0;
    char *old = __atomic_exchange_n(&places[random >> 8 & (BLOCKS - 1)], block, __ATOMIC_ACQ_REL);
    if (old == NULL) continue;
    for (char *at = old; *at != 0; at++) CHECK(*at == *old);
    free(old);
    __atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
  }
}

int main(int argc, char **argv) {
  size_t count = argc > 1 ? (size_t)atol(argv[1]) : 20000;
  int threads = argc > 2 ? atoi(argv[2]) : 4;
  CHECK(count > 0 && threads > 0 && threads <= MOST);
  unsigned *numbers = malloc(count * sizeof *numbers), random = 1, before = 0, after = 0;
  CHECK(numbers != NULL);
  for (size_t i = 0; i < count; i++) before ^= numbers[i] = random = random * 1664525 + 1013904223;
  pthread_t all[MOST];
  for (int i = 0; i < threads; i++) CHECK(pthread_create(&all[i], NULL, worker, NULL) == 0);
  submit(sort, numbers, count);
  until_idle();
  for (size_t i = 0; i < count; i++) {
    CHECK(i == 0 || numbers[i - 1] <= numbers[i]);
    after ^= numbers[i];
  }
  CHECK(before == after);
  printf("sorted %zu numbers, %08x ... %08x\n", count, numbers[0], numbers[count - 1]);
  size_t each = count / 20 + 1;
  for (int i = 0; i < 2 * threads; i++) submit(exchange, &numbers[i % count], each);
  until_idle();
  for (int i = 0; i < BLOCKS; i++) {
    if (places[i] == NULL) continue;
    free(places[i]);
    freed++;
  }
  printf("freed %lu blocks\n", freed);
  pthread_mutex_lock(&mutex);
  over = 1;
  pthread_cond_broadcast(&more);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < threads; i++) CHECK(pthread_join(all[i], NULL) == 0);
}
