/**
 * The guest programs that tests, benchmarks and the demonstration run: how each is built.
 */

export interface FixtureSpec {
  /**
   * File in test/programs/. `.c` and `.cc` go through clang, `.as.ts` through AssemblyScript; `.wasm` was built with a
   * library that is not at hand here and is taken as it is.
   */
  readonly source: string;
  /** Options in addition to those that every program of its language gets. */
  readonly flags?: readonly string[];
  /** It starts threads: it is built with the layer in sdk/c, as the README there says. */
  readonly threads?: boolean;
}

/** The options that every C and C++ program is built with; 1 MiB of stack for the recursive ones. */
export const CLANG_FLAGS: readonly string[] = ['-O2', '-Wall', '-Wextra', '-Werror', '-Wl,-z,stack-size=1048576'];

/** `--debug` keeps the names of functions; without WASI's library a failed assertion is a plain trap. */
export const ASSEMBLYSCRIPT_FLAGS: readonly string[] = [
  '--optimize',
  '--debug',
  '--runtime',
  'incremental',
  '--use',
  'abort=',
];

const JUMPS: readonly string[] = ['-mllvm', '-wasm-enable-sjlj', '-lsetjmp'];
/** Exceptions in the form of the specification rather than in the older one, which is clang's default. */
const WITH_REFERENCES: readonly string[] = ['-mllvm', '-wasm-use-legacy-eh=false'];

/** The layer for threads: its directory as the compiler sees it, and the options of its README. */
export const THREADS_DIRECTORY = 'sdk/c';
export const THREADS_FLAGS: readonly string[] = [
  `@${THREADS_DIRECTORY}/threads.rsp`,
  `-I${THREADS_DIRECTORY}/include`,
  '-I.',
];

const programs = {
  hello: { source: 'hello.c' },
  echo: { source: 'echo.c' },
  ends: { source: 'ends.c', flags: ['-Wl,--max-memory=67108864'] },
  awk: { source: 'awk.c' },
  lisp: { source: 'lisp.c' },
  ray: { source: 'ray.c' },
  files: { source: 'files.c' },
  waits: { source: 'waits.c' },
  clock: { source: 'clock.c' },
  looks: { source: 'looks.c' },
  naps: { source: 'naps.c' },
  sort: { source: 'sort.c' },
  sieve: { source: 'sieve.c' },
  blocks: { source: 'blocks.c' },
  sha256: { source: 'sha256.c' },
  matmul: { source: 'matmul.c' },
  i64: { source: 'i64.c' },
  simd: { source: 'simd.c', flags: ['-msimd128'] },
  simd_relaxed: { source: 'simd.c', flags: ['-msimd128', '-mrelaxed-simd'] },
  features: { source: 'features.c', flags: ['-mmultivalue', '-Xclang', '-target-abi', '-Xclang', 'experimental-mv'] },
  tail: { source: 'tail.c', flags: ['-mtail-call'] },
  jumps: { source: 'jumps.c', flags: JUMPS },
  jumps_refs: { source: 'jumps.c', flags: [...JUMPS, ...WITH_REFERENCES] },
  throws: { source: 'throws.cc', flags: ['-fwasm-exceptions'] },
  throws_refs: { source: 'throws.cc', flags: ['-fwasm-exceptions', ...WITH_REFERENCES] },
  words: { source: 'words.cc', flags: ['-fno-exceptions'] },
  life: { source: 'life.as.ts' },
  'threads/calls': { source: 'threads/calls.c', threads: true },
  'threads/counter': { source: 'threads/counter.c', threads: true },
  'threads/queue': { source: 'threads/queue.c', threads: true },
  'threads/phases': { source: 'threads/phases.c', threads: true },
  'threads/local': { source: 'threads/local.c', threads: true },
  'threads/pool': { source: 'threads/pool.c', threads: true },
  'threads/mergesort': { source: 'threads/mergesort.c', threads: true },
  // By the libraries that everyone else has for threads, of C, C++ and Rust.
  'prebuilt/async': { source: 'threads/prebuilt/async.wasm' },
  'prebuilt/jobs': { source: 'threads/prebuilt/jobs.wasm' },
  'prebuilt/local': { source: 'threads/prebuilt/local.wasm' },
  'prebuilt/rust': { source: 'threads/prebuilt/rust.wasm' },
  'prebuilt/streams': { source: 'threads/prebuilt/streams.wasm' },
  'prebuilt/sync': { source: 'threads/prebuilt/sync.wasm' },
  // Conformance: one area of preview 1 each, by raw calls.
  'wasi/calls': { source: 'wasi/calls.c' },
  'wasi/descriptors': { source: 'wasi/descriptors.c' },
  'wasi/directories': { source: 'wasi/directories.c' },
  'wasi/hardlinks': { source: 'wasi/hardlinks.c' },
  'wasi/io': { source: 'wasi/io.c' },
  'wasi/memory': { source: 'wasi/memory.c' },
  'wasi/opening': { source: 'wasi/opening.c' },
  'wasi/paths': { source: 'wasi/paths.c' },
  'wasi/poll': { source: 'wasi/poll.c' },
  'wasi/readdir': { source: 'wasi/readdir.c' },
  'wasi/rename': { source: 'wasi/rename.c' },
  'wasi/rights': { source: 'wasi/rights.c' },
  'wasi/sockets': { source: 'wasi/sockets.c' },
  'wasi/stdio': { source: 'wasi/stdio.c' },
  'wasi/symlinks': { source: 'wasi/symlinks.c' },
  'wasi/times': { source: 'wasi/times.c' },
} as const satisfies Record<string, FixtureSpec>;

export type FixtureName = keyof typeof programs;
export const FIXTURES: Readonly<Record<FixtureName, FixtureSpec>> = programs;
