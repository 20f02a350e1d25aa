import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IMAGE_PAGE_BYTES } from '../../capture/image/image.ts';
import { createMemory } from '../../capture/layout/memory.ts';
import { Remains } from './remains.ts';

const PAGES = 16;
/** As large as the smallest one that there is. */
const shared = createMemory({ initialPages: 1, maximumPages: 1, wide: false });
const memory = new Uint8Array(shared.buffer);

test('only what was overwritten is left of a memory, and what was never used is not touched', () => {
  const range = fc.tuple(fc.nat(PAGES), fc.nat(PAGES)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  fc.assert(
    fc.property(fc.nat(PAGES), fc.array(range, { maxLength: 6 }), (used, written) => {
      memory.fill(7);
      const remains = new Remains(used * IMAGE_PAGE_BYTES);
      for (const [from, to] of written) {
        remains.overwrite(from * IMAGE_PAGE_BYTES, to * IMAGE_PAGE_BYTES);
        memory.fill(9, from * IMAGE_PAGE_BYTES, to * IMAGE_PAGE_BYTES);
      }
      remains.clear(shared);
      const at = (page: number): number => {
        if (written.some(([from, to]) => page >= from && page < to)) return 9;
        return page < used ? 0 : 7;
      };
      memory.forEach((byte, i) => assert.equal(byte, at(Math.floor(i / IMAGE_PAGE_BYTES))));
    }),
  );
});
