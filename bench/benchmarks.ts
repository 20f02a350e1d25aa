/** All benchmarks, in the order of docs/PERFORMANCE.md. */
import type { Benchmark } from './benchmark.ts';
import { overhead } from './overhead.ts';

export const BENCHMARKS: readonly Benchmark[] = [overhead];
