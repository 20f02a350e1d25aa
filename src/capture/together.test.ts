/**
 * All threads of a program captured together, wherever they are, and resumed together in fresh instances on a copy of
 * their memory: with the engine alone, each thread in a worker. Replay with GODWIT_SEED: it chooses the moments, though
 * the machine has a say in them too.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixture } from '../../test/support/build.ts';
import { THREAD_RUNS } from '../../test/support/runs.ts';
import { SeededRandom } from '../base/virtual.ts';
import { ThreadGroup } from './testing/thread-group.ts';

const SEED = Number(process.env['GODWIT_SEED'] ?? 1);
/** Of one program, as far as it does not end before. */
const CAPTURES = Number(process.env['GODWIT_THREAD_CAPTURES'] ?? 15);
const never = new Promise<never>(() => {});
const totals = { captures: 0, captured: 0, inWaits: 0 };

describe(`threads captured together (seed ${SEED})`, () => {
  // The host of these has no input and no clock that passes, which Rust's program sleeps by.
  const runs = THREAD_RUNS.filter(
    (run) => run.length === 'short' && run.stdin === undefined && run.fixture !== 'prebuilt/rust',
  );
  for (const { fixture: name, args, stdout } of runs) {
    test(`${name} ${args.join(' ')}`, async (t) => {
      const random = new SeededRandom(SEED);
      const { bytes } = await fixture(name);
      const group = new ThreadGroup(bytes, args);
      const status = await group.run(() => (group.captures < CAPTURES ? sleep(random.below(8)) : never));
      const { captures, captured, inWaits, woken, notBegun } = group;
      const digest = createHash('sha256').update(group.output).digest('hex').slice(0, 16);
      assert.deepEqual({ status, digest }, { status: 0, digest: stdout }, group.output);
      t.diagnostic(`${captures} captures of ${captured} threads: ${inWaits} in waits, ${woken} woken, ${notBegun} new`);
      totals.captures += captures;
      totals.captured += captured;
      totals.inWaits += inWaits;
    });
  }

  test('enough of it', (t) => {
    t.diagnostic(`${totals.captures} captures`);
    t.diagnostic(`${totals.captured} threads captured`);
    assert.ok(totals.captures > 20 && totals.captured > 60 && totals.inWaits > 10, JSON.stringify(totals));
  });
});
