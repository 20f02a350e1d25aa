import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GodwitError } from '../../base/errors.ts';
import { callNumber, seat } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import { MAX_THREAD_ID } from '../../abi/wasi-threads.ts';
import type { MachineState } from '../../capture/running/state.ts';
import type { Parked } from '../../guest/parking.ts';
import type { CapturedThread } from './guest.ts';
import { decodeRest, encodeRest, type GuestRest, staysOf } from './guest-baggage.ts';
import { fuzzed } from '../../base/testing/fuzzed.ts';

const STATE: MachineState = {
  root: { type: 'export', name: 'wasi_thread_start' },
  frames: Uint8Array.of(1, 2, 3),
  globals: Uint8Array.of(4),
  references: Int32Array.of(5),
  exceptions: [],
  tables: [],
  hostReference: false,
};

const nanos = fc.bigInt(0n, 2n ** 59n);
const parked: fc.Arbitrary<Parked | null> = fc.oneof(
  fc.constant(null),
  fc.constant({ state: 'woken' as const }),
  fc.record({
    state: fc.constant('waiting' as const),
    place: fc.tuple(fc.nat(254), fc.maxSafeNat()).map(([memory, address]) => ({ memory, address })),
    deadline: fc.option(nanos),
    arrival: fc.constant(0),
  }),
);

const rest: fc.Arbitrary<GuestRest> = fc
  .record({
    others: fc.uniqueArray(fc.integer({ min: 1, max: LIMITS.threads - 1 }), { maxLength: 6 }),
    ids: fc.uniqueArray(fc.integer({ min: 1, max: MAX_THREAD_ID }), { minLength: 6, maxLength: 6 }),
    threads: fc.array(
      fc.record({
        argument: fc.integer(),
        cpuNanos: nanos,
        begun: fc.boolean(),
        parked,
        arrival: fc.integer({ min: 1, max: 1e9 }),
      }),
      { minLength: 7, maxLength: 7 },
    ),
    nextCalls: fc.array(fc.nat(), { maxLength: LIMITS.threads }),
    nextThreadId: fc.integer({ min: 1, max: MAX_THREAD_ID }),
    monotonic: nanos,
    cpuNanos: nanos,
  })
  .map(({ others, ids, threads, nextCalls, ...baggage }) => ({
    threads: [0, ...others].map((number, index): CapturedThread => {
      const { argument, cpuNanos, begun, parked: slot, arrival } = threads[index] ?? assert.fail();
      const waits = slot?.state === 'waiting' ? { ...slot, arrival: arrival * 10 + index } : slot;
      const id = index === 0 ? 0 : (ids[index - 1] ?? 0);
      return { seat: seat(number), id, argument, cpuNanos, state: begun ? STATE : null, parked: waits };
    }),
    baggage: {
      args: [Uint8Array.of(65)],
      env: [],
      ...baggage,
      cpuNanos: 2n ** 62n + baggage.cpuNanos,
      nextCalls: nextCalls.map((n) => callNumber(n)),
    },
  }));

/** Who waits, longest first: the numbers themselves are not kept. */
const queue = ({ threads }: GuestRest): number[] =>
  threads
    .flatMap(({ seat: number, parked: slot }) =>
      slot?.state === 'waiting' ? [{ seat: number, arrival: slot.arrival }] : [],
    )
    .sort((a, b) => a.arrival - b.arrival)
    .map((one) => one.seat);

const withoutArrivals = ({ threads, baggage }: GuestRest): GuestRest => ({
  threads: threads.map((thread) => ({
    ...thread,
    parked: thread.parked?.state === 'waiting' ? { ...thread.parked, arrival: 0 } : thread.parked,
  })),
  baggage,
});

test('threads, their waits and their order come out as they went in', () => {
  fc.assert(
    fc.property(rest, (original) => {
      const found = decodeRest(encodeRest(original));
      assert.deepEqual(withoutArrivals(found), withoutArrivals(original));
      assert.deepEqual(queue(found), queue(original));
    }),
    fuzzed(100),
  );
});

test('any change of it is read, or is an error', () => {
  fc.assert(
    fc.property(rest, fc.nat(), fc.nat(255), fc.boolean(), (original, at, value, ofState) => {
      const { threads, kernel } = encodeRest(original);
      const changed = { threads: threads.map((state) => state.slice()), kernel: kernel.slice() };
      const bytes = ofState ? (changed.threads.find(({ length }) => length > 0) ?? changed.kernel) : changed.kernel;
      bytes[at % bytes.length] = value;
      try {
        const { threads: found } = decodeRest(changed);
        assert.ok(found.length >= 1 && found.length <= LIMITS.threads);
      } catch (error) {
        assert.ok(error instanceof GodwitError, String(error));
      }
    }),
    fuzzed(500),
  );
});

test('threads that do not fit together are no guest', () => {
  const thread = { argument: 0, cpuNanos: 0n, state: null, parked: null };
  const first: CapturedThread = { ...thread, seat: seat(0), id: 0 };
  const second: CapturedThread = { ...thread, seat: seat(1), id: 5 };
  const baggage = { args: [], env: [], monotonic: 0n, cpuNanos: 0n, nextCalls: [], nextThreadId: 1 };
  const wrong: readonly (readonly CapturedThread[])[] = [
    [],
    [second],
    [first, first],
    [first, { ...second, seat: seat(0) }],
    [first, second, { ...second, seat: seat(2) }],
    [first, { ...second, id: 0 }],
    [{ ...first, id: 5 }],
    [{ ...first, cpuNanos: 1n }],
  ];
  for (const threads of wrong) {
    assert.throws(() => decodeRest(encodeRest({ threads, baggage })), { code: 'corrupt' });
  }
  const { kernel } = encodeRest({ threads: [first, second], baggage });
  assert.throws(() => decodeRest({ threads: [new Uint8Array(0)], kernel }), { code: 'corrupt' });
});

test('threads stay that hold what only this node knows, or more frames than an image has room for', () => {
  const thread: CapturedThread = { seat: seat(0), id: 0, argument: 0, cpuNanos: 0n, state: STATE, parked: null };
  const deep = (bytes: number): CapturedThread => ({ ...thread, state: { ...STATE, frames: new Uint8Array(bytes) } });
  const most = LIMITS.savedStackBytes;
  assert.deepEqual(staysOf([{ ...thread, state: null }, thread, deep(most)]), []);
  assert.deepEqual(staysOf([thread, deep(most + 1)]), ['deep_stack']);
  assert.deepEqual(staysOf([deep(most), deep(most), thread]), ['deep_stack'], 'together');
  const held = { ...thread, state: { ...STATE, hostReference: true } };
  assert.deepEqual(staysOf([held, deep(most + 1), held]), ['host_reference', 'deep_stack']);
});
