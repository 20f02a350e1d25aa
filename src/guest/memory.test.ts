import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestMemory } from './memory.ts';

const PAGE = 65_536;

for (const shared of [true, false]) {
  test(`a ${shared ? 'shared' : 'plain'} memory that grows: its views follow`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
    const guest = new GuestMemory(memory);
    assert.ok(guest.covers(PAGE - 1, 1) && guest.covers(PAGE, 0));
    assert.ok(!guest.covers(PAGE, 1) && !guest.covers(0xffff_ffff, 0xffff_ffff));
    memory.grow(1);
    assert.ok(guest.covers(0, 1), 'also where the old buffer is detached');
    guest.view.setUint8(0, 7);
    assert.equal(guest.bytes[0], 7);
    assert.ok(guest.covers(2 * PAGE - 1, 1));
    guest.view.setUint8(2 * PAGE - 1, 9);
    assert.equal(guest.current().at(-1), 9);
    assert.equal(new Uint8Array(memory.buffer)[0], 7);
  });
}
