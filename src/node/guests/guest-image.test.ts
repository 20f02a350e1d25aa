/** What a memory holds when an image has come into it, whatever was there before; and what an image is made from. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { assertSame } from '../../base/testing/same.ts';
import { callNumber, FIRST_SEAT } from '../../base/ids.ts';
import { createMemory } from '../../capture/layout/memory.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import { programOf } from '../testing/modules.ts';
import type { GuestRest } from './guest-baggage.ts';
import { Guest } from './guest.ts';
import { ImageLoader, imageOf } from './guest-image.ts';
import { WorkerPool } from './worker-pool.ts';

const REST: GuestRest = {
  threads: [{ seat: FIRST_SEAT, id: 0, argument: 0, cpuNanos: 0n, state: null, parked: null }],
  baggage: { args: [], env: [], monotonic: 0n, cpuNanos: 0n, nextCalls: [callNumber(1)], nextThreadId: 1 },
};
const size = { initialPages: 1, maximumPages: 4, wide: false };

const empty = programOf('0'.repeat(64), (b) => b.define([], [], [], new Assembler().done()));

for (const [what, pages] of [
  ['as large as it was', 1],
  ['larger', 3],
] as const) {
  test(`nothing of its last guest is left in a memory that becomes ${what}`, async () => {
    const sent = createMemory({ ...size, initialPages: pages });
    const content = new Uint8Array(sent.buffer);
    content.fill(5, 8192, 8200);
    content[content.length - 1] = 6;
    const image = await imageOf(empty, [sent], REST);
    const memory = createMemory(size);
    new Uint8Array(memory.buffer).fill(7);
    const loader = new ImageLoader(empty, [{ memory, size, usedBytes: memory.buffer.byteLength }]);
    for (let piece; (piece = image.next(10_000)) !== null;) loader.write(piece);
    loader.finish(image.digest());
    assertSame(new Uint8Array(memory.buffer), content, 'memory');
  });
}

test('an image is that of the module and with the digest that were announced', async () => {
  const sent = createMemory(size);
  const receiving = () => [{ memory: createMemory(size), size, usedBytes: 0 }];
  const image = await imageOf(empty, [sent], REST);
  const loader = new ImageLoader(empty, receiving());
  const other = new ImageLoader({ ...empty, hash: '1'.repeat(64) }, receiving());
  const first = image.next(10_000) ?? assert.fail();
  assert.throws(() => other.write(first), { code: 'corrupt', message: /of another module/ });
  for (let piece: Uint8Array | null = first; piece !== null; piece = image.next(10_000)) loader.write(piece);
  const wrong = image.digest().slice();
  wrong[0]! ^= 1;
  assert.throws(() => loader.finish(wrong), { code: 'corrupt', message: /not the one announced/ });
});

/** Another thread makes some memory grow, as guests do at any time. */
async function growElsewhere(): Promise<void> {
  const source = `require('node:worker_threads').workerData.grow(1)`;
  const workerData = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  await once(new Worker(source, { eval: true, workerData }), 'exit');
}

test('a memory is kept when what its image was made from has been sent, not what it has become meanwhile', async (t) => {
  const waitedFor: ReadonlySet<ArrayBufferLike>[] = [];
  const pool = new WorkerPool((buffers) => void waitedFor.push(buffers));
  t.after(() => pool.close());
  const memories = { sizes: empty.memories, host: empty.hostMemory, arriving: false };
  const guest = new Guest(empty, memories, pool, { takenUp() {}, called() {}, reported() {} });
  t.after(() => guest.end());
  await guest.ready();
  const { buffer } = guest.memory;
  new Uint8Array(buffer).fill(1);
  const image = await imageOf(empty, guest.memories.all, REST);
  await growElsewhere();
  assert.notEqual(guest.memory.buffer, buffer, 'or this is no test');
  guest.memories.imageRead(image);
  await guest.end();
  assert.deepEqual(
    waitedFor.map((buffers) => buffers.has(buffer)),
    [true],
  );
});
