/* fd_readdir: dots, cookies, buffers that are too small, names at the edge of a buffer, changes while reading. */
#include "check.h"

#define FILES 60
#define HEADER sizeof(__wasi_dirent_t)

struct entry {
  __wasi_dirent_t head;
  char name[64];
};

/* Takes the complete entries out of a buffer. @returns how many */
static int parse(const uint8_t *buffer, size_t used, struct entry *entries, int room) {
  int count = 0;
  for (size_t at = 0; at + HEADER <= used && count < room; count++) {
    struct entry *e = &entries[count];
    memcpy(&e->head, buffer + at, HEADER);
    if (at + HEADER + e->head.d_namlen > used) return count;
    THAT(e->head.d_namlen < sizeof e->name);
    memcpy(e->name, buffer + at + HEADER, e->head.d_namlen);
    e->name[e->head.d_namlen] = '\0';
    at += HEADER + e->head.d_namlen;
  }
  return count;
}

/* The whole directory through a buffer of that size. @returns the number of entries */
static int list(int fd, size_t size, struct entry *entries, int room) {
  uint8_t buffer[4096];
  THAT(size <= sizeof buffer);
  __wasi_dircookie_t cookie = __WASI_DIRCOOKIE_START;
  int count = 0;
  for (;;) {
    size_t used = 0;
    OK(__wasi_fd_readdir(fd, buffer, size, cookie, &used));
    THAT(used <= size);
    int got = parse(buffer, used, entries + count, room - count);
    count += got;
    /* Fewer bytes than room: that was the end. */
    if (used < size) return count;
    THAT(got > 0);
    cookie = entries[count - 1].head.d_next;
  }
}

static struct entry *find(struct entry *entries, int count, const char *name) {
  struct entry *found = NULL;
  for (int i = 0; i < count; i++) {
    if (strcmp(entries[i].name, name) != 0) continue;
    THAT(found == NULL);
    found = &entries[i];
  }
  return found;
}

static struct entry entries[2 * FILES];

static void empty(int dir) {
  int count = list(dir, 256, entries, FILES);
  THAT(count == 2);
  struct entry *self = find(entries, count, "."), *parent = find(entries, count, "..");
  THAT(self != NULL && parent != NULL);
  THAT(self->head.d_type == __WASI_FILETYPE_DIRECTORY && parent->head.d_type == __WASI_FILETYPE_DIRECTORY);
  THAT(self->head.d_ino == stat_of(dir).ino);
}

static void kinds(int dir) {
  make_file(dir, "file", "");
  OK(__wasi_path_create_directory(dir, "sub"));
  OK(__wasi_path_symlink("nowhere", dir, "link"));
  int count = list(dir, 512, entries, FILES);
  THAT(count == 5);
  struct entry *file = find(entries, count, "file"), *sub = find(entries, count, "sub"),
               *link = find(entries, count, "link");
  THAT(file != NULL && sub != NULL && link != NULL);
  THAT(file->head.d_type == __WASI_FILETYPE_REGULAR_FILE && file->head.d_ino == stat_at(dir, 0, "file").ino);
  THAT(sub->head.d_type == __WASI_FILETYPE_DIRECTORY && sub->head.d_ino == stat_at(dir, 0, "sub").ino);
  THAT(link->head.d_type == __WASI_FILETYPE_SYMBOLIC_LINK && link->head.d_ino == stat_at(dir, 0, "link").ino);

  /* From each entry's cookie the rest follows, again and again. */
  struct entry rest[8];
  uint8_t buffer[512];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < count; i++) {
      size_t used = 0;
      OK(__wasi_fd_readdir(dir, buffer, sizeof buffer, entries[i].head.d_next, &used));
      int left = parse(buffer, used, rest, 8);
      THAT(left == count - 1 - i);
      for (int j = 0; j < left; j++) THAT(strcmp(rest[j].name, entries[i + 1 + j].name) == 0);
    }
  }
  OK(__wasi_path_unlink_file(dir, "file"));
  OK(__wasi_path_unlink_file(dir, "link"));
  OK(__wasi_path_remove_directory(dir, "sub"));
}

static void small_buffers(int dir) {
  uint8_t buffer[256];
  size_t used = 7;
  /* No room for anything, not even a header: filled to the last byte, which says that there is more. */
  for (size_t size = 0; size <= HEADER; size++) {
    memset(buffer, 0xaa, sizeof buffer);
    OK(__wasi_fd_readdir(dir, buffer, size, 0, &used));
    THAT(used == size && buffer[size] == 0xaa);
  }
  static const char NAME[] = "\xd0\x94\xd0\xb5\xd0\xb9\xd1\x81\xd1\x82\xd0\xb2\xd0\xb8\xd0\xb5";
  make_file(dir, NAME, "");
  for (size_t size = HEADER + strlen(NAME) + 1; size < 130; size++) {
    int count = list(dir, size, entries, FILES);
    THAT(count == 3 && find(entries, count, NAME) != NULL);
  }
  OK(__wasi_path_unlink_file(dir, NAME));
}

static void many(int dir) {
  char name[16];
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "file.%d", i);
    make_file(dir, name, "");
  }
  static const size_t SIZES[] = {64, 100, 256, 1000, 4096};
  for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
    int count = list(dir, SIZES[s], entries, 2 * FILES);
    THAT(count == FILES + 2);
    for (int i = 0; i < FILES; i++) {
      snprintf(name, sizeof name, "file.%d", i);
      THAT(find(entries, count, name) != NULL);
    }
  }
  /* Removing what has been listed does not make the listing miss others. */
  uint8_t buffer[200];
  __wasi_dircookie_t cookie = __WASI_DIRCOOKIE_START;
  int removed = 0;
  for (;;) {
    size_t used = 0;
    OK(__wasi_fd_readdir(dir, buffer, sizeof buffer, cookie, &used));
    int got = parse(buffer, used, entries, FILES);
    for (int i = 0; i < got; i++) {
      cookie = entries[i].head.d_next;
      if (entries[i].name[0] == '.') continue;
      OK(__wasi_path_unlink_file(dir, entries[i].name));
      removed++;
    }
    if (used < sizeof buffer) break;
  }
  THAT(removed == FILES);
  THAT(list(dir, 256, entries, FILES) == 2);
}

int main(void) {
  OK(__wasi_path_create_directory(ROOT, "dir"));
  int dir = open_directory(ROOT, "dir");
  empty(dir);
  kinds(dir);
  small_buffers(dir);
  many(dir);
  uint8_t buffer[64];
  size_t used;
  IS(BADF, __wasi_fd_readdir(99, buffer, sizeof buffer, 0, &used));
  make_file(dir, "file", "");
  int fd = -1;
  OK(open_at(dir, 0, "file", 0, READ_ONLY, &fd));
  int error = __wasi_fd_readdir(fd, buffer, sizeof buffer, 0, &used);
  THAT(error == E(NOTDIR) || error == E(BADF) || error == E(NOTCAPABLE));
  OK(__wasi_fd_close(fd));
  OK(__wasi_path_unlink_file(dir, "file"));
  /* Past the end there is nothing, and that is no error. */
  OK(__wasi_fd_readdir(dir, buffer, sizeof buffer, 1000000, &used));
  THAT(used == 0);
  /* With the directory go its dots. */
  THAT(list(dir, 256, entries, FILES) == 2);
  OK(__wasi_path_remove_directory(ROOT, "dir"));
  THAT(list(dir, 256, entries, FILES) == 0);
  OK(__wasi_fd_close(dir));
  return done();
}
