/**
 * `npm run torture`: whatever can be tried without end, in rounds, part after part and again from the first one, until
 * the time is over, Ctrl-C or a failure. Seeds are fresh each time, so it finds something else than the last time. A
 * failure ends it with status 1 and the command that repeats the round.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Part, PARTS } from './parts.ts';
import type { RoundEvent } from './reporter.ts';

const USAGE = `usage: npm run torture [-- PART...] [--minutes N] [--rounds N] [--seed S]

${PARTS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

  --minutes N   begin no further round after N minutes; without it until Ctrl-C
  --rounds N    so many rounds of each part
  --seed S      the first seed; a random one otherwise`;

/** Seconds of a round that could go on for ever. */
const ROUND_SECONDS = 60;
/** Milliseconds after which a test hangs: every safepoint of the longest of the short programs takes ten minutes. */
const TEST_LIMIT_MS = 3_600_000;
/** Seeds are whole numbers below. */
const SEEDS = 2 ** 31;

type Counts = Map<string, number>;

interface Round {
  readonly counts: Counts;
  readonly failures: readonly (RoundEvent & { readonly type: 'failed' })[];
  /** Status of the test runner, null if it was killed. */
  readonly status: number | null;
  /** What else was written, such as a crash of the runner itself. */
  readonly stderr: string;
}

interface Plan {
  readonly parts: readonly Part[];
  readonly seed: number;
  readonly rounds: number;
  /** Milliseconds of `performance.now`. */
  readonly until: number;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
process.exitCode = await main();

async function main(): Promise<number> {
  const plan = planned();
  if (plan === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  console.log(`seed ${plan.seed}`);
  const totals = new Map<string, Counts>();
  for (let number = 0; number < plan.rounds; number++) {
    const parts = plan.parts.filter(({ once }) => once !== true || number === 0);
    if (parts.length === 0) break;
    for (const part of parts) {
      if (isOver(plan)) return summary(totals);
      const seed = (plan.seed + number * (part.seeds ?? 1)) % SEEDS;
      const began = performance.now();
      const round = await run(part, seed, Math.min(ROUND_SECONDS, (plan.until - began) / 1000));
      if (interrupted.signal.aborted) return summary(totals);
      if (round.status !== 0 || round.counts.size === 0) return failed(part, seed, round);
      const total = totals.get(part.name) ?? new Map<string, number>();
      totals.set(part.name, total);
      for (const [what, amount] of round.counts) total.set(what, (total.get(what) ?? 0) + amount);
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(`${clock()} ${part.name.padEnd(11)} seed ${seed}, ${seconds} s: ${shown(round.counts)}`);
    }
  }
  return summary(totals);
}

function planned(): Plan | null {
  try {
    const { values, positionals } = parseArgs({
      options: { minutes: { type: 'string' }, rounds: { type: 'string' }, seed: { type: 'string' } },
      allowPositionals: true,
    });
    const parts = PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
    const known = positionals.every((name) => PARTS.some((part) => part.name === name));
    const minutes = Number(values.minutes ?? Infinity);
    const rounds = Number(values.rounds ?? Infinity);
    const seed = Number(values.seed ?? randomInt(SEEDS));
    const isRight = minutes > 0 && rounds > 0 && Number.isInteger(seed) && seed >= 0 && seed < SEEDS;
    return known && isRight ? { parts, seed, rounds, until: performance.now() + minutes * 60_000 } : null;
  } catch {
    return null;
  }
}

function isOver({ until }: Plan): boolean {
  return interrupted.signal.aborted || performance.now() >= until;
}

/** One round, in a test runner of its own. */
async function run(part: Part, seed: number, seconds: number): Promise<Round> {
  const { files, only, environment = {} } = part;
  const options = ['--test', `--test-concurrency=${availableParallelism()}`, `--test-timeout=${TEST_LIMIT_MS}`];
  options.push(`--test-reporter=${path.join(import.meta.dirname, 'reporter.ts')}`);
  if (only !== undefined) options.push(`--test-name-pattern=${only}`);
  const own = { GODWIT_SEED: String(seed), GODWIT_SECONDS: String(Math.ceil(seconds)) };
  const child = spawn(process.execPath, ['--no-warnings', ...options, ...files], {
    cwd: path.join(import.meta.dirname, '../..'),
    env: { ...process.env, ...environment, ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Ctrl-C reaches the tests as well; they end their nodes.
  const stop = (): boolean => child.kill('SIGTERM');
  interrupted.signal.addEventListener('abort', stop);
  const counts: Counts = new Map();
  const failures: (RoundEvent & { readonly type: 'failed' })[] = [];
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as RoundEvent;
    if (event.type === 'failed') failures.push(event);
    else counts.set(event.what, (counts.get(event.what) ?? 0) + event.amount);
  });
  const status = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  interrupted.signal.removeEventListener('abort', stop);
  return { counts, failures, status, stderr };
}

function failed({ name }: Part, seed: number, { failures, status, stderr }: Round): number {
  for (const { test, file, error } of failures) console.log(`\n${file}: ${test}\n${error}`);
  if (status === 0) console.log('\nno test was run');
  else if (failures.length === 0) console.log(`\nthe test runner ended with ${status}\n${stderr}`);
  console.log(`\n${clock()} ${name} FAILED. Again:\n\n    npm run torture -- ${name} --rounds 1 --seed ${seed}`);
  return 1;
}

function summary(totals: ReadonlyMap<string, Counts>): number {
  console.log(`${clock()} nothing failed. In all:`);
  for (const [name, counts] of totals) console.log(`  ${name.padEnd(11)} ${shown(counts)}`);
  return 0;
}

function shown(counts: Counts): string {
  return [...counts].map(([what, amount]) => `${amount} ${what}`).join(', ');
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
