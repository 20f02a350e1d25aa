/*
 * throws [ROUNDS]: C++ exceptions (built with -fwasm-exceptions, in both forms of exception handling): destructors that
 * run and print while an exception passes, handlers that throw again or throw something else, functions that throw out
 * of loops, and exceptions inside destructors' calls.
 */
#include <cstdio>
#include "unwind.h"
#include "checksum.h"

static uint64_t sum = CHECKSUM_START;
static uint64_t seed = 7;
static bool loud = false;

static uint32_t below(uint32_t n) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<uint32_t>(seed >> 33) % n;
}

static void note(const char *what, uint64_t value) {
  sum = checksum_add(sum, what, 3);
  sum = checksum_add_u64(sum, value);
  if (loud) std::printf("%s %" PRIu64 "\n", what, value);
}

struct Small {
  int value;
};

struct Large {
  uint64_t values[5];
  Large(uint64_t value) {
    for (auto &each : values) each = value++;
  }
  Large(const Large &other) = default;
  ~Large() { note("large gone", values[4]); }
};

/* Its destructor calls what throws, and catches it, while another exception may be on its way. */
class Guard {
  uint32_t id;

 public:
  explicit Guard(uint32_t id) : id(id) { note("enter", id); }
  ~Guard() {
    try {
      if (id % 3 == 0) throw Small{static_cast<int>(id)};
    } catch (Small &small) {
      note("inside", static_cast<uint64_t>(small.value));
    }
    note("leave", id);
  }
};

__attribute__((noinline)) static uint64_t work(uint32_t depth) {
  Guard guard(depth * 10 + below(7));
  switch (below(depth > 6 ? 4 : 9)) {
    case 0: throw Small{static_cast<int>(depth)};
    case 1: throw Large(depth * 100);
    case 2: throw depth * 1.5;
    case 3: return depth;
    default: break;
  }
  uint64_t result = 0;
  for (uint32_t i = 0; i < 3; i++) {
    Guard inner(i);
    result = result * 7 + work(depth + 1);
  }
  return result;
}

__attribute__((noinline)) static uint64_t handle(uint32_t depth) {
  try {
    try {
      Guard guard(1000 + depth);
      return work(depth);
    } catch (Small small) {
      note("small", static_cast<uint64_t>(small.value));
      if (small.value % 2 == 0) throw;
      throw Large(static_cast<uint64_t>(small.value));
    } catch (const Large &large) {
      note("large", large.values[2]);
      return large.values[0];
    }
  } catch (...) {
    note("any", depth);
    if (depth > 2) return depth;
    throw;
  }
}

int main(int argc, char **argv) {
  int rounds = static_cast<int>(size_argument(argc, argv, 1, 1000));
  for (int i = 0; i < rounds; i++) {
    loud = i % 256 == 0;
    try {
      note("value", handle(below(5)));
    } catch (double number) {
      note("double", static_cast<uint64_t>(number * 2));
    } catch (const Large &large) {
      note("at last", large.values[3]);
    } catch (Small &) {
      note("at last small", 0);
    }
  }
  checksum_print("throws", sum);
  return 0;
}
