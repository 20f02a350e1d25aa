/*
 * ray [WIDTH [FILE.ppm]]: a ray tracer of spheres over a checked floor, with shadows and mirrors, in doubles.
 * Writes the picture (3:4) to FILE if given, prints its checksum. The result is the same on every machine: WebAssembly
 * defines floats bit by bit, and the powers are made by multiplication and sqrt alone.
 */
#include <math.h>
#include <stdbool.h>
#include "checksum.h"

typedef struct {
  double x, y, z;
} vec;

struct sphere {
  vec centre;
  double radius;
  vec colour;
  double mirror;
};

static const struct sphere SCENE[] = {
    {{0.0, 1.0, 6.0}, 1.0, {0.9, 0.2, 0.2}, 0.3},   {{-2.2, 0.8, 5.0}, 0.8, {0.2, 0.8, 0.3}, 0.2},
    {{2.1, 0.7, 4.6}, 0.7, {0.2, 0.3, 0.9}, 0.4},   {{0.9, 0.4, 3.4}, 0.4, {0.9, 0.8, 0.1}, 0.1},
    {{-0.8, 0.35, 3.0}, 0.35, {0.9, 0.9, 0.9}, 0.8}, {{0.2, 2.9, 8.5}, 1.3, {0.6, 0.3, 0.7}, 0.5},
};
#define SPHERES (sizeof SCENE / sizeof *SCENE)
#define MOST_BOUNCES 5

static vec add(vec a, vec b) { return (vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vec sub(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec scale(vec a, double k) { return (vec){a.x * k, a.y * k, a.z * k}; }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return scale(a, 1.0 / sqrt(dot(a, a))); }

/* The distance along the ray to the sphere, or a negative number. */
static double meet(const struct sphere *s, vec from, vec direction) {
  vec to = sub(s->centre, from);
  double along = dot(to, direction);
  double under = along * along - dot(to, to) + s->radius * s->radius;
  if (under < 0) return -1;
  double half = sqrt(under);
  return along - half > 1e-6 ? along - half : along + half > 1e-6 ? along + half : -1;
}

static const struct sphere *nearest(vec from, vec direction, double *distance) {
  const struct sphere *found = NULL;
  for (const struct sphere *s = SCENE; s < SCENE + SPHERES; s++) {
    double d = meet(s, from, direction);
    if (d > 0 && (found == NULL || d < *distance)) {
      found = s;
      *distance = d;
    }
  }
  return found;
}

static vec trace(vec from, vec direction, int bounces) {
  static const vec SKY = {0.5, 0.7, 1.0};
  const vec light = unit((vec){-0.5, 1.0, -0.6});
  double distance = 0;
  const struct sphere *hit = nearest(from, direction, &distance);
  vec normal, colour;
  double mirror;
  if (hit != NULL) {
    normal = unit(sub(add(from, scale(direction, distance)), hit->centre));
    colour = hit->colour;
    mirror = hit->mirror;
  } else if (direction.y < -1e-6) {
    distance = -from.y / direction.y;
    vec point = add(from, scale(direction, distance));
    bool dark = ((int)floor(point.x) + (int)floor(point.z)) & 1;
    normal = (vec){0, 1, 0};
    colour = dark ? (vec){0.2, 0.2, 0.2} : (vec){0.8, 0.8, 0.8};
    mirror = 0.15;
  } else {
    return scale(SKY, 0.6 + 0.4 * direction.y);
  }
  vec point = add(from, scale(direction, distance));
  double ignored;
  double brightness = dot(normal, light);
  if (brightness < 0 || nearest(add(point, scale(normal, 1e-6)), light, &ignored) != NULL) brightness = 0;
  vec result = scale(colour, (0.15 + 0.85 * brightness) * (1 - mirror));
  if (bounces > 0) {
    vec away = sub(direction, scale(normal, 2 * dot(direction, normal)));
    result = add(result, scale(trace(point, unit(away), bounces - 1), mirror));
  }
  return result;
}

static unsigned char level(double v) { return (unsigned char)(v <= 0 ? 0 : v >= 1 ? 255 : sqrt(v) * 255 + 0.5); }

int main(int argc, char **argv) {
  long width = size_argument(argc, argv, 1, 48), height = width * 3 / 4;
  unsigned char *picture = malloc((size_t)(width * height * 3)), *pixel = picture;
  for (long y = 0; y < height; y++) {
    for (long x = 0; x < width; x++) {
      vec direction = {(x + 0.5 - width / 2.0) / width, (height / 2.0 - y - 0.5) / width, 0.9};
      vec c = trace((vec){0, 1.5, -1}, unit(direction), MOST_BOUNCES);
      *pixel++ = level(c.x);
      *pixel++ = level(c.y);
      *pixel++ = level(c.z);
    }
  }
  if (argc > 2) {
    FILE *f = fopen(argv[2], "wb");
    if (f == NULL) {
      perror(argv[2]);
      return 1;
    }
    fprintf(f, "P6\n%ld %ld\n255\n", width, height);
    fwrite(picture, 3, (size_t)(width * height), f);
    if (fclose(f) != 0) return 1;
  }
  printf("%ld by %ld\n", width, height);
  checksum_print("ray", checksum_add(CHECKSUM_START, picture, (size_t)(pixel - picture)));
  return 0;
}
