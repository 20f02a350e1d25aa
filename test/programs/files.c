/*
 * files [FILES [BYTES]]: works on files in the current directory the way programs do, and leaves nothing behind:
 * creates, writes, seeks, patches, renames, links, lists, reads back, truncates, appends, removes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "checksum.h"

static uint64_t sum = CHECKSUM_START;

static void check(int ok, const char *what) {
  if (ok) return;
  printf("files: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void name_of(char *name, const char *kind, long i) { sprintf(name, "files.dir/%s%04ld", kind, i); }

static void fill(const char *name, long bytes, uint64_t seed) {
  int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);
  check(fd >= 0, "create");
  char block[1000];
  for (long left = bytes; left > 0;) {
    size_t n = left < (long)sizeof block ? (size_t)left : sizeof block;
    for (size_t i = 0; i < n; i++) block[i] = (char)random_next(&seed);
    check(write(fd, block, n) == (ssize_t)n, "write");
    left -= (long)n;
  }
  check(lseek(fd, bytes / 2, SEEK_SET) == bytes / 2, "seek");
  check(write(fd, "patch", 5) == 5, "patch");
  check(pwrite(fd, "end", 3, bytes) == 3, "pwrite");
  check(lseek(fd, 0, SEEK_CUR) == bytes / 2 + 5, "tell");
  check(close(fd) == 0, "close");
}

static void read_back(const char *name) {
  FILE *f = fopen(name, "rb");
  check(f != NULL, "open");
  unsigned char block[777];
  for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) sum = checksum_add(sum, block, n);
  check(fclose(f) == 0, "close");
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static long list(void) {
  DIR *directory = opendir("files.dir");
  check(directory != NULL, "opendir");
  char **names = NULL;
  long count = 0;
  for (struct dirent *e; (e = readdir(directory)) != NULL;) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    names = realloc(names, (size_t)(count + 1) * sizeof *names);
    names[count++] = strdup(e->d_name);
  }
  closedir(directory);
  /* The order of a directory is the file system's own. */
  if (count > 0) qsort(names, (size_t)count, sizeof *names, by_name);
  for (long i = 0; i < count; i++) {
    sum = checksum_add(sum, names[i], strlen(names[i]) + 1);
    free(names[i]);
  }
  free(names);
  return count;
}

static void work_on(long i, long bytes) {
  char name[64], other[64];
  struct stat before, after;
  name_of(name, "f", i);
  fill(name, bytes + i, (uint64_t)i + 1);
  if (i % 3 == 0) {
    name_of(other, "renamed", i);
    check(rename(name, other) == 0, "rename");
    check(stat(name, &before) == -1 && errno == ENOENT, "the old name is gone");
    strcpy(name, other);
  }
  check(stat(name, &before) == 0, "stat");
  check(before.st_size == bytes + i + 3, "size");
  if (i % 3 == 1) {
    name_of(other, "link", i);
    check(link(name, other) == 0, "link");
    check(stat(other, &after) == 0 && after.st_nlink == 2 && after.st_ino == before.st_ino, "one file, two names");
  }
  if (i % 3 == 2) {
    name_of(other, "symlink", i);
    char target[64];
    check(symlink(strchr(name, '/') + 1, other) == 0, "symlink");
    ssize_t n = readlink(other, target, sizeof target);
    check(n == (ssize_t)strlen(name) - 10 && memcmp(target, name + 10, (size_t)n) == 0, "readlink");
    check(lstat(other, &after) == 0 && S_ISLNK(after.st_mode), "lstat");
    read_back(other);
  }
  read_back(name);
  if (i % 2 == 0) {
    check(truncate(name, bytes / 3) == 0, "truncate");
    FILE *f = fopen(name, "a");
    check(f != NULL && fprintf(f, "appended to %ld\n", i) > 0 && fclose(f) == 0, "append");
    read_back(name);
  }
}

int main(int argc, char **argv) {
  long files = size_argument(argc, argv, 1, 6), bytes = size_argument(argc, argv, 2, 5000);
  char name[64];
  check(mkdir("files.dir", 0755) == 0, "mkdir");
  check(mkdir("files.dir", 0755) == -1 && errno == EEXIST, "mkdir again");
  for (long i = 0; i < files; i++) work_on(i, bytes);
  printf("%ld entries\n", list());
  check(rmdir("files.dir") == -1 && errno == ENOTEMPTY, "rmdir of a full directory");
  for (long i = 0; i < files; i++) {
    static const char *const KINDS[] = {"f", "renamed", "link", "symlink"};
    int removed = 0;
    for (int k = 0; k < 4; k++) {
      name_of(name, KINDS[k], i);
      if (unlink(name) == 0) removed++;
    }
    check(removed == (i % 3 == 0 ? 1 : 2), "unlink");
  }
  printf("%ld entries left\n", list());
  check(rmdir("files.dir") == 0, "rmdir");
  checksum_print("files", sum);
  return 0;
}
