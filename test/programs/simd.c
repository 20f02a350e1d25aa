/*
 * simd [STEPS]: bodies under gravity in f32x4, a byte histogram shuffle in i8x16, a hash in i32x4 and i64x2; built
 * with -msimd128. With -mrelaxed-simd also a relaxed instruction, on operands where the specification leaves no
 * choice, so that the output is the same on every processor.
 */
#include <string.h>
#include <wasm_simd128.h>
#include "checksum.h"

#define BODIES 32

static v128_t x[BODIES / 4], y[BODIES / 4], vx[BODIES / 4], vy[BODIES / 4];

static void step(void) {
  const v128_t dt = wasm_f32x4_splat(0.001f), soft = wasm_f32x4_splat(0.01f);
  for (int i = 0; i < BODIES / 4; i++) {
    v128_t ax = wasm_f32x4_splat(0), ay = wasm_f32x4_splat(0), xj, yj;
    for (int j = 0; j < BODIES; j++) {
      float lanes[4];
      wasm_v128_store(lanes, x[j / 4]);
      xj = wasm_f32x4_splat(lanes[j % 4]);
      wasm_v128_store(lanes, y[j / 4]);
      yj = wasm_f32x4_splat(lanes[j % 4]);
      v128_t dx = wasm_f32x4_sub(xj, x[i]), dy = wasm_f32x4_sub(yj, y[i]);
      v128_t square = wasm_f32x4_add(wasm_f32x4_add(wasm_f32x4_mul(dx, dx), wasm_f32x4_mul(dy, dy)), soft);
      v128_t force = wasm_f32x4_div(wasm_f32x4_splat(1), wasm_f32x4_mul(square, wasm_f32x4_sqrt(square)));
      ax = wasm_f32x4_add(ax, wasm_f32x4_mul(dx, force));
      ay = wasm_f32x4_add(ay, wasm_f32x4_mul(dy, force));
    }
    vx[i] = wasm_f32x4_add(vx[i], wasm_f32x4_mul(ax, dt));
    vy[i] = wasm_f32x4_add(vy[i], wasm_f32x4_mul(ay, dt));
  }
  for (int i = 0; i < BODIES / 4; i++) {
    x[i] = wasm_f32x4_add(x[i], wasm_f32x4_mul(vx[i], dt));
    y[i] = wasm_f32x4_add(y[i], wasm_f32x4_mul(vy[i], dt));
  }
}

static v128_t mix(v128_t h, v128_t data) {
  h = wasm_v128_xor(h, data);
  h = wasm_i32x4_mul(h, wasm_i32x4_splat(0x5bd1e995));
  h = wasm_v128_or(wasm_i32x4_shl(h, 13), wasm_u32x4_shr(h, 19));
  h = wasm_i64x2_add(h, wasm_i32x4_shuffle(h, data, 3, 4, 1, 6));
  v128_t low = wasm_i8x16_swizzle(h, wasm_i8x16_const(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
#ifdef __wasm_relaxed_simd__
  /* Every index is below 16, where the relaxed instruction must agree with the strict one. */
  v128_t index = wasm_v128_and(data, wasm_i8x16_splat(15));
  return wasm_i8x16_add(low, wasm_i8x16_relaxed_swizzle(h, index));
#else
  return wasm_i8x16_add(low, wasm_i8x16_swizzle(h, wasm_v128_and(data, wasm_i8x16_splat(15))));
#endif
}

int main(int argc, char **argv) {
  long steps = size_argument(argc, argv, 1, 40);
  uint64_t state = 7, sum = CHECKSUM_START;
  for (int i = 0; i < BODIES; i++) {
    ((float *)x)[i] = (float)(random_next(&state) >> 40) / 16777216.0f;
    ((float *)y)[i] = (float)(random_next(&state) >> 40) / 16777216.0f;
  }
  v128_t hash = wasm_i32x4_const(1, 2, 3, 4);
  for (long i = 0; i < steps; i++) {
    step();
    hash = mix(hash, wasm_v128_xor(x[i % (BODIES / 4)], vy[(i + 1) % (BODIES / 4)]));
    v128_t most = wasm_i16x8_max(hash, wasm_i16x8_splat((short)i));
    sum = checksum_add_u64(sum, (uint64_t)wasm_i32x4_bitmask(most) << 8 | (uint64_t)wasm_i8x16_bitmask(hash));
  }
  sum = checksum_add(checksum_add(sum, x, sizeof x), y, sizeof y);
  sum = checksum_add(sum, &hash, sizeof hash);
  checksum_print("simd", sum);
  return 0;
}
