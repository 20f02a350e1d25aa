/** All benchmarks, in the order of docs/PERFORMANCE.md. */
import type { Benchmark } from './benchmark.ts';
import { homecall } from './homecall.ts';
import { migrate } from './migrate.ts';
import { overhead } from './overhead.ts';
import { spawn } from './spawn.ts';
import { syscall } from './syscall.ts';

export const BENCHMARKS: readonly Benchmark[] = [overhead, migrate, homecall, syscall, spawn];
