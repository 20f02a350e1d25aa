/* compress [KIB [ROUNDS]]: LZ77 with hash chains over a generated text, packed into bytes; then unpacked and compared. */
#include <string.h>
#include "checksum.h"

#define HASH_BITS 14
#define WINDOW 32768
#define LONGEST 255
#define SHORTEST 4
#define TRIES 24

static int32_t head[1 << HASH_BITS], previous[WINDOW];

static uint32_t hash_of(const unsigned char *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word * 2654435761u >> (32 - HASH_BITS);
}

static size_t match_length(const unsigned char *a, const unsigned char *b, size_t most) {
  size_t n = 0;
  while (n < most && a[n] == b[n]) n++;
  return n;
}

/* A literal is its byte behind a 0 bit of the flags; a match is a length and a distance in three bytes. */
static size_t pack(const unsigned char *text, size_t length, unsigned char *out) {
  size_t at = 0, written = 0, flags = 0;
  int bit = 8;
  memset(head, -1, sizeof head);
  while (at < length) {
    size_t best = 0, distance = 0, most = length - at < LONGEST ? length - at : LONGEST;
    if (most >= SHORTEST) {
      uint32_t h = hash_of(text + at);
      int32_t candidate = head[h];
      for (int tries = TRIES; candidate >= 0 && (int32_t)at - candidate < WINDOW && tries > 0; tries--) {
        size_t n = match_length(text + candidate, text + at, most);
        if (n > best) {
          best = n;
          distance = at - (size_t)candidate;
        }
        candidate = previous[candidate & (WINDOW - 1)];
      }
    }
    if (bit == 8) {
      flags = written++;
      out[flags] = 0;
      bit = 0;
    }
    size_t step = best >= SHORTEST ? best : 1;
    if (step > 1) {
      out[flags] |= (unsigned char)(1 << bit);
      out[written++] = (unsigned char)step;
      out[written++] = (unsigned char)distance;
      out[written++] = (unsigned char)(distance >> 8);
    } else out[written++] = text[at];
    bit++;
    for (size_t end = at + step; at < end; at++) {
      if (at + SHORTEST > length) continue;
      uint32_t h = hash_of(text + at);
      previous[at & (WINDOW - 1)] = head[h];
      head[h] = (int32_t)at;
    }
  }
  return written;
}

static size_t unpack(const unsigned char *in, size_t length, unsigned char *text) {
  size_t at = 0, written = 0;
  while (at < length) {
    unsigned flags = in[at++];
    for (int bit = 0; bit < 8 && at < length; bit++) {
      if (flags >> bit & 1) {
        size_t n = in[at], distance = (size_t)in[at + 1] | (size_t)in[at + 2] << 8;
        at += 3;
        for (size_t i = 0; i < n; i++, written++) text[written] = text[written - distance];
      } else text[written++] = in[at++];
    }
  }
  return written;
}

int main(int argc, char **argv) {
  static const char *const words[] = {"the ", "process ", "moves ", "from ",  "node ",
                                      "to ",  "and ",     "it ",    "never ", "knows "};
  size_t length = (size_t)size_argument(argc, argv, 1, 8) * 1024;
  long rounds = size_argument(argc, argv, 2, 1);
  unsigned char *text = malloc(length), *packed = malloc(length * 2), *again = malloc(length);
  uint64_t state = 17, sum = CHECKSUM_START;
  for (size_t i = 0; i < length;) {
    uint64_t r = random_next(&state);
    const char *word = words[r % 10];
    for (; *word != 0 && i < length; word++) text[i++] = (unsigned char)*word;
    if ((r >> 8 & 15) == 0 && i < length) text[i++] = (unsigned char)('0' + (r >> 16) % 10);
  }
  for (long round = 0; round < rounds; round++) {
    size_t size = pack(text, length, packed);
    if (unpack(packed, size, again) != length || memcmp(text, again, length) != 0) return 1;
    sum = checksum_add(checksum_add_u64(sum, size), packed, size);
  }
  checksum_print("compress", sum);
  return 0;
}
