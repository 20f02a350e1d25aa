import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeId } from '../base/ids.ts';
import { VirtualClock } from '../base/virtual.ts';
import type { Named, ProcessMessage } from '../link/frames/process.ts';
import { LeaseGrants, LeaseKeeper } from './lease.ts';
import { TIMES } from './timing.ts';

const HOME = nodeId(1);
const AWAY = nodeId(2);

type Ask = Named<ProcessMessage, 'lease_ask'>;

/** A keeper whose questions are collected; the test answers them. */
function setUp() {
  const clock = new VirtualClock();
  const asked: Ask[] = [];
  const changes: boolean[] = [];
  const keeper: LeaseKeeper = new LeaseKeeper(
    AWAY,
    clock,
    (_to, message) => {
      if (message.frame === 'lease_ask') asked.push(message);
    },
    (home) => {
      const valid = keeper.valid(home);
      if (valid !== (changes.at(-1) ?? false)) changes.push(valid);
    },
  );
  const answer = (ask: Ask | undefined): void => {
    assert(ask);
    keeper.granted(HOME, { ...ask, frame: 'lease' });
  };
  return { clock, asked, changes, keeper, answer };
}

test('a lease counts from the question, not from its answer', () => {
  const { clock, asked, changes, keeper, answer } = setUp();
  keeper.acquire(HOME);
  clock.advance(TIMES.leaseMs - 1);
  answer(asked[0]);
  assert.equal(keeper.valid(HOME), true);
  clock.advance(1);
  assert.equal(keeper.valid(HOME), false);
  // The others were asked later and are good for longer; the first one is worth nothing any more.
  answer(asked[0]);
  assert.equal(keeper.valid(HOME), false);
  answer(asked[2]);
  answer(asked[1]);
  clock.advance(2 * TIMES.renewMs - 1);
  assert.equal(keeper.valid(HOME), true);
  clock.advance(1);
  assert.deepEqual(changes, [true, false, true, false]);
});

test('a lease ends when the wall clock says so, and a wall clock that is set back does not lengthen it', () => {
  for (const jump of [2 * TIMES.leaseMs, -1_000_000]) {
    const { clock, asked, keeper, answer } = setUp();
    keeper.acquire(HOME);
    answer(asked[0]);
    clock.jumpWall(jump);
    assert.equal(keeper.valid(HOME), jump < 0);
    clock.advance(TIMES.leaseMs);
    assert.equal(keeper.valid(HOME), false);
  }
});

test('a home cannot grant more than was asked for', () => {
  const { clock, keeper, asked } = setUp();
  keeper.acquire(HOME);
  for (const monotonicMs of [clock.now() + 1e9, Number.NaN, Number.POSITIVE_INFINITY]) {
    keeper.granted(HOME, { frame: 'lease', monotonicMs, wallNanos: 1n << 63n });
  }
  assert.equal(keeper.valid(HOME), false);
  assert.equal(asked.length, 1);
});

test('nothing is asked for what is not held; at home no lease is needed', () => {
  const { clock, asked, keeper } = setUp();
  keeper.acquire(AWAY);
  keeper.acquire(HOME);
  keeper.acquire(HOME);
  keeper.release(HOME);
  clock.advance(TIMES.renewMs);
  assert.equal(asked.length, 2);
  keeper.release(HOME);
  keeper.ask(HOME);
  clock.advance(10 * TIMES.renewMs);
  assert.equal(asked.length, 2);
  assert.equal(keeper.valid(AWAY), true);
});

test('a takeover waits until the last lease has surely run out, and no lease is given meanwhile', () => {
  const clock = new VirtualClock();
  let given = 0;
  const grants = new LeaseGrants(clock, () => given++);
  const ask: Ask = { frame: 'lease_ask', monotonicMs: 0, wallNanos: 0n };
  let taken = 0;
  grants.asked(AWAY, ask);
  clock.advance(500);
  grants.withhold(AWAY, () => taken++);
  grants.asked(AWAY, ask);
  assert.equal(given, 1);
  clock.advance(TIMES.takeoverMs - 501);
  assert.equal(taken, 0);
  clock.advance(1);
  assert.equal(taken, 1);
  // It still gets none before it has been heard of again.
  grants.asked(AWAY, ask);
  assert.equal(given, 1);
  grants.restore(AWAY);
  grants.asked(AWAY, ask);
  assert.equal(given, 2);
  grants.withhold(AWAY, () => taken++);
  grants.restore(AWAY);
  clock.advance(10 * TIMES.takeoverMs);
  assert.equal(taken, 1);
});

test('the times leave room for clocks that differ by a quarter', () => {
  assert(TIMES.takeoverMs >= TIMES.leaseMs * 1.25);
  assert(TIMES.renewMs * 4 < TIMES.leaseMs);
});
