/**
 * What of the core scripts is not run, or does not end as they demand, each with its reason. The list can only shrink:
 * the test fails if something in it is not met any more.
 */

/**
 * Features that the engine refuses, as its message names them: none. A module that uses one would run as it is, but
 * neither rewritten nor captured, and so would those that it is linked to.
 */
export const UNSUPPORTED: ReadonlyMap<string, string> = new Map();

/** A command of a script that ends otherwise. */
export interface Exception {
  readonly script: string;
  readonly line: number;
  readonly reason: string;
}

/** Of the scripts for threads, which are older than the rest. */
const OLDER = (script: string, what: string, lines: readonly number[]): Exception[] =>
  lines.map((line) => ({
    script,
    line,
    reason: `the script is older than ${what} in one module, and wants it refused`,
  }));

export const EXCEPTIONS: readonly Exception[] = [
  {
    script: 'memory64.wast',
    line: 9,
    reason: 'V8 refuses a maximum of 2^48 pages, which the standard allows',
  },
  ...OLDER('threads/imports.wast', 'two tables', [309, 313, 317]),
  ...OLDER('threads/imports.wast', 'two memories', [404, 408, 412]),
  ...OLDER('threads/memory.wast', 'two memories', [14, 15]),
];
