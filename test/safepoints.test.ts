/**
 * Every fixture program, captured at its safepoints and always resumed in a fresh worker: output and end are those of
 * the unmodified program under node:wasi, and the digest of its memory at the end is that of an uncaptured run. Tiny
 * runs as soon as they have come to the next safepoint, up to a number of times; longer ones at seeded random moments.
 * Every safepoint of every tiny run, in fresh instances of one thread: src/capture/programs.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { silentLog } from '../src/base/env.ts';
import { SeededRandom } from '../src/base/virtual.ts';
import { ModuleStore } from '../src/node/modules.ts';
import { WorkerPool } from '../src/node/worker-pool.ts';
import { CACHE, fixture } from './support/build.ts';
import { runChain } from './support/chain.ts';
import { reference } from './support/reference.ts';
import { type FixtureRun, RUNS } from './support/runs.ts';

/** A fresh worker costs 20 ms and more: so many captures one after the other, then single ones. `npm run torture` takes all. */
const IN_TURN = Number(process.env['GODWIT_SAFEPOINTS'] ?? 12);
const LATER = Math.ceil(IN_TURN / 5);
const SEED = Number(process.env['GODWIT_SEED'] ?? 1);

describe('programs captured at their safepoints', () => {
  let pool: WorkerPool;
  const modules = new ModuleStore(path.join(CACHE, 'modules'), silentLog);

  before(() => {
    pool = new WorkerPool();
  });
  after(() => pool.close());

  // The message of a stack that is full depends on how much of it the frames of each form take.
  const runs = RUNS.filter(({ length, args }) => length !== 'long' && args[0] !== 'stack');
  for (const run of runs) {
    test(`${run.fixture} ${run.args.join(' ')} (${run.length}, seed ${SEED})`, () => compare(run));
  }

  async function compare({ fixture: name, args, env = {}, stdin = '', directory, length }: FixtureRun): Promise<void> {
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
          // The first at once, whatever the length: a fast program must not get away.
          if (n === 0 || (length === 'tiny' && n < IN_TURN)) return 0;
          return n < IN_TURN + LATER ? 1 + random.below(10) : null;
        },
      });
      assert.equal(chain.stdout, expected.stdout);
      assert.equal(chain.stderr, expected.stderr);
      // Numbers and times of the files of a directory come into the memory of a program that asks for them.
      if (!directory) {
        const whole = await runChain(module, pool, { ...common, delay: () => null });
        assert.equal(chain.memory, whole.memory, 'the memory at the end');
      }
      const { report } = chain;
      const ended = report.type === 'exited' ? `exited ${report.status}` : report.type;
      assert.equal(ended, expected.trap === null ? `exited ${expected.status}` : 'trapped');
      if (report.type === 'trapped') assert.ok(report.message.startsWith(expected.trap ?? '-'), report.message);
      assert.ok(chain.captures > 0, 'nothing was captured');
    } finally {
      for (const made of [mine, theirs]) if (made !== null) await rm(made, { recursive: true });
    }
  }
});

async function temporary(wanted: boolean | undefined): Promise<string | null> {
  return wanted ? mkdtemp(path.join(tmpdir(), 'godwit-safepoints-')) : null;
}
