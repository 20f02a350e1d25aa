/**
 * The guest programs that tests, benchmarks and the demonstration run: how each is built.
 */

export interface FixtureSpec {
  /** File in test/programs/. `.c` and `.cc` go through clang, `.as.ts` through AssemblyScript. */
  readonly source: string;
  /** Options for the compiler in addition to {@link DEFAULT_FLAGS}. */
  readonly flags?: readonly string[];
}

/** The options that every C and C++ program is built with; 1 MiB of stack for the recursive ones. */
export const DEFAULT_FLAGS: readonly string[] = ['-O2', '-Wall', '-Wextra', '-Werror', '-Wl,-z,stack-size=1048576'];

const specs = {
  hello: { source: 'hello.c' },
  awk: { source: 'awk.c' },
  lisp: { source: 'lisp.c' },
  ray: { source: 'ray.c' },
  files: { source: 'files.c' },
  waits: { source: 'waits.c' },
} as const satisfies Record<string, FixtureSpec>;

export type FixtureName = keyof typeof specs;
export const FIXTURES: Readonly<Record<FixtureName, FixtureSpec>> = specs;
