import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom, VirtualClock } from './virtual.ts';

test('timers fire by time, then by the order of setting', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 100 }), (delays) => {
      const clock = new VirtualClock();
      const fired: [number, number][] = [];
      delays.forEach((delay, i) => clock.after(delay, () => fired.push([clock.now(), i])));
      clock.advance(20);
      const expected = delays
        .map((delay, i): [number, number] => [delay, i])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(fired, expected);
    }),
  );
});

test('a cancelled timer does not fire, one set by a timer does', () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  clock.after(5, () => fired.push('cancelled')).cancel();
  clock.after(5, () => clock.after(5, () => fired.push('second')));
  clock.advance(9);
  assert.deepEqual(fired, []);
  clock.advance(1);
  assert.deepEqual(fired, ['second']);
});

test('runUntil stops at once when the condition holds', () => {
  const clock = new VirtualClock();
  let count = 0;
  for (let i = 1; i <= 10; i++) clock.after(i, () => count++);
  assert.equal(
    clock.runUntil(() => count === 3, 100),
    true,
  );
  assert.equal(clock.now(), 3);
  assert.equal(
    clock.runUntil(() => count === 11, 100),
    false,
  );
});

test('the wall clock jumps, the monotonic one does not', () => {
  const clock = new VirtualClock();
  const before = clock.wallNanos();
  clock.jumpWall(-60_000);
  clock.advance(1000);
  assert.equal(clock.wallNanos() - before, -59_000_000_000n);
  assert.equal(clock.now(), 1000);
});

test('random numbers repeat for the same seed and keep their bounds', () => {
  const a = new SeededRandom(7);
  const b = new SeededRandom(7);
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const n = a.below(10);
    assert.equal(n, b.below(10));
    seen.add(n);
  }
  assert.deepEqual(
    [...seen].sort((x, y) => x - y),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.notEqual(new SeededRandom(8).next(), new SeededRandom(9).next());
});
