/*
 * A merge sort that starts a thread for one half as long as it may. Usage: mergesort [numbers] [depth]
 * The threads write down what they do in one stream, which keeps each line in one piece.
 */
#include <pthread.h>
#include <string.h>

#include "checksum.h"

enum { LINES = 50 };

static FILE *diary;

struct part {
  uint32_t *numbers, *room;
  long count;
  int depth;
};

static void merge(const struct part *part, long half) {
  const uint32_t *left = part->numbers, *middle = left + half, *right = middle, *end = left + part->count;
  uint32_t *to = part->room;
  while (left < middle && right < end) *to++ = *left <= *right ? *left++ : *right++;
  memcpy(to, left, (size_t)(middle - left) * sizeof *to);
  to += middle - left;
  memcpy(to, right, (size_t)(end - right) * sizeof *to);
  memcpy(part->numbers, part->room, (size_t)part->count * sizeof *to);
}

static void *sort(void *argument) {
  const struct part *part = argument;
  if (part->count < 2) return NULL;
  long half = part->count / 2;
  struct part left = {part->numbers, part->room, half, part->depth - 1};
  struct part right = {part->numbers + half, part->room + half, part->count - half, part->depth - 1};
  pthread_t thread;
  if (part->depth > 0) {
    if (pthread_create(&thread, NULL, sort, &left) != 0) abort();
    for (int i = 0; i < LINES; i++) fprintf(diary, "sorting %ld numbers in %s thread\n", half, "another");
    sort(&right);
    pthread_join(thread, NULL);
  } else {
    sort(&left);
    sort(&right);
  }
  merge(part, half);
  return NULL;
}

/* How many lines the diary has; those that are not whole end the program. */
static long lines_of(const char *text) {
  long lines = 0;
  while (*text != 0) {
    char word[16] = "";
    int length = 0;
    if (sscanf(text, "sorting %*d numbers in %15s thread\n%n", word, &length) != 1 || strcmp(word, "another") != 0) abort();
    text += length;
    lines++;
  }
  return lines;
}

int main(int argc, char **argv) {
  long count = size_argument(argc, argv, 1, 400000);
  int depth = (int)size_argument(argc, argv, 2, 2);
  if (count < 1 || depth < 0 || depth > 4) return 2;
  uint32_t *numbers = malloc((size_t)count * sizeof *numbers), *room = malloc((size_t)count * sizeof *room);
  if (numbers == NULL || room == NULL) return 3;
  char *text;
  size_t length;
  diary = open_memstream(&text, &length);
  if (diary == NULL) return 3;
  uint64_t state = 42;
  for (long i = 0; i < count; i++) numbers[i] = (uint32_t)(random_next(&state) >> 32);
  sort(&(struct part){numbers, room, count, depth});
  for (long i = 1; i < count; i++) {
    if (numbers[i - 1] > numbers[i]) return 4;
  }
  fclose(diary);
  printf("%ld lines of %zu bytes\n", lines_of(text), length);
  free(text);
  checksum_print("mergesort", checksum_add(CHECKSUM_START, numbers, (size_t)count * sizeof *numbers));
  free(numbers);
  free(room);
  return 0;
}
