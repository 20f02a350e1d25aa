import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { ClockId } from '../abi/types.ts';
import { GuestClocks } from './local.ts';
import { FakeMachinery } from './testing/side.ts';

test('the monotonic clock and the CPU clocks never run backwards over moves between machines', () => {
  const stay = fc.record({
    boot: fc.bigInt({ min: 0n, max: 10n ** 18n }),
    cpu: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    runs: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  });
  fc.assert(
    fc.property(fc.array(stay, { minLength: 1, maxLength: 6 }), (stays) => {
      let monotonic = 0n;
      let cpu = 0n;
      for (const { boot, cpu: used, runs } of stays) {
        const machinery = new FakeMachinery();
        machinery.monotonic = boot;
        machinery.cpu = used;
        // As a node does that takes the process in: from what the one before has reported.
        const clocks = new GuestClocks(machinery, cpu);
        clocks.monotonicOffset = monotonic - boot;
        assert.equal(clocks.time(ClockId.monotonic), monotonic);
        assert.equal(clocks.time(ClockId.processCputime), cpu);
        machinery.monotonic += runs;
        machinery.cpu += runs / 2n;
        monotonic += runs;
        cpu += runs / 2n;
        assert.equal(clocks.monotonic(), monotonic);
        assert.equal(clocks.cpu(), cpu);
      }
    }),
  );
});

test('clocks that there are, and those that there are not', () => {
  const machinery = new FakeMachinery();
  const clocks = new GuestClocks(machinery, 5n);
  assert.equal(clocks.time(ClockId.realtime), machinery.wall);
  assert.equal(clocks.time(ClockId.threadCputime), 5n);
  assert.equal(clocks.time(4), ERRNO.inval);
  assert.equal(clocks.resolution(ClockId.realtime), 1000n);
  assert.equal(clocks.resolution(ClockId.threadCputime), 1n);
  assert.equal(clocks.resolution(4), ERRNO.inval);
});
