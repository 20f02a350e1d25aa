/** Run as a test this file starts itself as threads, which move one position on together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { AT_END, POSITION_BYTES, SharedPosition } from './position.ts';

const EDGE = 2n ** 31n - 1n;
const STEPS = 20_000;

function begin(): readonly [SharedPosition, SharedPosition, SharedArrayBuffer] {
  const shared = new SharedArrayBuffer(POSITION_BYTES);
  SharedPosition.start(shared);
  return [new SharedPosition(shared), new SharedPosition(shared), shared];
}

/** Takes places of one byte as writers do. @returns what it has taken, each once */
function takePlaces(shared: SharedArrayBuffer): bigint[] {
  const position = new SharedPosition(shared);
  const taken: bigint[] = [];
  while (taken.length < STEPS) {
    const at = position.get();
    if (position.advance(at, 1)) taken.push(BigInt(at));
  }
  return taken;
}

const place = fc.oneof(
  fc.bigInt({ min: 0n, max: 100n }),
  fc.bigInt({ min: EDGE - 20n, max: EDGE + 20n }),
  fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 62n }),
);
const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set' as const), to: fc.oneof(place, fc.constant(AT_END)) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('advance' as const), by: fc.nat({ max: 30 }), stale: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('exchange' as const), to: place, stale: fc.boolean() }) },
);

function tests(): void {
  test('a position is what was set last, narrow or wide, through whichever view', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const [one, other] = begin();
        let model = 0n;
        for (const [i, now] of steps.entries()) {
          const via = i % 2 === 0 ? one : other;
          if (now.do === 'set') via.set((model = now.to));
          else if (model === AT_END) continue;
          else {
            const from = now.stale ? model + 1n : model;
            const to = now.do === 'advance' ? from + BigInt(now.by) : now.to;
            const seen = from <= EDGE ? Number(from) : from;
            const moved = now.do === 'advance' ? via.advance(seen, now.by) : via.exchange(from, to);
            assert.equal(moved, !now.stale);
            if (moved) model = to;
          }
          assert.equal(BigInt(one.get()), model);
          assert.equal(BigInt(other.get()), model);
        }
      }),
      { numRuns: 300 },
    );
  });

  test(
    'threads that move a position on from narrow to wide never get the same place',
    { timeout: 60_000 },
    async () => {
      const [position, , shared] = begin();
      // The edge lies in the middle of what they take.
      const first = EDGE - BigInt(STEPS);
      position.set(first);
      const results = await Promise.all(
        [0, 1].map(
          () =>
            new Promise<bigint[]>((resolve, reject) => {
              const worker = new Worker(new URL(import.meta.url), { workerData: { shared } });
              worker.once('message', resolve);
              worker.once('error', reject);
            }),
        ),
      );
      assert.equal(new Set(results.flat()).size, 2 * STEPS);
      assert.equal(position.get(), first + BigInt(2 * STEPS));
    },
  );
}

const given = workerData as { readonly shared?: SharedArrayBuffer } | null;
if (isMainThread || given?.shared === undefined) tests();
else parentPort?.postMessage(takePlaces(given.shared));
