/** All benchmarks, in the order of docs/PERFORMANCE.md. */
import type { Benchmark } from './benchmark.ts';
import { depth } from './depth.ts';
import { homecall } from './homecall.ts';
import { hotloop } from './hotloop.ts';
import { migrate } from './migrate.ts';
import { reaction } from './reaction.ts';
import { overhead } from './overhead.ts';
import { rewriting } from './rewrite.ts';
import { spawn } from './spawn.ts';
import { syscall } from './syscall.ts';

export const BENCHMARKS: readonly Benchmark[] = [
  overhead,
  reaction,
  depth,
  hotloop,
  rewriting,
  migrate,
  homecall,
  syscall,
  spawn,
];
