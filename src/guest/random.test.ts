import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RandomSupply } from './random.ts';

test('no random byte is given twice, and none is left behind', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 20 })), { maxLength: 200 }), (lengths) => {
      // Each byte of the source by its number, from 1 on: in four bytes, of which requests see some.
      let made = 0;
      const sources: Uint8Array[] = [];
      const supply = new RandomSupply((bytes) => {
        sources.push(bytes);
        for (let i = 0; i < bytes.length; i++) bytes[i] = 1 + (made++ % 251);
      });
      let expected = 0;
      for (const length of lengths) {
        const before = made;
        const target = new Uint8Array(length + 2);
        supply.fill(target, 1, length);
        assert.equal(target[0], 0);
        assert.equal(target[length + 1], 0);
        // What was made for this request, or the supply that was made last, in order and never again.
        const from = length > 256 || made > before ? before : expected;
        for (let i = 0; i < length; i++) assert.equal(target[1 + i], 1 + ((from + i) % 251));
        if (length <= 256) expected = from + length;
      }
      const last = sources.find((bytes) => bytes.length === 4096);
      const used = last?.findIndex((byte) => byte !== 0) ?? 0;
      assert.ok(last === undefined || used === -1 || last.subarray(0, used).every((byte) => byte === 0));
    }),
    { numRuns: 100 },
  );
});
