/*
 * A grid of heat that threads compute in phases, with barriers between. Usage: phases [phases] [threads] [size]
 * The result does not depend on the number of threads.
 */
#include <pthread.h>

#include "checksum.h"

enum { MOST = 16 };

static int phases = 200, threads = 4, size = 96;
static double *now, *next;
static pthread_barrier_t computed, swapped;
static int serial;

static double *at(double *grid, int row, int column) {
  return &grid[((row + size) % size) * size + (column + size) % size];
}

static void *work(void *argument) {
  int number = (int)(long)argument;
  int first = size * number / threads, end = size * (number + 1) / threads;
  for (int phase = 0; phase < phases; phase++) {
    for (int row = first; row < end; row++) {
      for (int column = 0; column < size; column++) {
        double around = *at(now, row - 1, column) + *at(now, row + 1, column) + *at(now, row, column - 1) +
                        *at(now, row, column + 1);
        *at(next, row, column) = *at(now, row, column) * 0.5 + around * 0.125;
      }
    }
    if (pthread_barrier_wait(&computed) == PTHREAD_BARRIER_SERIAL_THREAD) {
      double *old = now;
      now = next;
      next = old;
      serial++;
    }
    pthread_barrier_wait(&swapped);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc > 1) phases = atoi(argv[1]);
  if (argc > 2) threads = atoi(argv[2]);
  if (argc > 3) size = atoi(argv[3]);
  if (phases < 1 || threads < 1 || threads > MOST || size < 1) return 2;
  size_t bytes = sizeof(double) * (size_t)size * (size_t)size;
  now = malloc(bytes);
  next = malloc(bytes);
  if (now == NULL || next == NULL) return 3;
  for (int i = 0; i < size * size; i++) now[i] = (double)(i * 7919 % 1000);
  pthread_barrier_init(&computed, NULL, (unsigned)threads);
  pthread_barrier_init(&swapped, NULL, (unsigned)threads);
  pthread_t started[MOST];
  for (long i = 0; i < threads; i++) {
    if (pthread_create(&started[i], NULL, work, (void *)i) != 0) return 4;
  }
  for (int i = 0; i < threads; i++) pthread_join(started[i], NULL);
  pthread_barrier_destroy(&computed);
  pthread_barrier_destroy(&swapped);
  uint64_t sum = checksum_add(CHECKSUM_START, now, bytes);
  printf("%d phases, %d swaps\n", phases, serial);
  checksum_print("phases", sum);
  free(now);
  free(next);
  return 0;
}
