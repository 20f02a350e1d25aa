/**
 * The programs of the demonstration. demo/*.wasm are built from test/programs/ (the package has no compiler); a test
 * holds them to their sources.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Job {
  /** Also the name of the file in demo/, without its ending. */
  readonly name: string;
  readonly args: readonly string[];
  readonly what: string;
  /** How it is moved: by itself at an interval in microseconds, or by `godwit migrate`. */
  readonly moved: { readonly by: 'hop'; readonly micros: number } | { readonly by: 'command' };
}

/** Sizes: about two seconds of computing each on a usual machine. */
export const JOBS: readonly Job[] = [
  { name: 'ray', args: ['640'], what: 'ray tracer', moved: { by: 'hop', micros: 250_000 } },
  { name: 'lisp', args: ['queens', '8'], what: 'Lisp interpreter', moved: { by: 'hop', micros: 330_000 } },
  { name: 'sha256', args: ['200000000'], what: 'hashing', moved: { by: 'hop', micros: 410_000 } },
  { name: 'files', args: ['200', '50000'], what: 'reads and writes files', moved: { by: 'hop', micros: 290_000 } },
  { name: 'awk', args: ['1000', '100000'], what: 'nested loops', moved: { by: 'command' } },
];

/** Where the programs are. */
export function programPath(job: Job): string {
  return path.join(fileURLToPath(new URL('../../../demo', import.meta.url)), `${job.name}.wasm`);
}
