/**
 * The programs of the demonstration. demo/*.wasm are built from test/programs/ (the package has no compiler); scripts/demo-programs.ts
 * builds them, a test holds them to their sources.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Job {
  /** Also the name of the file in demo/ and of its source in test/programs/, without their endings. */
  readonly name: 'ray' | 'lisp' | 'sha256' | 'files' | 'awk';
  readonly args: readonly string[];
  readonly what: string;
  /** How it is moved: by itself at an interval in microseconds, or by `godwit migrate`. */
  readonly moved: { readonly by: 'hop'; readonly micros: number } | { readonly by: 'command' };
}

/** Sizes: about two seconds of computing each. The intervals are such that moves seldom fall together. */
export const JOBS: readonly Job[] = [
  { name: 'ray', args: ['4000'], what: 'ray tracer', moved: { by: 'hop', micros: 250_000 } },
  { name: 'lisp', args: ['fib', '33'], what: 'Lisp interpreter', moved: { by: 'hop', micros: 330_000 } },
  { name: 'sha256', args: ['130000000'], what: 'hashing', moved: { by: 'hop', micros: 410_000 } },
  { name: 'files', args: ['100', '20000'], what: 'files', moved: { by: 'hop', micros: 290_000 } },
  { name: 'awk', args: ['1400', '100000'], what: 'nested loops', moved: { by: 'command' } },
];

/** Where the programs are. */
export function programPath(job: Job): string {
  return path.join(fileURLToPath(new URL('../../../demo', import.meta.url)), `${job.name}.wasm`);
}
