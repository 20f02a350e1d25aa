import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Looking } from './looking.ts';

/**
 * Makes waits under a clock of its own, on which each takes as long as `durationMs` says.
 * @returns the part of them that looked before they slept
 */
function partLooking(waits: number, durationMs: (looks: boolean) => number, processors = 2): number {
  const words = new Int32Array(new SharedArrayBuffer(4));
  let now = 0;
  let answerAt = 0;
  const pass = (to: number): number => {
    now = to;
    if (now >= answerAt) words[0] = 0;
    return now;
  };
  // To ask for the time takes a while.
  const looking: Looking = new Looking(
    processors,
    () => pass(now + 0.0005),
    () => void pass(Math.max(now, answerAt)),
  );
  let looked = 0;
  for (let i = 0; i < waits; i++) {
    const { looks } = looking;
    if (looks) looked++;
    words[0] = 1;
    answerAt = now + durationMs(looks);
    looking.wait(words, 0, 1);
  }
  return looked / waits;
}

test('a thread looks as long as its answers come sooner than it could be woken', () => {
  const part = partLooking(100_000, (looks) => (looks ? 0.005 : 0.03));
  assert.ok(part > 0.95, `${part} of the waits looked first`);
});

test('a thread sleeps at once where looking keeps the processor from whoever answers', () => {
  const part = partLooking(100_000, (looks) => (looks ? 0.08 : 0.007));
  assert.ok(part < 0.02, `${part} of the waits looked first`);
});

test('a thread whose answers take long hardly looks', () => {
  const part = partLooking(100_000, () => 5);
  assert.ok(part < 0.01, `${part} of the waits looked first`);
});

test('a thread learns anew when the machine has become busy, or free', () => {
  let waits = 0;
  const part = partLooking(300_000, (looks) => {
    waits++;
    const busy = waits > 100_000 && waits < 150_000;
    return looks ? (busy ? 0.09 : 0.005) : 0.03;
  });
  assert.ok(part > 0.7 && part < 0.9, `${part} of the waits looked first`);
});

test('with one processor no thread looks', () => {
  assert.equal(
    partLooking(1000, (looks) => (looks ? 0.005 : 0.03), 1),
    0,
  );
});
