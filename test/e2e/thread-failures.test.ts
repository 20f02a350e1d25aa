/**
 * Nodes that are killed or stopped and connections that break while a process with threads moves: as
 * test/e2e/failures.test.ts, whose processes have one thread. GODWIT_ROUNDS sets how often.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fixture } from '../support/build.ts';
import { checkRight, Faults, isRight } from '../support/faults.ts';
import type { Lab, Running } from '../support/lab.ts';
import { type FixtureRun, THREAD_RUNS } from '../support/runs.ts';

let faults: Faults;
let lab: Lab;
before(async () => {
  faults = await Faults.start();
  ({ lab } = faults);
});
after(() => lab.stop());

let word = '';
let serial = 0;
beforeEach(() => {
  word = `run-${++serial}`;
});

const runOf = (program: FixtureRun['fixture']): FixtureRun =>
  THREAD_RUNS.find((run) => run.fixture === program && run.length === 'long') ?? assert.fail();

/** Threads that wait for each other all the time, and some that come and go. */
const PROGRAMS = [runOf('prebuilt/sync'), runOf('prebuilt/async')];

/** Milliseconds: a process that hops all the time may have a small part of a machine that does other things as well. */
const LIMIT = 240_000;

let started = 0;

/** A process that hops: each program in turn. */
async function hopping(): Promise<{ readonly run: FixtureRun; readonly running: Running }> {
  const run = PROGRAMS[started++ % PROGRAMS.length] ?? assert.fail();
  const { path: file } = await fixture(run.fixture);
  return { run, running: lab.spawn(['run', '--hop', '20ms', file, ...run.args, word]) };
}

const ROUNDS = Number(process.env['GODWIT_ROUNDS'] ?? 1);

for (let round = 1; round <= ROUNDS; round++) {
  describe(`while a process with threads moves, round ${round}`, () => {
    for (const victim of ['node2', 'node3']) {
      test(`${victim} is killed: it ends as it should, or is lost with it`, async () => {
        const { run, running } = await hopping();
        await faults.afterMoves(word, 1 + faults.random.below(12));
        await faults.restart(victim);
        const result = await running.result(LIMIT);
        if (!isRight(run, result)) faults.checkLost(result, victim);
        await faults.untilIdle();
      });
    }

    test('its home is killed: the command ends, and so does the guest elsewhere', async () => {
      const { running } = await hopping();
      await faults.afterMoves(word, 1 + faults.random.below(8));
      await faults.restart('node1');
      const { stderr, status } = await running.result(LIMIT);
      assert.match(stderr, /^godwit: [^\n]*\n$/);
      assert.equal(status, 125);
      await faults.untilIdle();
    });

    test('connections break: that is a pause', async () => {
      const { run, running } = await hopping();
      for (let i = 0; i < 4; i++) {
        await faults.afterMoves(word, 1 + faults.random.below(3));
        lab.node(`node${1 + faults.random.below(3)}`).kill('SIGUSR2');
      }
      checkRight(run, await running.result(LIMIT));
      await faults.untilIdle();
    });

    test('a node stops for a moment: it goes on', async () => {
      const { run, running } = await hopping();
      await faults.afterMoves(word, 1 + faults.random.below(6));
      const victim = lab.node(`node${2 + faults.random.below(2)}`);
      victim.kill('SIGSTOP');
      const { path: hello } = await fixture('hello');
      assert.equal((await lab.run(['run', hello])).status, 0);
      victim.kill('SIGCONT');
      checkRight(run, await running.result(LIMIT));
      await faults.untilIdle();
    });
  });
}

test('no daemon has complained', async () => {
  assert.equal(await lab.complaints(), '');
});
