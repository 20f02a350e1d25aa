import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { best, geometricMean, median } from '../../bench/statistics.ts';

const times = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });

test('half of the samples are not above the median and half are not below', () => {
  fc.assert(
    fc.property(times, (samples) => {
      const middle = median(samples);
      assert.ok(samples.filter((time) => time <= middle).length * 2 >= samples.length);
      assert.ok(samples.filter((time) => time >= middle).length * 2 >= samples.length);
    }),
  );
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});

test('the geometric mean does not depend on which side is the base', () => {
  fc.assert(
    fc.property(times, (ratios) => {
      const product = geometricMean(ratios) * geometricMean(ratios.map((ratio) => 1 / ratio));
      assert.ok(Math.abs(product - 1) < 1e-9);
    }),
  );
  assert.equal(geometricMean([2, 8]), 4);
});

test('figures of no samples are a mistake of the caller', () => {
  for (const figure of [best, median, geometricMean]) assert.throws(() => figure([]), { name: 'AssertionError' });
  assert.throws(() => geometricMean([1, 0]), { name: 'AssertionError' });
  assert.equal(best([3, 1, 2]), 1);
});
