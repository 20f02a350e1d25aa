/**
 * How the guest programs are run and what they then print: for the test that builds them all, and for every test that
 * runs them some other way and compares.
 */
import type { FixtureName } from './fixtures.ts';

export interface FixtureRun {
  readonly fixture: FixtureName;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The program wants an empty directory, given to it as `.`. */
  readonly directory?: boolean;
  /**
   * `tiny`: up to some thousand loop rounds and calls, to be captured at every safepoint. `short`: some milliseconds.
   * `long`: 0.2 to 2 seconds of computing.
   */
  readonly length: 'tiny' | 'short' | 'long';
  /** Exit status; a run that traps has none. */
  readonly status?: number;
  /** What the engine's message of the trap says. */
  readonly trap?: RegExp;
  /** The first 16 hexadecimal digits of the SHA-256 of what it prints. */
  readonly stdout: string;
}

const WAITS_INPUT = 'one\ntwo\nthree and the last line has no end';

const traps: FixtureRun[] = (
  [
    ['abort', /unreachable/, '4910bd3d9e27163d'],
    ['unreachable', /unreachable/, '7bceaba824e1a425'],
    ['load', /out of bounds/, 'e6f4365a525bbe33'],
    ['store', /out of bounds/, '8075824e58fde435'],
    ['divide', /divide by zero/, 'eaeeb73683f9ddcc'],
    ['remainder', /remainder by zero/, '87644e07fbbc9a33'],
    ['overflow', /divide result unrepresentable/, '752cb47eaa305367'],
    ['convert', /float unrepresentable/, 'e901d122780aaff0'],
    ['signature', /signature mismatch/, 'e5bc2c58bbb0a517'],
    ['table', /table index is out of bounds/, '7ed9ac3831f7d852'],
    ['null', /signature mismatch/, '38e0b9de817f645c'],
    ['stack', /call stack|out of bounds/, 'af3dbca4318a17b9'],
  ] as const
).map(([how, trap, stdout]) => ({ fixture: 'ends', args: [how], length: 'tiny', trap, stdout }));

/** Every program of test/programs/ but for the conformance ones and those with threads, at several sizes. */
export const RUNS: readonly FixtureRun[] = [
  { fixture: 'hello', args: [], length: 'tiny', status: 0, stdout: '853ff93762a06ddb' },
  { fixture: 'hello', args: ['godwit'], length: 'tiny', status: 0, stdout: '872672f61b3af3da' },
  {
    fixture: 'echo',
    args: ['ü', '', 'two words'],
    env: { A: 'ä€🐦', EMPTY: '' },
    length: 'tiny',
    status: 0,
    stdout: '3cdb5346f478dfa8',
  },
  { fixture: 'awk', args: ['3', '5'], length: 'tiny', status: 0, stdout: '314e8d95d11d823f' },
  { fixture: 'awk', args: ['100', '1000'], length: 'short', status: 0, stdout: 'ff7d1d7c30a27279' },
  { fixture: 'awk', args: ['3000', '30000'], length: 'long', status: 0, stdout: '89a801eb4a4ba5c8' },
  { fixture: 'lisp', args: ['fib', '5'], length: 'tiny', status: 0, stdout: 'c328a6d8662c28c3' },
  { fixture: 'lisp', args: ['queens', '3'], length: 'tiny', status: 0, stdout: 'f31b524e28bea44e' },
  { fixture: 'lisp', args: ['all'], length: 'short', status: 0, stdout: '1811e58b511cf740' },
  { fixture: 'lisp', args: ['deep', '1000'], length: 'short', status: 0, stdout: 'ffe332d53d92d218' },
  { fixture: 'lisp', args: ['sort', '400'], length: 'short', status: 0, stdout: 'afb3acaea452b1d9' },
  { fixture: 'lisp', args: ['fib', '27'], length: 'long', status: 0, stdout: '48ae11a2c2d4ea50' },
  { fixture: 'lisp', args: ['tak', '9'], length: 'long', status: 0, stdout: 'd7627f873f408f1c' },
  { fixture: 'lisp', args: ['queens', '9'], length: 'long', status: 0, stdout: 'd7613884dda97463' },
  { fixture: 'ray', args: ['4'], length: 'tiny', status: 0, stdout: 'fc18598181886dbd' },
  { fixture: 'ray', args: ['64', 'out.ppm'], directory: true, length: 'short', status: 0, stdout: 'd6b60a8d542be8d7' },
  { fixture: 'ray', args: ['1000'], length: 'long', status: 0, stdout: '4709b76e63417cb1' },
  { fixture: 'files', args: ['2', '100'], directory: true, length: 'tiny', status: 0, stdout: '56f999052766e777' },
  { fixture: 'files', args: ['12', '5000'], directory: true, length: 'short', status: 0, stdout: '1c48c710652a1ca8' },
  { fixture: 'files', args: ['400', '40000'], directory: true, length: 'long', status: 0, stdout: 'f1c63a6e2f035f99' },
  { fixture: 'waits', args: ['1'], stdin: WAITS_INPUT, length: 'tiny', status: 0, stdout: '934c7e2bd40f5795' },
  { fixture: 'waits', args: ['20'], stdin: WAITS_INPUT, length: 'short', status: 0, stdout: '934c7e2bd40f5795' },
  { fixture: 'sort', args: ['10'], length: 'tiny', status: 0, stdout: 'd150f445c5dd17c9' },
  { fixture: 'sort', args: ['5000'], length: 'short', status: 0, stdout: '703c328c5bc6825e' },
  { fixture: 'sort', args: ['900000'], length: 'long', status: 0, stdout: '93c54cd6660a2704' },
  { fixture: 'sieve', args: ['200'], length: 'tiny', status: 0, stdout: 'fa918cd83b462207' },
  { fixture: 'sieve', args: ['20000', '3'], length: 'short', status: 0, stdout: 'b72cf354ea4bc00f' },
  { fixture: 'sieve', args: ['2000000', '30'], length: 'long', status: 0, stdout: '0179b18888120581' },
  { fixture: 'blocks', args: ['400000'], length: 'tiny', status: 0, stdout: 'f4bb4d21a62d0ef3' },
  { fixture: 'blocks', args: ['1000000', '3'], length: 'short', status: 0, stdout: '02c732151125c091' },
  { fixture: 'blocks', args: ['8000000', '60'], length: 'long', status: 0, stdout: '0e98854984cb4970' },
  { fixture: 'sha256', args: ['100'], length: 'tiny', status: 0, stdout: '12624ee418aab575' },
  { fixture: 'sha256', args: ['20000'], length: 'short', status: 0, stdout: 'cf77a7b19f4e2990' },
  { fixture: 'sha256', args: ['60000000'], length: 'long', status: 0, stdout: 'dc4a1be5f7545c33' },
  { fixture: 'matmul', args: ['3', '2'], length: 'tiny', status: 0, stdout: 'f5dd710b3e7cdcba' },
  { fixture: 'matmul', args: ['24', '3'], length: 'short', status: 0, stdout: 'ed557e2a33dc6526' },
  { fixture: 'matmul', args: ['300', '20'], length: 'long', status: 0, stdout: 'cb0b53d179413fcf' },
  { fixture: 'i64', args: ['1'], length: 'tiny', status: 0, stdout: 'deaf0e4d7365ae49' },
  { fixture: 'i64', args: ['60'], length: 'short', status: 0, stdout: '55c5deefe138f6a8' },
  { fixture: 'i64', args: ['100000'], length: 'long', status: 0, stdout: 'cfe1ab47e011ce54' },
  { fixture: 'simd', args: ['1'], length: 'tiny', status: 0, stdout: 'facf48c02b62d95e' },
  { fixture: 'simd', args: ['200'], length: 'short', status: 0, stdout: '8a2c353a38c154fd' },
  { fixture: 'simd', args: ['100000'], length: 'long', status: 0, stdout: 'bc7317cd368e9b99' },
  { fixture: 'simd_relaxed', args: ['1'], length: 'tiny', status: 0, stdout: 'facf48c02b62d95e' },
  { fixture: 'simd_relaxed', args: ['200'], length: 'short', status: 0, stdout: '8a2c353a38c154fd' },
  { fixture: 'simd_relaxed', args: ['100000'], length: 'long', status: 0, stdout: 'bc7317cd368e9b99' },
  { fixture: 'features', args: ['2'], length: 'tiny', status: 0, stdout: '3ca623a1dd0a3cec' },
  { fixture: 'features', args: ['60'], length: 'short', status: 0, stdout: '36d3c17baa391f9d' },
  { fixture: 'features', args: ['60000'], length: 'long', status: 0, stdout: '1e92cb3a390546ce' },
  { fixture: 'tail', args: ['3'], length: 'tiny', status: 0, stdout: '9b1f5f98326ff841' },
  { fixture: 'tail', args: ['2500'], length: 'short', status: 0, stdout: '33606a363823473c' },
  { fixture: 'tail', args: ['10000000'], length: 'long', status: 0, stdout: '784f57108b04d840' },
  ...(['jumps', 'jumps_refs'] as const).flatMap((fixture): FixtureRun[] => [
    { fixture, args: ['2'], length: 'tiny', status: 0, stdout: '44f54ace49dd9e4f' },
    { fixture, args: ['300'], length: 'short', status: 0, stdout: '19a7eb8f304af4ce' },
    { fixture, args: ['60000'], length: 'long', status: 0, stdout: '74f78984d96d07d5' },
  ]),
  ...(['throws', 'throws_refs'] as const).flatMap((fixture): FixtureRun[] => [
    { fixture, args: ['2'], length: 'tiny', status: 0, stdout: '96306869cc392f8d' },
    { fixture, args: ['300'], length: 'short', status: 0, stdout: '0ad98282cc5d8af9' },
    { fixture, args: ['60000'], length: 'long', status: 0, stdout: 'cf573b2c5585c353' },
  ]),
  { fixture: 'words', args: ['5'], length: 'tiny', status: 0, stdout: '1e43b77659fc2016' },
  { fixture: 'words', args: ['400'], length: 'short', status: 0, stdout: '1835ed1b8c22c8e3' },
  { fixture: 'words', args: ['300000'], length: 'long', status: 0, stdout: '1e09ca0dd2971688' },
  { fixture: 'life', args: ['1', '4'], length: 'tiny', status: 0, stdout: '12ff6c0ba408efce' },
  { fixture: 'life', args: ['10', '24'], length: 'short', status: 0, stdout: 'db4d9cf373a2195d' },
  { fixture: 'life', args: ['60', '160'], length: 'long', status: 0, stdout: 'efc0e83b1794e609' },
  { fixture: 'ends', args: ['return', '7'], length: 'tiny', status: 7, stdout: '9e34e5324d74f5d7' },
  { fixture: 'ends', args: ['exit', '42'], length: 'tiny', status: 42, stdout: '9577a8bfed904bd5' },
  { fixture: 'ends', args: ['_Exit', '255'], length: 'tiny', status: 255, stdout: '43981c0bba1a3e66' },
  { fixture: 'ends', args: ['memory'], length: 'short', status: 0, stdout: 'e3a2860922f10acf' },
  { fixture: 'ends', args: ['nonsense'], length: 'tiny', status: 2, stdout: 'e3b0c44298fc1c14' },
  ...traps,
];

/** The programs with threads. What they print does not depend on which thread was faster. */
export const THREAD_RUNS: readonly FixtureRun[] = [
  { fixture: 'threads/calls', args: [], length: 'short', status: 0, stdout: 'dc51b8c96c2d745d' },
  { fixture: 'threads/counter', args: ['200', '3'], length: 'tiny', status: 0, stdout: '165f93bb3b90a4ab' },
  { fixture: 'threads/counter', args: ['20000', '4'], length: 'short', status: 0, stdout: 'e807a2e0c24a2435' },
  { fixture: 'threads/counter', args: ['200000', '4'], length: 'long', status: 0, stdout: '889bdf1b6fd7fade' },
  { fixture: 'threads/queue', args: ['100', '2', '2'], length: 'tiny', status: 0, stdout: 'da6e2db12db34e1c' },
  { fixture: 'threads/queue', args: ['30000', '3', '2'], length: 'short', status: 0, stdout: '441173db6d7d6362' },
  { fixture: 'threads/queue', args: ['300000', '3', '2'], length: 'long', status: 0, stdout: '2c38774739a11f25' },
  { fixture: 'threads/phases', args: ['20', '3', '16'], length: 'tiny', status: 0, stdout: '879b3de51d255635' },
  { fixture: 'threads/phases', args: ['400', '4', '128'], length: 'short', status: 0, stdout: 'a9e42f6fdb3c8f4f' },
  { fixture: 'threads/phases', args: ['4000', '4', '128'], length: 'long', status: 0, stdout: 'ea56fe3dc6aba0c2' },
  { fixture: 'threads/local', args: ['10', '2'], length: 'tiny', status: 0, stdout: 'e958f9e558f37978' },
  { fixture: 'threads/local', args: ['300000', '4'], length: 'short', status: 0, stdout: '6f9b35889770f6a5' },
  { fixture: 'threads/local', args: ['10000000', '4'], length: 'long', status: 0, stdout: '5fad60b7d554edaa' },
  { fixture: 'threads/pool', args: ['5', '2'], length: 'tiny', status: 0, stdout: 'b3020d4d070c46eb' },
  { fixture: 'threads/pool', args: ['11', '4'], length: 'short', status: 0, stdout: '57b195f816cae760' },
  { fixture: 'threads/pool', args: ['13', '4'], length: 'long', status: 0, stdout: '1905d950b0c6f3c4' },
  { fixture: 'threads/mergesort', args: ['1000', '1'], length: 'tiny', status: 0, stdout: 'c7c4b9be9d57c571' },
  { fixture: 'threads/mergesort', args: ['2000000', '2'], length: 'short', status: 0, stdout: '67f75f279b03c2df' },
  { fixture: 'threads/mergesort', args: ['8000000', '2'], length: 'long', status: 0, stdout: '6b4851fb8b166ed0' },
  { fixture: 'prebuilt/async', args: ['10', '2'], length: 'tiny', status: 0, stdout: 'df6ad3885688a184' },
  { fixture: 'prebuilt/async', args: ['100', '4'], length: 'short', status: 0, stdout: '9a0f9965c51afdc3' },
  { fixture: 'prebuilt/async', args: ['2000', '4'], length: 'long', status: 0, stdout: 'e8266e4191fe656b' },
  { fixture: 'prebuilt/jobs', args: ['1000', '2'], length: 'tiny', status: 0, stdout: '13d52bceb4d02834' },
  { fixture: 'prebuilt/jobs', args: ['50000', '4'], length: 'short', status: 0, stdout: 'e12d61c10c81d02d' },
  { fixture: 'prebuilt/jobs', args: ['1000000', '4'], length: 'long', status: 0, stdout: '0272a155f99ed97f' },
  { fixture: 'prebuilt/local', args: ['100', '2'], length: 'tiny', status: 0, stdout: '06b3e64dbc049362' },
  { fixture: 'prebuilt/local', args: ['5000', '4'], length: 'short', status: 0, stdout: '43e6eb1eedd0d923' },
  { fixture: 'prebuilt/local', args: ['400000', '4'], length: 'long', status: 0, stdout: '3ac860b37a24ac41' },
  { fixture: 'prebuilt/rust', args: ['10', '2'], length: 'tiny', status: 0, stdout: '068f2cb1a93d42a9' },
  { fixture: 'prebuilt/rust', args: ['100', '4'], length: 'short', status: 0, stdout: '76546b1fb3172185' },
  { fixture: 'prebuilt/rust', args: ['1500', '4'], length: 'long', status: 0, stdout: 'e3101a4cd78e6224' },
  ...(['tiny', 'short', 'long'] as const).map((length): FixtureRun => {
    const args = { tiny: ['6', '2'], short: ['200', '4'], long: ['5000', '4'] }[length];
    const stdout = { tiny: '885a5e477eaca014', short: '8379359a3d3291bf', long: '841faf1c98efb3ab' }[length];
    return { fixture: 'prebuilt/streams', args, stdin: WAITS_INPUT, length, status: 0, stdout };
  }),
  { fixture: 'prebuilt/sync', args: ['16', '2'], length: 'tiny', status: 0, stdout: 'c1c8d5fb6b885aec' },
  { fixture: 'prebuilt/sync', args: ['200', '4'], length: 'short', status: 0, stdout: '2cd1e0284589160a' },
  { fixture: 'prebuilt/sync', args: ['4000', '4'], length: 'long', status: 0, stdout: 'd4654e482eabb6f4' },
];

export interface ConformanceRun {
  readonly fixture: FixtureName;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Why `node:wasi` fails, as found with Node 26.10; missing where it passes. */
  readonly nodeFails?: string;
}

/**
 * The conformance programs (test/programs/wasi/): each gets an empty directory as `.` and pipes for stdin, stdout and
 * stderr, prints `ok` and exits with 0, or names the line that failed on stderr and exits with 1.
 */
export const CONFORMANCE: readonly ConformanceRun[] = [
  { fixture: 'wasi/calls', args: ['züä', ''], env: { NAME: '🐦', EMPTY: '' } },
  { fixture: 'wasi/descriptors', nodeFails: 'fd_prestat_dir_name with too little room gives nobufs' },
  { fixture: 'wasi/directories', nodeFails: 'an empty path is inval and not noent' },
  { fixture: 'wasi/hardlinks' },
  { fixture: 'wasi/io', nodeFails: 'fdstat has flags that were not asked for' },
  { fixture: 'wasi/memory', nodeFails: 'a pointer out of memory is overflow and not fault' },
  { fixture: 'wasi/opening', nodeFails: 'fdstat has flags that were not asked for' },
  { fixture: 'wasi/paths', nodeFails: 'dots behind a file are taken away before it is looked at' },
  { fixture: 'wasi/poll', nodeFails: 'a wait until a moment of the monotonic clock does not end' },
  { fixture: 'wasi/readdir', nodeFails: '. and .. are missing' },
  { fixture: 'wasi/rename' },
  { fixture: 'wasi/rights', nodeFails: 'fdstat has flags that were not asked for' },
  { fixture: 'wasi/sockets', nodeFails: 'sock_accept on a pipe is a segmentation fault' },
  { fixture: 'wasi/stdio', args: ['pipe', 'pipe', 'pipe'] },
  { fixture: 'wasi/symlinks', nodeFails: 'opening a link that is not followed gives noent and not loop' },
  { fixture: 'wasi/times', nodeFails: 'times that are set lose their fraction of a second' },
];
