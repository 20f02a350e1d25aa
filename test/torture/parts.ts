/**
 * What `npm run torture` is made of. A part is files of tests with an environment that makes them longer, run in rounds
 * that each have other seeds.
 */

export interface Part {
  readonly name: string;
  readonly summary: string;
  readonly files: readonly string[];
  /** Only tests whose name matches. */
  readonly only?: string;
  /** Added to GODWIT_SEED, which every round sets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How many seeds a round takes from its first one on; 1 if missing. */
  readonly seeds?: number;
  /** Each round would be the same: there is only one. */
  readonly once?: boolean;
  /** A round ends by itself after the seconds that GODWIT_SECONDS says. */
  readonly timed?: boolean;
}

export const PARTS: readonly Part[] = [
  {
    name: 'programs',
    summary: 'every fixture program, SQLite and Lua among three nodes, moved every few milliseconds',
    files: ['test/torture/programs.ts'],
    timed: true,
  },
  {
    name: 'compilers',
    summary: 'clang and Yosys, 75 and 31 MB, among three nodes, moved every few milliseconds',
    files: ['test/torture/compilers.ts'],
    timed: true,
  },
  {
    name: 'safepoints',
    summary: 'every safepoint of every short program in turn, each time in a worker that knows nothing of it',
    files: ['test/safepoints.test.ts'],
    only: 'at every safepoint',
    environment: { GODWIT_SAFEPOINTS: '20000', GODWIT_STARTED: '20' },
    once: true,
  },
  {
    name: 'moments',
    summary: 'longer programs, with threads too, captured at random moments, each time in workers started for it',
    files: ['test/safepoints.test.ts'],
    only: 'at random moments',
    environment: { GODWIT_CAPTURES: '100', GODWIT_STARTED: '1000000' },
  },
  {
    name: 'modules',
    summary: 'random modules: original, rewritten and captured; what fails is shrunk',
    files: ['src/capture/random.test.ts', 'src/capture/copies.test.ts'],
    environment: { GODWIT_RANDOM_RUNS: '60', GODWIT_RANDOM_QUICK_RUNS: '3000', GODWIT_RANDOM_COPIES_RUNS: '200' },
  },
  {
    name: 'threads',
    summary: 'all threads of a program captured and resumed together; waits and wake-ups across captures',
    files: ['src/capture/together.test.ts', 'src/guest/parking.test.ts'],
    environment: { GODWIT_THREAD_CAPTURES: '1000' },
  },
  {
    name: 'simulation',
    summary: 'clusters in virtual time: moves, links and membership under every fault',
    files: [
      'src/migration/simulation.test.ts',
      'src/migration/everypoint.test.ts',
      'src/link/storm.test.ts',
      'src/cluster/membership.test.ts',
    ],
    environment: { GODWIT_SEEDS: '2000', GODWIT_LIVES: '3' },
    seeds: 2000,
  },
  {
    name: 'bytes',
    summary: 'any bytes for the decoder, the reader of images, and whatever reads frames, calls and messages',
    files: [
      'src/wasm/decode.test.ts',
      'src/capture/image/image.test.ts',
      'src/capture/running/state.test.ts',
      'src/capture/hostile.test.ts',
      'src/abi/decode.test.ts',
      'src/abi/marshal.test.ts',
      'src/base/schema.test.ts',
      'src/link/frames.test.ts',
      'src/admin/protocol.test.ts',
      'src/node/guests/guest-baggage.test.ts',
    ],
    environment: { GODWIT_TIMES: '20' },
  },
  {
    name: 'fuzz',
    summary: 'the same readers with inputs that grow towards code not reached yet',
    files: ['test/fuzz/fuzz.test.ts', 'test/fuzz/files.test.ts'],
    environment: { GODWIT_FUZZ_SECONDS: '10' },
  },
  {
    name: 'failures',
    summary: 'real nodes killed, stopped and cut off while processes move, with threads too',
    files: ['test/e2e/failures.test.ts', 'test/e2e/thread-failures.test.ts'],
    environment: { GODWIT_ROUNDS: '3' },
  },
  {
    name: 'scripts',
    summary: 'the core scripts, captured at every safepoint (skipped where they are missing)',
    files: ['test/spec/captured.test.ts'],
    environment: { GODWIT_SPEC_ALL: '1' },
    once: true,
  },
];
