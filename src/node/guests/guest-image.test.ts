/** What a memory holds when an image has come into it, whatever was there before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callNumber, FIRST_SEAT } from '../../base/ids.ts';
import { createMemory } from '../../capture/layout/memory.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import { programOf } from '../testing/modules.ts';
import type { GuestRest } from './guest-baggage.ts';
import { ImageLoader, imageOf } from './guest-image.ts';

const REST: GuestRest = {
  threads: [{ seat: FIRST_SEAT, id: 0, argument: 0, cpuNanos: 0n, state: null, parked: null }],
  baggage: { args: [], env: [], monotonic: 0n, cpuNanos: 0n, nextCalls: [callNumber(1)], nextThreadId: 1 },
};
const size = { initialPages: 1, maximumPages: 4, wide: false };

for (const [what, pages] of [
  ['as large as it was', 1],
  ['larger', 3],
] as const) {
  test(`nothing of its last guest is left in a memory that becomes ${what}`, async () => {
    const module = programOf('0'.repeat(64), (b) => b.define([], [], [], new Assembler().done()));
    const sent = createMemory({ ...size, initialPages: pages });
    const content = new Uint8Array(sent.buffer);
    content.fill(5, 8192, 8200);
    content[content.length - 1] = 6;
    const image = await imageOf(module, [sent], REST);
    const memory = createMemory(size);
    new Uint8Array(memory.buffer).fill(7);
    const loader = new ImageLoader(module, [{ memory, size, usedBytes: memory.buffer.byteLength }]);
    for (let piece; (piece = image.next(10_000)) !== null;) loader.write(piece);
    loader.finish(image.digest());
    assert.deepEqual(new Uint8Array(memory.buffer), content);
  });
}
