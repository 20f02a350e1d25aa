/* simd_matmul [SIZE [ROUNDS]]: multiplies square matrices of floats, four at a time; SIZE is a multiple of 4. */
#include <wasm_simd128.h>
#include "checksum.h"

int main(int argc, char **argv) {
  long n = size_argument(argc, argv, 1, 16), rounds = size_argument(argc, argv, 2, 2);
  size_t bytes = (size_t)(n * n) * sizeof(float);
  float *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
  uint64_t state = 3;
  for (long i = 0; i < n * n; i++) {
    a[i] = (float)(random_next(&state) >> 40) / 16777216.0f;
    b[i] = (float)(random_next(&state) >> 40) / 16777216.0f / (float)n * 2.0f;
  }
  for (long round = 0; round < rounds; round++) {
    for (long i = 0; i < n; i++) {
      for (long j = 0; j < n; j += 4) {
        v128_t total = wasm_f32x4_splat(0);
        for (long k = 0; k < n; k++) {
          v128_t factor = wasm_f32x4_splat(a[i * n + k]);
          total = wasm_f32x4_add(total, wasm_f32x4_mul(factor, wasm_v128_load(&b[k * n + j])));
        }
        wasm_v128_store(&c[i * n + j], total);
      }
    }
    float *t = a;
    a = c;
    c = t;
  }
  checksum_print("simd_matmul", checksum_add(CHECKSUM_START, a, bytes));
  return 0;
}
