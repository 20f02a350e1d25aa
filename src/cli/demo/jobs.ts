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
  /** Milliseconds between two of its moves. */
  readonly everyMs: number;
  /** Whether each of its moves is told as the command that it is: these should be few. */
  readonly told: boolean;
}

/** Sizes: one to one and a half seconds of computing each. The intervals are such that moves seldom fall together. */
export const JOBS: readonly Job[] = [
  { name: 'ray', args: ['3500'], what: 'ray tracer', everyMs: 250, told: false },
  { name: 'lisp', args: ['fib', '33'], what: 'Lisp interpreter', everyMs: 330, told: false },
  { name: 'sha256', args: ['110000000'], what: 'hashing', everyMs: 410, told: false },
  { name: 'files', args: ['250', '20000'], what: 'files', everyMs: 200, told: false },
  { name: 'awk', args: ['1000', '100000'], what: 'nested loops', everyMs: 1500, told: true },
];

/** Where the programs are. */
export function programPath(job: Job): string {
  return path.join(fileURLToPath(new URL('../../../demo', import.meta.url)), `${job.name}.wasm`);
}
