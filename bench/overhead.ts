/** What it costs that a program can be captured at any moment: unmodified, by Godwit's rewriter, by Asyncify. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { GodwitError } from '../src/base/errors.ts';
import { rewrite } from '../src/capture/rewriting/rewrite.ts';
import { GUEST_OPTIONS } from '../src/node/v8.ts';
import type { Benchmark, Context, Row } from './benchmark.ts';
import { answerOf } from './child.ts';
import { type Kernel, KERNELS, REAL_KERNELS } from './kernels.ts';
import { asyncify } from './overhead/asyncify.ts';
import type { Job, Times } from './overhead/guest.ts';
import { best, geometricMean } from './statistics.ts';

/** Measured runs of one worker, after the one that warms it up. */
const RUNS = 4;
/**
 * The rounds that were asked for begin anew when one makes the best of a variant faster by more than this share. Programs
 * that wait for memory depend on which pages a process got: `btree` takes 180 to 290 ms.
 */
const SETTLED = 0.01;
/** At most so many times as many. */
const MOST_ROUNDS = 5;
/** V8's baseline compiler alone, and no more runs than needed: they take several times as long. */
const BASELINE = { options: ['--liftoff-only'], runs: 1 } as const;

interface Subject {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  /** Given to it as `.`. */
  readonly directory: string;
}

interface Variant {
  readonly job: Pick<Job, 'kind' | 'module'>;
  /** Of each process. */
  readonly measured: Times[];
}

/** The best of a variant's processes. */
function least({ measured }: Variant, of: (times: Times) => number): number {
  return best(measured.map(of));
}

function fastest(variant: Variant): number {
  return least(variant, ({ times }) => best(times));
}

export const overhead: Benchmark = {
  name: 'overhead',
  operands: '[KERNEL...|real|FILE.wasm [ARGS...]]',
  summary: 'running code: unmodified, Godwit, Asyncify with the same polls',
  limit: 3600,
  columns: [
    { key: 'name', meaning: 'kernel or file; the last row is the geometric mean of the ratios' },
    { key: 'unmodified_ms', digits: 1, meaning: 'best run of the original' },
    { key: 'godwit_ms', digits: 1, meaning: 'best run of the rewritten module' },
    { key: 'ratio', digits: 3, meaning: 'godwit_ms by unmodified_ms' },
    { key: 'asyncify_ms', digits: 1, meaning: 'best run with Asyncify; null if Binaryen could not make it' },
    { key: 'asyncify_ratio', digits: 3, meaning: 'asyncify_ms by unmodified_ms' },
    { key: 'size_ratio', digits: 3, meaning: 'bytes of the rewritten module by bytes of the original' },
    { key: 'baseline_ratio', digits: 3, meaning: 'ratio when all code is that of the baseline compiler' },
    { key: 'compile_ms', digits: 1, meaning: 'until V8 has taken the rewritten module' },
    { key: 'compile_ratio', digits: 2, meaning: 'the same by that of the original' },
    { key: 'peak_mb', digits: 0, meaning: 'most memory of the process of the rewritten module, Node included' },
    { key: 'peak_ratio', digits: 2, meaning: 'the same by that of the original' },
  ],
  async *run(context) {
    const rows: Row[] = [];
    const directory = await mkdtemp(path.join(os.tmpdir(), 'godwit-bench-'));
    try {
      for await (const subject of subjects(context)) {
        const row = await compare(subject, directory, context);
        rows.push(row);
        yield row;
      }
    } finally {
      await rm(directory, { recursive: true });
    }
    if (rows.length > 1) yield meanRow(rows);
  },
};

async function* subjects(context: Context): AsyncGenerator<Subject> {
  const { operands, tiny } = context;
  const kernels = chosen(operands);
  const [file = '', ...args] = operands;
  if (kernels === null) yield { name: path.basename(file), path: path.resolve(file), args, directory: '.' };
  for (const kernel of kernels ?? []) {
    if ('program' in kernel) context.note(`${kernel.name}: fetched and compiled, if that was not done before`);
    const { path } = await kernel.load();
    const args = (tiny ? kernel.tiny : kernel.full).split(' ');
    yield { name: kernel.name, path, args, directory: kernel.directory ?? '.' };
  }
}

/** The kernels that the operands name; our own if there are none; null if they are a file and its arguments. */
function chosen(operands: readonly string[]): readonly Kernel[] | null {
  if (operands.length === 0) return KERNELS;
  if (operands.length === 1 && operands[0] === 'real') return REAL_KERNELS;
  const all = [...KERNELS, ...REAL_KERNELS];
  const named = operands.flatMap((operand) => all.find(({ name }) => name === operand) ?? []);
  return named.length === operands.length ? named : null;
}

async function compare(subject: Subject, directory: string, context: Context): Promise<Row> {
  const original = await readFile(subject.path);
  const rewritten = rewrite(original).module;
  const module = path.join(directory, 'godwit.wasm');
  await writeFile(module, rewritten);
  const variants: Variant[] = [
    { job: { kind: 'plain', module: subject.path }, measured: [] },
    { job: { kind: 'godwit', module }, measured: [] },
  ];
  const baseline = await asyncifyOrNull(subject, original, context);
  if (baseline !== null) variants.push({ job: { kind: 'plain', module: baseline }, measured: [] });

  const run = resultChecked(subject, directory, context.signal);
  await measure(variants, (job) => run(job, RUNS, []), context);
  const [unmodified, godwit, asyncified] = variants.map(fastest);
  const ratio = (of: (times: Times) => number): number => least(variants[1]!, of) / least(variants[0]!, of);
  return {
    name: subject.name,
    unmodified_ms: unmodified!,
    godwit_ms: godwit!,
    ratio: godwit! / unmodified!,
    asyncify_ms: asyncified ?? null,
    asyncify_ratio: asyncified === undefined ? null : asyncified / unmodified!,
    size_ratio: rewritten.length / (await stat(subject.path)).size,
    baseline_ratio: await baselineRatio(variants.slice(0, 2), run),
    compile_ms: least(variants[1]!, ({ compile }) => compile),
    compile_ratio: ratio(({ compile }) => compile),
    peak_mb: least(variants[1]!, ({ peak }) => peak),
    peak_ratio: ratio(({ peak }) => peak),
  };
}

/** Measures all variants in turn until their bests have settled. */
async function measure(
  variants: readonly Variant[],
  run: (job: Variant['job']) => Promise<Times>,
  { rounds, tiny }: Context,
): Promise<void> {
  const most = tiny ? rounds : rounds * MOST_ROUNDS;
  let settled: number[] = [];
  for (let round = 0, last = 0; round < most && round - last < rounds; round++) {
    // Another one begins each round, so that none always follows the same neighbour.
    for (let i = 0; i < variants.length; i++) {
      const variant = variants[(round + i) % variants.length]!;
      variant.measured.push(await run(variant.job));
    }
    const bests = variants.map(fastest);
    if (round > 0 && bests.every((ms, i) => ms >= settled[i]! * (1 - SETTLED))) continue;
    settled = bests;
    last = round;
  }
}

async function baselineRatio(variants: readonly Variant[], run: Runner): Promise<number> {
  const times: number[] = [];
  for (const { job } of variants) times.push(best((await run(job, BASELINE.runs, BASELINE.options)).times));
  return times[1]! / times[0]!;
}

type Runner = (job: Variant['job'], runs: number, options: readonly string[]) => Promise<Times>;

/** Runs jobs of a subject, all of which must have the same result. */
function resultChecked(subject: Subject, directory: string, signal: AbortSignal): Runner {
  let expected: string | undefined;
  return async (variant, runs, options) => {
    const output = path.join(directory, 'output');
    const job: Job = {
      ...variant,
      original: subject.path,
      args: subject.args,
      directory: subject.directory,
      output,
      runs,
    };
    const measured = await runInProcess(job, options, signal);
    const result = `${measured.status}\n${await readFile(output, 'latin1')}`;
    expected ??= result;
    if (result !== expected) {
      // Programs that look at the clock, for example.
      const same = 'it must print the same each time, and by every variant';
      throw new GodwitError('internal', `${subject.name}: the output of ${variant.module} is another one; ${same}`);
    }
    return measured;
  };
}

async function asyncifyOrNull(subject: Subject, original: Uint8Array, context: Context): Promise<string | null> {
  try {
    return await asyncify(original, context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    context.note(`${subject.name}: no Asyncify: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** In a process of its own, since V8's options hold for a whole process: Godwit's variant runs with those of a node. */
async function runInProcess(job: Job, more: readonly string[], signal: AbortSignal): Promise<Times> {
  signal.throwIfAborted();
  const options = ['--no-warnings', ...(job.kind === 'godwit' ? GUEST_OPTIONS : []), ...more];
  const guest = path.join(import.meta.dirname, 'overhead', 'guest.ts');
  return (await answerOf([...options, guest, JSON.stringify(job)], signal)) as Times;
}

function meanRow(rows: readonly Row[]): Row {
  const mean = (key: string) => {
    const values = rows.map((row) => row[key]).filter((value) => typeof value === 'number');
    return values.length === rows.length ? geometricMean(values) : null;
  };
  return {
    name: 'geometric mean',
    unmodified_ms: null,
    godwit_ms: null,
    ratio: mean('ratio'),
    asyncify_ms: null,
    asyncify_ratio: mean('asyncify_ratio'),
    size_ratio: mean('size_ratio'),
    baseline_ratio: mean('baseline_ratio'),
    compile_ms: null,
    compile_ratio: mean('compile_ratio'),
    peak_mb: null,
    peak_ratio: mean('peak_ratio'),
  };
}
