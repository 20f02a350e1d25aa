/**
 * Programs that hop among three nodes, two at a time, until the time of the round is over: which comes next and how
 * often it moves follows from the seed. Each must do what it does unmoved.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { SeededRandom } from '../../src/base/virtual.ts';
import { CACHE } from '../support/build.ts';
import { Lab } from '../support/lab.ts';

/** A program, with what it has to do. */
export interface Subject {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Directories of this machine by the name that the program gets them under; its own empty one as `.` if missing. */
  readonly dirs?: (own: string) => Promise<Readonly<Record<string, string>>>;
  /** Fails if it has not done what it should. @param own its directory */
  readonly check: (end: Ending, own: string) => Promise<void> | void;
}

export interface Ending {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
const SECONDS = Number(process.env['GODWIT_SECONDS'] ?? 20);
/** How many run at once, each with a seed of its own. */
const LANES = 2;
/** Milliseconds that one run may take while it does little but move. */
const LIMIT = 1_800_000;

/** @param intervals between moves, in milliseconds; a move that takes longer is followed by the next at once */
export async function hopAround(
  t: TestContext,
  subjects: readonly Subject[],
  intervals: readonly number[],
): Promise<void> {
  // Rewritten modules are kept from one round to the next.
  const lab = await Lab.start({ env: { XDG_CACHE_HOME: path.join(CACHE, 'run') } });
  const until = performance.now() + SECONDS * 1000;
  // Ctrl-C at `npm run torture` leaves the test runner no time to wait for anything.
  const interrupted = (): void => {
    for (const { running } of lab.nodes) running.signal('SIGKILL');
    rmSync(lab.directory, { recursive: true, force: true, maxRetries: 3 });
    process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.prependOnceListener(signal, interrupted);
  const counts = { runs: 0, moves: 0 };
  const lane = async (number: number): Promise<void> => {
    const random = new SeededRandom(SEED * LANES + number);
    for (let rest: Subject[] = []; counts.runs === 0 || performance.now() < until;) {
      // Each once before one comes again.
      if (rest.length === 0) rest = [...subjects];
      const [subject] = rest.splice(random.below(rest.length), 1);
      if (subject === undefined) throw new Error('there is nothing to run');
      counts.moves += await hop(lab, subject, random.pick(intervals));
      counts.runs++;
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
    assert.equal(await lab.complaints(), '', 'no daemon has complained');
    assert.ok(counts.moves > 0, 'nothing has moved');
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
    await lab.stop();
  }
  t.diagnostic(`${counts.runs} runs`);
  t.diagnostic(`${counts.moves} moves`);
}

/** @returns how often it has moved */
async function hop(lab: Lab, subject: Subject, interval: number): Promise<number> {
  const { name, program, args, env = {}, stdin = '', dirs, check } = subject;
  const [own, stats] = await Promise.all(['own-', 'stats-'].map((kind) => mkdtemp(path.join(lab.directory, kind))));
  assert(own !== undefined && stats !== undefined);
  const given = dirs === undefined ? { '.': own } : await dirs(own);
  const command = ['run', '--hop', `${interval}ms`, '--stats', path.join(stats, 'json')];
  for (const [guest, host] of Object.entries(given)) command.push('--dir', `${host}::${guest}`);
  for (const [key, value] of Object.entries(env)) command.push('--env', `${key}=${value}`);
  const running = lab.spawn([...command, program, ...args], { cwd: own });
  running.endInput(stdin);
  try {
    const end = await running.result(LIMIT);
    await check(end, own);
    // A program that traps in its first moment has no figures yet.
    const text = await readFile(path.join(stats, 'json'), 'utf8').catch(() => '{"moves":0}');
    return (JSON.parse(text) as { readonly moves: number }).moves;
  } catch (error) {
    throw new Error(`${name}, moved every ${interval} ms`, { cause: error });
  } finally {
    await Promise.all([own, stats].map((made) => rm(made, { recursive: true, force: true })));
  }
}
