/* search [KIB]: finds words in a text: by the library's memchr and memcmp, by Horspool's tables, by brute force. */
#include <string.h>
#include "checksum.h"

static const char *const WORDS[] = {"godwit", "needle in", "abababab", "zzz", "the home node", "e", "qu", "migration"};
#define COUNT (sizeof WORDS / sizeof *WORDS)

static long by_library(const char *text, size_t length, const char *word) {
  size_t n = strlen(word);
  long found = 0;
  const char *end = text + length - n;
  for (const char *at = text; at <= end && (at = memchr(at, word[0], (size_t)(end - at) + 1)) != NULL; at++) {
    if (memcmp(at, word, n) == 0) found++;
  }
  return found;
}

static long by_horspool(const char *text, size_t length, const char *word) {
  size_t n = strlen(word), skip[256];
  for (int i = 0; i < 256; i++) skip[i] = n;
  for (size_t i = 0; i + 1 < n; i++) skip[(unsigned char)word[i]] = n - 1 - i;
  long found = 0;
  for (size_t at = 0; at + n <= length; at += skip[(unsigned char)text[at + n - 1]]) {
    size_t i = n;
    while (i > 0 && text[at + i - 1] == word[i - 1]) i--;
    if (i == 0) found++;
  }
  return found;
}

static long by_force(const char *text, size_t length, const char *word) {
  long found = 0;
  for (size_t at = 0; at < length; at++) {
    size_t i = 0;
    while (word[i] != 0 && at + i < length && text[at + i] == word[i]) i++;
    if (word[i] == 0) found++;
  }
  return found;
}

int main(int argc, char **argv) {
  size_t length = (size_t)size_argument(argc, argv, 1, 16) * 1024;
  char *text = malloc(length);
  uint64_t state = 5, sum = CHECKSUM_START;
  for (size_t i = 0; i < length;) {
    uint64_t r = random_next(&state);
    const char *word = WORDS[r >> 8 & 7];
    /* One word in sixteen is whole, the rest are letters that begin like one. */
    size_t n = (r & 15) == 0 ? strlen(word) : (r >> 4 & 7) % strlen(word) + 1;
    for (size_t k = 0; k < n && i < length; k++) text[i++] = word[k];
    if (i < length) text[i++] = " etaoin "[r >> 16 & 7];
  }
  for (size_t w = 0; w < COUNT; w++) {
    sum = checksum_add_u64(sum, (uint64_t)by_library(text, length, WORDS[w]));
    sum = checksum_add_u64(sum, (uint64_t)by_horspool(text, length, WORDS[w]));
    sum = checksum_add_u64(sum, (uint64_t)by_force(text, length, WORDS[w]));
  }
  checksum_print("search", sum);
  return 0;
}
