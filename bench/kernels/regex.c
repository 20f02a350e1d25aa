/* regex [KIB]: regular expressions by backtracking (. * + ? ^ $ [..] and letters), searched for in a generated text. */
#include <string.h>
#include "checksum.h"

static const char *const PATTERNS[] = {"g[aeiou]d*wit", "^[a-m]+ [n-z]+", "[0-9]+-[0-9]+$",
                                       "n?o?d?es*",     "m.v.*to",        "[^ ]+ing"};
#define COUNT (sizeof PATTERNS / sizeof *PATTERNS)

/* The length of the item at the beginning of a pattern: a letter, a dot or a set. */
static int item_length(const char *p) {
  if (*p != '[') return 1;
  int n = 1;
  while (p[n] != ']') n++;
  return n + 1;
}

static int matches(const char *p, char c) {
  if (c == 0) return 0;
  if (*p == '.') return 1;
  if (*p != '[') return *p == c;
  int inverted = p[1] == '^', found = 0;
  for (p += 1 + inverted; *p != ']'; p++) {
    if (p[1] == '-' && p[2] != ']') {
      found |= c >= p[0] && c <= p[2];
      p += 2;
    } else found |= *p == c;
  }
  return found != inverted;
}

/* The end of a match of `p` that begins at `text`, or NULL. */
static const char *match(const char *p, const char *text) {
  if (*p == 0) return text;
  if (*p == '$' && p[1] == 0) return *text == 0 ? text : NULL;
  int n = item_length(p);
  char many = p[n];
  if (many != '*' && many != '+' && many != '?') return matches(p, *text) ? match(p + n, text + 1) : NULL;
  const char *at = text;
  if (many == '?') at += matches(p, *at);
  else while (matches(p, *at)) at++;
  for (const char *least = text + (many == '+'); at >= least; at--) {
    const char *end = match(p + n + 1, at);
    if (end != NULL) return end;
  }
  return NULL;
}

int main(int argc, char **argv) {
  static const char *const words[] = {"godwit", "gadddwit", "node", "moves", "to",
                                      "12-34",  "nothing",  "abc",  "xyz",   "moving"};
  size_t length = (size_t)size_argument(argc, argv, 1, 2) * 1024;
  char *text = malloc(length + 16);
  uint64_t state = 29, sum = CHECKSUM_START;
  size_t size = 0;
  for (size_t line = 0; size < length;) {
    uint64_t r = random_next(&state);
    const char *word = words[r % 10];
    size_t n = strlen(word);
    memcpy(text + size, word, n);
    line += n + 1;
    /* Lines of some 60 letters, each ends with a 0. */
    text[size + n] = line > 60 ? 0 : ' ';
    if (line > 60) line = 0;
    size += n + 1;
  }
  text[size] = 0;
  for (size_t p = 0; p < COUNT; p++) {
    uint64_t found = 0, letters = 0;
    int start = PATTERNS[p][0] == '^';
    for (const char *line = text; line < text + size; line += strlen(line) + 1) {
      for (const char *at = line; *at != 0; at++) {
        const char *end = match(PATTERNS[p] + start, at);
        if (end != NULL) {
          found++;
          letters += (uint64_t)(end - at);
        }
        if (start) break;
      }
    }
    sum = checksum_add_u64(checksum_add_u64(sum, found), letters);
  }
  checksum_print("regex", sum);
  return 0;
}
