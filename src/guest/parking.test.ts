/**
 * The queue of waits: against a model, one step at a time; and hammered by real threads, which leave their waits for
 * captures at random moments and go on in another queue. GODWIT_SEED=s replays the moments of the second kind, as far
 * as the system's scheduling allows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { LIMITS } from '../base/limits.ts';
import { SeededRandom } from '../base/virtual.ts';
import { type Parked, ParkingLot, WaitResult } from './parking.ts';
import { type Hammering, type Said, type Task, WORD, placeOf } from './testing/hammer.ts';

const SEATS = 6;

type Step =
  | { readonly do: 'wait'; readonly seat: number; readonly word: number; readonly timeout: number | null }
  | { readonly do: 'notify'; readonly word: number; readonly count: number }
  | { readonly do: 'store'; readonly word: number; readonly value: number }
  | { readonly do: 'time'; readonly passes: number }
  | { readonly do: 'capture' };

const word = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      seat: fc.nat(SEATS - 1),
      word,
      timeout: fc.option(fc.nat(9)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('notify' as const), word, count: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('store' as const), word, value: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), passes: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('capture' as const) }) },
);

/** The slots as an image has them, in another queue. */
function moved(lot: ParkingLot): ParkingLot {
  const slots = new Map<number, Parked>();
  for (let seat = 0; seat < LIMITS.threads; seat++) {
    const slot = lot.saved(seat);
    if (slot) slots.set(seat, slot);
  }
  const other = new ParkingLot();
  other.restore(slots);
  return other;
}

test('the longest waiting is woken first, each wait ends once, and captures change nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let lot = new ParkingLot();
      let now = 0n;
      const values = [0, 0, 0];
      /** Of the model: who waits, longest first, and who was woken and has not looked yet. */
      let queue: { readonly seat: number; readonly word: number; readonly until: bigint | null }[] = [];
      const woken = new Set<number>();
      const lookAll = (): void => {
        for (let seat = 0; seat < SEATS; seat++) {
          const waits = queue.find((one) => one.seat === seat);
          if (!waits && !woken.has(seat)) continue;
          const late = waits?.until !== undefined && waits.until !== null && waits.until <= now;
          const wanted = woken.has(seat) ? WaitResult.woken : late ? WaitResult.timedOut : null;
          assert.equal(lot.look(seat, now), wanted);
          if (wanted === null) continue;
          woken.delete(seat);
          queue = queue.filter((one) => one.seat !== seat);
        }
      };
      for (const todo of steps) {
        if (todo.do === 'wait') {
          const { seat, word, timeout } = todo;
          if (woken.has(seat) || queue.some((one) => one.seat === seat)) continue;
          const until = timeout === null ? null : now + BigInt(timeout);
          const waits = lot.enter(
            seat,
            placeOf(word),
            () => values[word] === 0,
            () => until,
          );
          assert.equal(waits, values[word] === 0);
          if (waits) queue.push({ seat, word, until });
        } else if (todo.do === 'notify') {
          const here = queue.filter((one) => one.word === todo.word).slice(0, todo.count);
          assert.equal(lot.notify(placeOf(todo.word), todo.count), here.length);
          queue = queue.filter((one) => !here.includes(one));
          for (const { seat } of here) woken.add(seat);
        } else if (todo.do === 'store') values[todo.word] = todo.value;
        else if (todo.do === 'time') {
          now += BigInt(todo.passes);
          lookAll();
        } else lot = moved(lot);
      }
      now += 100n;
      lookAll();
      for (const { seat, word } of queue) {
        assert.equal(lot.notify(placeOf(word), 1), 1);
        assert.ok(
          queue.some((one) => one.word === word && lot.look(one.seat, now) === WaitResult.woken),
          `${seat}`,
        );
      }
      for (let seat = 0; seat < LIMITS.threads; seat++) assert.equal(lot.saved(seat), null);
    }),
    { numRuns: 500 },
  );
});

test('places of different memories, and beyond 4 GiB, are different places', () => {
  const lot = new ParkingLot();
  const enter = (seat: number, memory: number, address: number): boolean =>
    lot.enter(
      seat,
      { memory, address },
      () => true,
      () => null,
    );
  enter(0, 0, 16);
  enter(1, 1, 16);
  enter(2, 0, 2 ** 32 + 16);
  assert.equal(lot.notify({ memory: 1, address: 16 }, 9), 1);
  assert.equal(lot.look(1, 0n), WaitResult.woken);
  assert.equal(lot.notify({ memory: 0, address: 2 ** 32 + 16 }, 9), 1);
  assert.equal(lot.look(2, 0n), WaitResult.woken);
  assert.equal(lot.look(0, 0n), null);
});

test('a comparison that fails, or throws, leaves nothing behind', () => {
  const lot = new ParkingLot();
  const waiter = { seat: 3, now: () => 0n, attend: () => false };
  assert.equal(
    lot.wait(waiter, placeOf(0), () => false, -1n),
    WaitResult.different,
  );
  assert.throws(() => lot.wait(waiter, placeOf(0), () => assert.fail('out of bounds'), -1n), /out of bounds/);
  assert.equal(lot.saved(3), null);
  assert.equal(
    lot.wait(waiter, placeOf(0), () => true, 0n),
    WaitResult.timedOut,
  );
  assert.equal(lot.notify(placeOf(0), 1), 0);
});

test('a wait that is made again after a capture does not compare again, and finds that it was woken', () => {
  let lot = new ParkingLot();
  let leaves = true;
  const waiter = { seat: 2, now: () => 0n, attend: () => leaves };
  assert.equal(
    lot.wait(waiter, placeOf(0), () => true, -1n),
    null,
  );
  const waits = lot.saved(2);
  lot = moved(lot);
  const again = (): WaitResult | null => lot.wait(waiter, placeOf(0), () => assert.fail('compared a second time'), -1n);
  assert.equal(again(), null);
  assert.deepEqual(lot.saved(2), waits);
  assert.equal(lot.notify(placeOf(0), 9), 1);
  lot = moved(lot);
  leaves = false;
  assert.equal(again(), WaitResult.woken);
  assert.equal(lot.notify(placeOf(0), 9), 0);
});

test('a time beyond the end of the clock is none', () => {
  const lot = new ParkingLot();
  const waiter = { seat: 0, now: () => 1000n, attend: () => true };
  assert.equal(
    lot.wait(waiter, placeOf(0), () => true, 2n ** 63n - 1n),
    null,
  );
  assert.deepEqual(lot.saved(0), { state: 'waiting', place: placeOf(0), deadline: null, arrival: 1 });
});

/** Lets threads do their rounds, with captures in between, until all are done. @returns the counter */
async function hammer(task: Task, threads: number, rounds: number, seed: number): Promise<number> {
  const random = new SeededRandom(seed);
  const words = new Int32Array(new SharedArrayBuffer(4 * (WORD.slots + threads)));
  let lot = new ParkingLot();
  const left = new Set<number>();
  const living = new Set(Array.from({ length: threads }, (_, seat) => seat));
  let settled = Promise.withResolvers<void>();
  const check = (): void => {
    if (left.size === living.size) settled.resolve();
  };
  const started = Array.from({ length: threads }, (_, seat) => {
    const { port1, port2 } = new MessageChannel();
    const work: Hammering = { task, seat, threads, rounds, words, lot: lot.shared, lots: port2 };
    const worker = new Worker(new URL('./testing/hammer.ts', import.meta.url), {
      workerData: work,
      transferList: [port2],
    });
    worker.on('message', (said: Said) => {
      if (said === 'left') left.add(seat);
      else living.delete(seat);
      check();
    });
    return { worker, port: port1 };
  });
  try {
    while (living.size > 0) {
      settled = Promise.withResolvers();
      Atomics.store(words, WORD.attention, 1);
      lot.nudge();
      check();
      await settled.promise;
      lot = moved(lot);
      for (const seat of left) started[seat]!.port.postMessage(lot.shared);
      left.clear();
      Atomics.store(words, WORD.attention, 0);
      Atomics.add(words, WORD.generation, 1);
      Atomics.notify(words, WORD.generation);
      await sleep(random.below(3));
      // There is always one that is not waiting, who will wake another.
      const most = task === 'timeouts' ? threads : Math.max(0, living.size - 1);
      for (let looks = 0; looks < 100; looks++) assert.ok(lot.waiting.length <= most);
    }
    return words[WORD.counter] ?? 0;
  } finally {
    for (const { worker, port } of started) {
      port.close();
      await worker.terminate();
    }
  }
}

const seed = Number(process.env['GODWIT_SEED'] ?? Math.floor(Math.random() * 1e6));
const ROUNDS: Readonly<Record<Task, number>> = { mutex: 3000, turns: 400, barrier: 400, timeouts: 1500 };

for (const [task, rounds] of Object.entries(ROUNDS) as [Task, number][]) {
  test(`no wake-up is lost: ${task}`, { timeout: 120_000 }, async () => {
    const threads = 4;
    const counter = await hammer(task, threads, rounds, seed).catch((error: unknown) => {
      throw new Error(`GODWIT_SEED=${seed}`, { cause: error });
    });
    assert.equal(counter, threads * rounds, `GODWIT_SEED=${seed}`);
  });
}
