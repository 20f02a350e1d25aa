/** The few figures that a list of measured times is reduced to. */
import { assert } from '../src/base/assert.ts';

/**
 * The least of the samples. For work that always takes the same path, everything above it is disturbance: other
 * programs, interrupts, a cold cache.
 */
export function best(samples: readonly number[]): number {
  assert(samples.length > 0, 'the best of no samples');
  return Math.min(...samples);
}

/** The middle of the samples (of an even number: the mean of the two middle ones), for work that varies by itself. */
export function median(samples: readonly number[]): number {
  assert(samples.length > 0, 'the median of no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
}

/** The geometric mean of positive numbers: the only mean of ratios that does not depend on which side is the base. */
export function geometricMean(ratios: readonly number[]): number {
  assert(ratios.length > 0 && ratios.every((ratio) => ratio > 0), 'a geometric mean of positive numbers');
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** What `share` of the samples (0 to 1) do not exceed. */
export function percentile(samples: readonly number[], share: number): number {
  assert(samples.length > 0, 'a percentile of no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)]!;
}
