import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { callNumber, callsAfter, nextCall } from './ids.ts';

test('call numbers begin again behind the last one', () => {
  assert.equal(nextCall(callNumber(7)), 8);
  assert.equal(nextCall(callNumber(0xffff_ffff)), 0);
});

test('calls keep their order over the point where their numbers begin again', () => {
  const number = fc.integer({ min: 0, max: 0xffff_ffff }).map(callNumber);
  fc.assert(
    fc.property(number, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (last, distance) => {
      assert.equal(callsAfter(last, callNumber((last + distance) >>> 0)), distance);
    }),
  );
  fc.assert(fc.property(number, (last) => assert.equal(callsAfter(last, nextCall(last)), 1)));
});
