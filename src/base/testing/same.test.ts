import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSame } from './same.ts';

test('what is the same is no failure', () => {
  assertSame(new Uint8Array(100_000).fill(3), new Uint8Array(100_000).fill(3));
  assertSame({ a: [1n, { b: 'c' }] }, { a: [1n, { b: 'c' }] });
});

test('a memory of which every byte differs: the first is told, at once and in little memory', () => {
  const [actual, expected] = [new Uint8Array(2 ** 24).fill(7), new Uint8Array(2 ** 24)];
  assert.throws(() => assertSame(actual, expected, 'memory'), { message: 'memory[0] is 7, not 0' });
  expected.fill(7, 0, 70_000);
  assert.throws(() => assertSame(actual, expected, 'memory'), { message: 'memory[70000] is 7, not 0' });
});

test('the difference is found within objects and lists', () => {
  const frame = (last: number): unknown => [{ name: 'a' }, { bytes: Uint8Array.of(1, 2, last) }];
  assert.throws(() => assertSame(frame(3), frame(4)), { message: 'it[1][bytes][2] is 3, not 4' });
  assert.throws(() => assertSame({ a: 1 }, { a: 1, b: 2 }), { message: 'it[b] is undefined, not 2' });
});

test('lengths and kinds that differ are told', () => {
  assert.throws(() => assertSame([1, 2], [1, 2, 3]), { message: 'it[2] is undefined, not 3' });
  assert.throws(() => assertSame([1, 2, undefined], [1, 2]), {
    message: /^it is \[ 1, 2, undefined \], not \[ 1, 2 \]$/,
  });
  assert.throws(() => assertSame(Uint8Array.of(1), [1]), { message: /^it is Uint8Array\(1\) \[ 1 \], not \[ 1 \]$/ });
  assert.throws(() => assertSame('a', null), { message: "it is 'a', not null" });
});
