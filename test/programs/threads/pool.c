/*
 * A pool of threads that take jobs from a list; jobs make further jobs. Usage: pool [size] [threads]
 * It counts the ways to put queens on a board: every job fixes one row and leaves the rest to others, near the top.
 * Semaphores tell of jobs, every job's memory comes from malloc in one thread and goes back in another.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 16, SPLIT_ROWS = 3 };

struct job {
  struct job *next;
  unsigned columns, left, right;
  int row;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *first;
static sem_t jobs;
static atomic_long unfinished;
static sem_t all_done;
static pthread_rwlock_t totals_lock = PTHREAD_RWLOCK_INITIALIZER;
static long solutions, jobs_done;
/* Changed only while there are no jobs. */
static int size;

static void add(struct job job) {
  struct job *copy = malloc(sizeof *copy);
  if (copy == NULL) abort();
  *copy = job;
  atomic_fetch_add(&unfinished, 1);
  pthread_mutex_lock(&lock);
  copy->next = first;
  first = copy;
  pthread_mutex_unlock(&lock);
  sem_post(&jobs);
}

static long count(struct job job) {
  if (job.row == size) return 1;
  long found = 0;
  unsigned free_columns = ~(job.columns | job.left | job.right) & ((1u << size) - 1);
  while (free_columns != 0) {
    unsigned column = free_columns & -free_columns;
    free_columns ^= column;
    struct job below = {NULL, job.columns | column, (job.left | column) << 1, (job.right | column) >> 1, job.row + 1};
    if (below.row < SPLIT_ROWS) add(below);
    else found += count(below);
  }
  return found;
}

static void *work(void *argument) {
  (void)argument;
  for (;;) {
    sem_wait(&jobs);
    pthread_mutex_lock(&lock);
    struct job *job = first;
    if (job != NULL) first = job->next;
    pthread_mutex_unlock(&lock);
    if (job == NULL) return NULL;
    long found = count(*job);
    free(job);
    pthread_rwlock_wrlock(&totals_lock);
    solutions += found;
    jobs_done++;
    pthread_rwlock_unlock(&totals_lock);
    if (atomic_fetch_sub(&unfinished, 1) == 1) sem_post(&all_done);
  }
}

int main(int argc, char **argv) {
  int largest = argc > 1 ? atoi(argv[1]) : 10;
  int threads = argc > 2 ? atoi(argv[2]) : 4;
  if (largest < 4 || largest > 16 || threads < 1 || threads > MOST) return 2;
  sem_init(&jobs, 0, 0);
  sem_init(&all_done, 0, 0);
  pthread_t started[MOST];
  for (int i = 0; i < threads; i++) {
    if (pthread_create(&started[i], NULL, work, NULL) != 0) return 3;
  }
  long before = 0;
  for (size = 4; size <= largest; size++) {
    add((struct job){0});
    sem_wait(&all_done);
    pthread_rwlock_rdlock(&totals_lock);
    printf("%d queens: %ld ways\n", size, solutions - before);
    before = solutions;
    pthread_rwlock_unlock(&totals_lock);
  }
  for (int i = 0; i < threads; i++) sem_post(&jobs);
  for (int i = 0; i < threads; i++) pthread_join(started[i], NULL);
  printf("%ld jobs\n", jobs_done);
  return 0;
}
