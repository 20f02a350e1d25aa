/**
 * Every fixture program, captured at its safepoints and always resumed in a fresh worker: output and end are those of
 * the unmodified program under node:wasi, and the digest of its memory at the end is that of an uncaptured run. Tiny
 * runs at every safepoint that they come to, in turn (the Lisp interpreter at the first thousands); longer ones at
 * seeded random moments.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { silentLog } from '../src/base/env.ts';
import { SeededRandom } from '../src/base/virtual.ts';
import { ModuleStore } from '../src/node/modules.ts';
import { WorkerPool } from '../src/node/worker-pool.ts';
import { CACHE, fixture } from './support/build.ts';
import { runChain } from './support/chain.ts';
import { reference } from './support/reference.ts';
import { type FixtureRun, RUNS, THREAD_RUNS } from './support/runs.ts';

/** So many captures of a tiny run, each at the next safepoint; all but those of Lisp have fewer. 7 ms each. */
const IN_TURN = Number(process.env['GODWIT_SAFEPOINTS'] ?? 2500);
/** So many captures at random moments of any other run. */
const AT_RANDOM = Number(process.env['GODWIT_CAPTURES'] ?? 15);
/** The long ones too, and those with threads, whose memory depends on which thread was faster. */
const ALL = process.env['GODWIT_CAPTURES'] !== undefined;
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);

describe('programs captured at their safepoints', () => {
  let pool: WorkerPool;
  const modules = new ModuleStore(path.join(CACHE, 'modules'), silentLog);

  before(() => {
    pool = new WorkerPool();
  });
  after(() => pool.close());

  // The message of a stack that is full depends on how much of it the frames of each form take.
  const all = ALL ? [...RUNS, ...THREAD_RUNS.filter(({ length }) => length !== 'tiny')] : RUNS;
  const runs = all.filter(({ length, args }) => (ALL || length !== 'long') && args[0] !== 'stack');
  for (const run of runs) {
    const when = run.length === 'tiny' ? 'at every safepoint' : `at random moments, seed ${SEED}`;
    test(`${run.fixture} ${run.args.join(' ')}: ${when}`, (t) => compare(run, t));
  }

  async function compare(run: FixtureRun, t: TestContext): Promise<void> {
    const { fixture: name, args, env = {}, stdin = '', directory, length } = run;
    const { path: file, bytes } = await fixture(name);
    const module = await modules.loadBytes(bytes);
    const random = new SeededRandom(SEED);
    const [mine, theirs] = await Promise.all([temporary(directory), temporary(directory)]);
    try {
      const expected = await reference(file, { args, env, stdin, dirs: theirs === null ? {} : { '.': theirs } });
      const common = {
        args: [path.basename(file), ...args],
        env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
        stdin,
        directory: mine,
      };
      const chain = await runChain(module, pool, {
        ...common,
        delay: (n) => {
          if (length === 'tiny') return n < IN_TURN ? 0 : null;
          // The first at once: a fast program must not get away.
          if (n === 0) return 0;
          return n < AT_RANDOM ? 1 + random.below(10) : null;
        },
      });
      assert.equal(chain.stdout, expected.stdout);
      assert.equal(chain.stderr, expected.stderr);
      // Numbers and times of the files of a directory come into the memory of a program that asks for them.
      if (!directory && !THREAD_RUNS.includes(run)) {
        const whole = await runChain(module, pool, { ...common, delay: () => null });
        assert.equal(chain.memory, whole.memory, 'the memory at the end');
      }
      const { report } = chain;
      const ended = report.type === 'exited' ? `exited ${report.status}` : report.type;
      assert.equal(ended, expected.trap === null ? `exited ${expected.status}` : 'trapped');
      if (report.type === 'trapped') assert.ok(report.message.startsWith(expected.trap ?? '-'), report.message);
      t.diagnostic(`${chain.captures} captures`);
      assert.ok(chain.captures > (length === 'tiny' ? 10 : 0), `${chain.captures} captures`);
    } finally {
      for (const made of [mine, theirs]) if (made !== null) await rm(made, { recursive: true });
    }
  }
});

async function temporary(wanted: boolean | undefined): Promise<string | null> {
  return wanted ? mkdtemp(path.join(tmpdir(), 'godwit-safepoints-')) : null;
}
