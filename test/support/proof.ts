/**
 * What the proof of test/safepoints.test.ts is about: every program of this repository, from test/programs/,
 * bench/kernels/ and bench/programs/, and two that others have written. Those that are left out stand here with the
 * reason, and so do those whose memory cannot be compared; test/safepoints.test.ts holds the lists to the directories.
 */
import { KERNELS, REAL_KERNELS } from '../../bench/kernels.ts';
import { program } from '../../bench/programs.ts';
import { type Fixture, fixture } from './build.ts';
import { FIXTURES, type FixtureName } from './fixtures.ts';
import { type RealName, isRealFetched } from './real.ts';
import { CONFORMANCE, type FixtureRun, RUNS, THREAD_RUNS } from './runs.ts';

export interface ProofRun {
  readonly title: string;
  /** File of the program, in the repository. */
  readonly source: string;
  readonly load: () => Promise<Fixture>;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** `own`: an empty directory as `.`; or one that is only read. */
  readonly directory?: string;
  readonly length: FixtureRun['length'];
  readonly threads: boolean;
  /** The first 16 hexadecimal digits of the SHA-256 of its output, where a table knows that of other hosts. */
  readonly stdout?: string;
  readonly status: number | null;
  readonly trap?: RegExp;
  /** Why its memory at the end is not the same in two uncaptured runs; its clocks and random numbers are real ones then. */
  readonly varies?: string;
  /** A package that must have been fetched for it. */
  readonly needs?: RealName;
}

/** Programs whose memory cannot be compared, by source. */
export const VARYING: Readonly<Record<string, string>> = {
  'test/programs/naps.c': 'it measures by clocks how long its waits take, and keeps the times',
  'test/programs/wasi/calls.c': 'it wants random numbers that are different, and keeps them',
  'test/programs/wasi/poll.c': 'it measures by clocks how long its waits take, and keeps the times',
};

/** Programs that are not in the proof. */
export const ABSENT: Readonly<Record<string, string>> = {
  'test/programs/collected.wat': 'its data is kept by the garbage collector: it cannot be captured (stay reason)',
  'test/programs/held.wat': 'it holds an exception that no image can hold (stay reason)',
  'test/programs/real/lacks.c': 'a part of Lua',
  'bench/programs/dirty.c': 'it does not end',
};

const THREADS_VARY =
  'which thread is faster decides where their stacks and blocks are, who waits, and what time it is then';
const STACK_VARIES =
  'how many frames fit is not the same: optimised ones are smaller, and those of continuations larger';

function fixtureRun(run: FixtureRun): ProofRun {
  const { fixture: name, directory, ...rest } = run;
  const source = sourceOf(name);
  const threads = THREAD_RUNS.includes(run);
  return {
    ...rest,
    title: [name, ...run.args].join(' '),
    source,
    load: () => fixture(name),
    threads,
    status: run.status ?? null,
    ...(directory === true && { directory: 'own' }),
    ...varying(source),
    ...(threads && { varies: THREADS_VARY }),
    ...(run.args[0] === 'stack' && { varies: STACK_VARIES }),
  };
}

function sourceOf(name: FixtureName): string {
  return `test/programs/${FIXTURES[name].source}`;
}

function varying(source: string): Pick<ProofRun, 'varies'> {
  const varies = VARYING[source];
  return varies === undefined ? {} : { varies };
}

/** SHA-256 of `ok` and a line feed. */
const OK = 'dc51b8c96c2d745d';

const conformance = CONFORMANCE.map(({ fixture: name, args = [], env = {} }): ProofRun => {
  const source = sourceOf(name);
  const load = (): Promise<Fixture> => fixture(name);
  const common = { args, env, directory: 'own', length: 'tiny', threads: false, status: 0, stdout: OK } as const;
  return { title: name, source, load, ...common, ...varying(source) };
});

const PLAIN = { length: 'tiny', threads: false, status: 0 } as const;

const kernels = KERNELS.flatMap(({ name, file, tiny, load }): ProofRun[] =>
  file === undefined
    ? []
    : [{ title: `${name} ${tiny}`, source: `bench/kernels/${file}`, load, args: tiny.split(' '), ...PLAIN }],
);

const others: readonly ProofRun[] = [
  {
    title: 'clock',
    source: sourceOf('clock'),
    load: () => fixture('clock'),
    args: [],
    stdin: 'one\ntwo\n',
    ...PLAIN,
  },
  {
    title: 'looks',
    source: sourceOf('looks'),
    load: () => fixture('looks'),
    args: [],
    stdin: 'one two',
    ...PLAIN,
  },
  {
    title: 'naps 20 1',
    source: sourceOf('naps'),
    load: () => fixture('naps'),
    args: ['20', '1'],
    ...PLAIN,
    ...varying(sourceOf('naps')),
  },
  {
    title: 'homecall',
    source: 'bench/programs/homecall.c',
    load: () => program('homecall'),
    args: [],
    stdin: '3\n20\n',
    ...PLAIN,
  },
  {
    title: 'syscalls 10',
    source: 'bench/programs/syscalls.c',
    load: () => program('syscalls'),
    args: ['10'],
    directory: 'own',
    ...PLAIN,
  },
];

const real = REAL_KERNELS.map(({ name, program: needs, load, tiny, directory }): ProofRun => {
  const source = `test/programs/real/${needs === 'lua' ? 'work.lua' : `${needs}.c`}`;
  const args = tiny.split(' ');
  return { title: `${name} ${tiny}`, source, load, args, directory, ...PLAIN, length: 'short', needs };
});

/** In an order in which programs that take long do not come last. */
export const PROOF: readonly ProofRun[] = [
  ...RUNS.map(fixtureRun),
  ...conformance,
  ...others,
  ...kernels,
  ...real,
  ...THREAD_RUNS.map(fixtureRun),
];

/** @returns why the run cannot be made here; null if it can */
export async function lacking({ needs }: ProofRun): Promise<string | null> {
  if (needs === undefined || (await isRealFetched(needs))) return null;
  return `the package of ${needs} has not been fetched: npm run torture does`;
}
