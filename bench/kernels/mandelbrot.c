/* mandelbrot [WIDTH]: the Mandelbrot set in doubles, 64 rounds a point at most. */
#include "checksum.h"

#define ROUNDS 64

int main(int argc, char **argv) {
  long width = size_argument(argc, argv, 1, 24);
  uint64_t sum = CHECKSUM_START;
  unsigned char *row = malloc((size_t)width);
  for (long y = 0; y < width; y++) {
    double ci = 2.0 * (double)y / (double)width - 1.0;
    for (long x = 0; x < width; x++) {
      double cr = 2.0 * (double)x / (double)width - 1.5, zr = 0, zi = 0, zr2 = 0, zi2 = 0;
      int round = 0;
      for (; round < ROUNDS && zr2 + zi2 <= 4.0; round++) {
        zi = 2.0 * zr * zi + ci;
        zr = zr2 - zi2 + cr;
        zr2 = zr * zr;
        zi2 = zi * zi;
      }
      row[x] = (unsigned char)round;
    }
    sum = checksum_add(sum, row, (size_t)width);
  }
  checksum_print("mandelbrot", sum);
  return 0;
}
