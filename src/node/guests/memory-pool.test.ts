import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemorySize } from '../../capture/layout/memory.ts';
import { MemoryPool } from './memory-pool.ts';

const PAGE_BYTES = 65_536;
const MB = 16;
/** Of memories of which nothing is on its way. */
const newPool = (most?: number): MemoryPool => new MemoryPool((_memory, then) => then(), most);
const narrow = (initialPages: number, maximumPages = 4096): MemorySize => ({ initialPages, maximumPages, wide: false });

test('a memory that comes back is given out again, without what was in it', () => {
  const pool = newPool();
  const first = pool.take(narrow(10 * MB));
  new Uint8Array(first.buffer).fill(7);
  pool.giveBack(first, narrow(10 * MB));
  const again = pool.take(narrow(12 * MB));
  assert.equal(again, first);
  assert.equal(again.buffer.byteLength, 12 * MB * PAGE_BYTES);
  assert.ok(new Uint8Array(again.buffer).every((byte) => byte === 0));
  assert.notEqual(pool.take(narrow(12 * MB)), first, 'it is given out once');
});

test('only one that can have the wanted form', () => {
  const pool = newPool();
  const grown = pool.take(narrow(10 * MB));
  pool.giveBack(grown, narrow(10 * MB));
  assert.notEqual(pool.take(narrow(9 * MB)), grown, 'memories do not shrink');
  assert.notEqual(pool.take(narrow(10 * MB, 2048)), grown, 'nor change their maximum');
  assert.notEqual(pool.take({ ...narrow(10 * MB), wide: true }), grown, 'nor their addresses');
  assert.equal(pool.take(narrow(10 * MB)), grown);
});

test('a wide one too', () => {
  const pool = newPool();
  const size = { ...narrow(10 * MB), wide: true };
  const memory = pool.take(size);
  pool.giveBack(memory, size);
  assert.equal(pool.take({ ...size, initialPages: 11 * MB }), memory);
  assert.equal(memory.buffer.byteLength, 11 * MB * PAGE_BYTES);
});

test('one for an image is given as it is', () => {
  const pool = newPool();
  const memory = pool.take(narrow(4 * MB));
  new Uint8Array(memory.buffer).fill(7);
  pool.giveBack(memory, narrow(4 * MB));
  const again = pool.takeUsed(narrow(5 * MB));
  assert.equal(again.memory, memory);
  assert.equal(again.usedBytes, 4 * MB * PAGE_BYTES);
  assert.ok(new Uint8Array(again.memory.buffer, again.usedBytes).every((byte) => byte === 0));
  assert.equal(pool.takeUsed(narrow(MB)).usedBytes, 0, 'a fresh one has nothing in it');
});

test('a large one of which little was used is not kept', () => {
  const pool = newPool();
  for (const [megabytes, share, kept] of [
    [40, 0.4, false],
    [40, 0.6, true],
    [4, 0.1, true],
  ] as const) {
    const size = narrow(megabytes * MB);
    const memory = pool.take(size);
    pool.giveBack(memory, size, { buffers: new Set(), share });
    assert.equal(pool.take(size) === memory, kept);
  }
});

test('one of which something is still to be sent is kept only when that has arrived', () => {
  const arrived: (() => void)[] = [];
  const pool = new MemoryPool((memory, then) => {
    if (memory.size > 0) arrived.push(then);
    else then();
  });
  const size = narrow(MB);
  const memory = pool.take(size);
  pool.giveBack(memory, size, { buffers: new Set([memory.buffer]), share: 1 });
  assert.notEqual(pool.take(size), memory);
  assert.notEqual(pool.takeUsed(size).memory, memory);
  arrived.forEach((then) => then());
  assert.equal(pool.take(size), memory);
});

test('not too many are kept, not too much, nor for long', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pool = newPool(410 * MB * PAGE_BYTES);
  const [first, second] = [narrow(200 * MB), narrow(201 * MB)].map((size) => ({ size, memory: pool.take(size) }));
  const third = { size: narrow(202 * MB), memory: pool.take(narrow(202 * MB)) };
  for (const { memory, size } of [first!, second!, third]) pool.giveBack(memory, size);
  assert.notEqual(pool.take(first!.size), first!.memory, 'the oldest had to go');
  assert.equal(pool.take(second!.size), second!.memory);
  const small = Array.from({ length: 9 }, (_, i) => ({
    size: narrow(MB, 4000 + i),
    memory: pool.take(narrow(MB, 4000 + i)),
  }));
  for (const { memory, size } of small) pool.giveBack(memory, size);
  assert.notEqual(pool.take(third.size), third.memory, 'it was one of too many');
  assert.notEqual(pool.take(small[0]!.size), small[0]!.memory, 'and so was this');
  assert.equal(pool.take(small[1]!.size), small[1]!.memory);
  t.mock.timers.tick(10_000);
  assert.notEqual(pool.take(small[2]!.size), small[2]!.memory, 'its time was up');
});
