/*
 * Streams that several threads use at once: no line may be torn, lost or doubled. Usage: streams [lines] [threads]
 * Reads lines from its standard input, and uses a file of its own if it has a directory.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__))

static void fail(int line) {
  fprintf(stderr, "streams.c:%d\n", line);
  exit(1);
}

static long lines = 100;
static int threads = 4;
static FILE *common;
static unsigned long read_sum, read_lines;

static unsigned long hash(const char *text) {
  unsigned long value = 2166136261;
  for (; *text != 0; text++) value = (value ^ (unsigned char)*text) * 16777619;
  return value & 0xffffffff;
}

static void *write_lines(void *argument) {
  int number = *(int *)argument;
  for (long i = 0; i < lines; i++) {
    if (i % 3 == 0) {
      CHECK(fprintf(common, "%d %ld %s\n", number, i, "in one call") > 0);
    } else if (i % 3 == 1) {
      char line[64];
      snprintf(line, sizeof line, "%d %ld in one string\n", number, i);
      CHECK(fputs(line, common) >= 0);
    } else {
      flockfile(common);
      fprintf(common, "%d ", number);
      fprintf(common, "%ld ", i);
      for (const char *rest = "in several calls\n"; *rest != 0; rest++) putc_unlocked(*rest, common);
      funlockfile(common);
    }
    if (i % 16 == 0) fflush(common);
  }
  return NULL;
}

/* Of these it does not matter who was first. They are few: some hosts lose what a pipe has no room for. */
static void *write_same_lines(void *argument) {
  for (long i = 0; i < lines && i < 200; i++) {
    if (i % 2 == 0) {
      CHECK(printf("%s of every thread\n", "a line") > 0);
    } else {
      flockfile(stdout);
      fputs("a line of ", stdout);
      for (const char *rest = "every thread\n"; *rest != 0; rest++) putchar_unlocked(*rest);
      funlockfile(stdout);
    }
  }
  return argument;
}

static void *read_input(void *argument) {
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    __atomic_fetch_add(&read_sum, hash(line), __ATOMIC_RELAXED);
    __atomic_fetch_add(&read_lines, 1, __ATOMIC_RELAXED);
  }
  free(line);
  return argument;
}

static void run_all(void *(*run)(void *)) {
  pthread_t all[MOST];
  int numbers[MOST];
  for (int i = 0; i < threads; i++) {
    numbers[i] = i;
    CHECK(pthread_create(&all[i], NULL, run, &numbers[i]) == 0);
  }
  for (int i = 0; i < threads; i++) CHECK(pthread_join(all[i], NULL) == 0);
}

/* Lines of a thread come in their order, those of several in any. */
static void check_lines(FILE *from) {
  static const char *const KINDS[] = {"in one call\n", "in one string\n", "in several calls\n"};
  long next[MOST] = {0};
  char line[128];
  while (fgets(line, sizeof line, from) != NULL) {
    int number, at = 0;
    long index;
    CHECK(sscanf(line, "%d %ld %n", &number, &index, &at) == 2);
    CHECK(number >= 0 && number < threads && index == next[number]);
    CHECK(strcmp(line + at, KINDS[index % 3]) == 0);
    next[number]++;
  }
  for (int i = 0; i < threads; i++) CHECK(next[i] == lines);
}

int main(int argc, char **argv) {
  if (argc > 1) lines = atol(argv[1]);
  if (argc > 2) threads = atoi(argv[2]);
  CHECK(lines > 0 && threads > 0 && threads <= MOST);
  run_all(read_input);
  printf("read %lu lines, %08lx\n", read_lines, read_sum & 0xffffffff);

  char *text = NULL;
  size_t length = 0;
  common = open_memstream(&text, &length);
  CHECK(common != NULL);
  run_all(write_lines);
  CHECK(fclose(common) == 0);
  FILE *copy = fmemopen(text, length, "r");
  CHECK(copy != NULL);
  check_lines(copy);
  fclose(copy);
  printf("wrote %zu bytes to memory\n", length);

  unsigned serial;
  char name[32];
  CHECK(getentropy(&serial, sizeof serial) == 0);
  snprintf(name, sizeof name, "streams-%08x.txt", serial);
  common = fopen(name, "w+");
  if (common != NULL) {
    setvbuf(common, NULL, _IOFBF, 1000);
    run_all(write_lines);
    CHECK(ftell(common) == (long)length);
    rewind(common);
    check_lines(common);
    CHECK(fclose(common) == 0 && unlink(name) == 0);
  }
  free(text);

  common = stdout;
  run_all(write_same_lines);
}
