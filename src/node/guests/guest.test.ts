/** The threads of a guest, with real workers: together they stop, leave, go on and end. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { THREAD_SPAWN } from '../../abi/wasi-threads.ts';
import type { Seat } from '../../base/ids.ts';
import type { ThreadCall } from '../../guest/control.ts';
import type { GuestContext } from '../../guest/messages.ts';
import { Guest, type GuestReport } from './guest.ts';
import { decodeRest, encodeRest, type GuestBaggage, type GuestRest } from './guest-baggage.ts';
import type { LoadedModule } from '../modules/modules.ts';
import { Does, ROUNDS, threadsOf, WORD } from '../testing/threads.ts';
import { Refresher } from './refresh.ts';
import { WorkerPool } from './worker-pool.ts';

const pool = new WorkerPool();
after(() => pool.close());
/** Ended even by a test that fails, whose workers would keep this process. */
const guests: Guest[] = [];
after(() => Promise.all(guests.map((guest) => guest.end())));

const CONTEXT: GuestContext = { args: [], env: [] };

/** A guest whose calls are answered here. */
class Host {
  readonly guest: Guest;
  readonly #reports: GuestReport[] = [];
  #told: () => void = () => {};
  takenUp = 0;
  /** Whether there is room for one thread more. */
  room = true;
  #leaving = false;
  /** Called with each call, before it is answered. */
  onCall: (seat: Seat, call: ThreadCall) => void = () => {};

  constructor(module: LoadedModule) {
    this.guest = new Guest(module, { sizes: module.memories, host: module.hostMemory, arriving: false }, pool, {
      takenUp: () => this.takenUp++,
      called: (seat, call) => this.#called(seat, call),
      reported: (report) => {
        this.#reports.push(report);
        this.#told();
      },
    });
    guests.push(this.guest);
  }

  #called(seat: Seat, call: ThreadCall): void {
    assert.equal(call.name, THREAD_SPAWN);
    if (this.#leaving) return this.guest.interrupt(seat);
    this.onCall(seat, call);
    this.guest.answer(seat, this.guest.spawn(Number(call.args[0]), this.room));
    // Once all threads are made, and before the last one has begun.
    this.afterCall();
  }

  afterCall: () => void = () => {};

  async report(): Promise<GuestReport> {
    while (this.#reports.length === 0) await new Promise<void>((resolve) => (this.#told = resolve));
    return this.#reports.shift() ?? assert.fail();
  }

  /** Resolves when all its states have been taken up. */
  async running(): Promise<void> {
    while (this.takenUp === 0) await sleep(1);
  }

  async capture(): Promise<GuestRest | GuestReport> {
    this.#leaving = true;
    this.guest.capture();
    const report = await this.report();
    this.#leaving = false;
    if (report.type !== 'captured') return report;
    const baggage: GuestBaggage = {
      args: [],
      env: [],
      monotonic: 0n,
      cpuNanos: report.cpuNanos,
      nextCalls: [],
      nextThreadId: this.guest.nextThreadId,
    };
    return { threads: report.threads, baggage };
  }

  goOn({ threads, baggage }: GuestRest): void {
    this.guest.expect(threads.length);
    this.guest.goOn(CONTEXT, threads, baggage.nextThreadId, 0n);
    this.guest.letGo(0n);
  }

  /** Waits for a word of the guest's memory, which the guest goes on changing. */
  async until(word: number, holds: (value: number) => boolean): Promise<number> {
    for (;;) {
      const value = this.word(word);
      if (holds(value)) return value;
      await sleep(1);
    }
  }

  word(at: number): number {
    return Atomics.load(new Int32Array(this.guest.memory.buffer), at / 4);
  }
}

/** What is captured goes on in another guest, as after a move. */
function moved(module: LoadedModule, from: Host, rest: GuestRest): Host {
  const to = new Host(module);
  new Uint8Array(to.guest.memory.buffer).set(new Uint8Array(from.guest.memory.buffer));
  to.goOn(decodeRest(encodeRest(rest)));
  return to;
}

test('threads run, wait for each other and end', async () => {
  const host = new Host(threadsOf('works', [Does.works, Does.works, Does.returns], 3));
  host.guest.start(CONTEXT, 0n);
  const report = await host.report();
  assert.ok(report.type === 'exited', inspect(report));
  assert.equal(report.status, (2 * ROUNDS) % 256);
  assert.deepEqual([host.word(WORD.ids), host.word(WORD.ids + 4), host.word(WORD.ids + 8)], [1, 2, 3]);
  await host.guest.end();
});

test('captured again and again, in waits and in loops, each time in another guest, they do the same', async () => {
  const module = threadsOf('moves', [Does.waits, Does.works, Does.works, Does.works, Does.waits], 5);
  let host = new Host(module);
  host.guest.start(CONTEXT, 0n);
  for (let moves = 0; ; moves++) {
    // As in a move: it runs before it is captured again.
    if (moves > 0) await host.running();
    await sleep(moves % 5);
    const rest = await host.capture();
    if ('type' in rest) {
      assert.ok(rest.type === 'exited', inspect(rest));
      assert.equal(rest.status, (3 * ROUNDS) % 256);
      assert.ok(moves > 0, `${moves} moves`);
      break;
    }
    const next = moved(module, host, rest);
    await host.guest.end();
    host = next;
  }
  await host.guest.end();
});

test('a thread that was made and has not begun is captured as such, and begins elsewhere', async () => {
  const module = threadsOf('young', [Does.works, Does.works], 2);
  const host = new Host(module);
  const captured = new Promise<GuestRest | GuestReport>((resolve) => {
    host.afterCall = () => {
      // The second one is being prepared.
      if (host.guest.threads === 3) resolve(host.capture());
    };
  });
  host.guest.start(CONTEXT, 0n);
  const rest = await captured;
  assert.ok('baggage' in rest, inspect(rest));
  assert.deepEqual(
    rest.threads.map(({ seat, id, argument, state }) => [seat, id, argument, state === null]),
    [
      [0, 0, 0, false],
      [1, 1, Does.works, rest.threads[1]?.state === null],
      [2, 2, Does.works, true],
    ],
  );
  const next = moved(module, host, rest);
  await host.guest.end();
  const report = await next.report();
  assert.ok(report.type === 'exited', inspect(report));
  assert.equal(report.status, (2 * ROUNDS) % 256);
  assert.equal(next.takenUp, 1);
  await next.guest.end();
});

for (const [what, expected] of [
  ['exits', { type: 'exited', status: 7 }],
  ['traps', { type: 'trapped' }],
] as const) {
  test(`one thread that ${what} ends the others, whatever they do`, async () => {
    const host = new Host(threadsOf(what, [Does.counts, Does.waits, Does[what]], 99));
    host.guest.start(CONTEXT, 0n);
    const report = await host.report();
    assert.equal(report.type, expected.type);
    if ('status' in expected) assert.ok(report.type === 'exited' && report.status === expected.status);
    if (report.type === 'trapped') assert.match(report.message, /unreachable/);
    await host.guest.end();
  });
}

test('when there is no room for a thread, the program is told', async () => {
  const host = new Host(threadsOf('room', [Does.returns, Does.returns], 1));
  host.afterCall = () => (host.room = false);
  host.guest.start(CONTEXT, 0n);
  assert.equal((await host.report()).type, 'exited');
  assert.deepEqual([host.word(WORD.ids), host.word(WORD.ids + 4)], [1, -6]);
  await host.guest.end();
});

test('a thread that is over leaves its seat to the next one, which has another id', async () => {
  const host = new Host(threadsOf('seats', [Does.returns, Does.returns, Does.counts], 3));
  const seats: number[] = [];
  host.onCall = () => void seats.push(host.guest.threads);
  host.guest.start(CONTEXT, 0n);
  await host.until(WORD.counter, (value) => value > 0);
  await host.until(WORD.done, (value) => value === 2);
  const rest = await host.capture();
  assert.ok('baggage' in rest, inspect(rest));
  assert.ok(rest.baggage.nextThreadId === 4);
  assert.ok(rest.threads.some(({ id, argument }) => id === 3 && argument === Does.counts));
  await host.guest.end();
});

test('a stopped guest does nothing with any thread until it is continued', async () => {
  const host = new Host(threadsOf('stops', [Does.counts, Does.counts, Does.waits], 99));
  host.guest.start(CONTEXT, 0n);
  await host.until(WORD.counter, (value) => value > 1000);
  host.guest.stop();
  const stopped = host.word(WORD.counter);
  await sleep(40);
  // Each thread counts on until its next safepoint, which is in the same round or the next, whenever it gets there.
  const most = stopped + 2 * 2;
  assert.ok(host.word(WORD.counter) <= most);
  host.guest.cont();
  await host.until(WORD.counter, (value) => value > most);
  // It is captured while it is stopped too.
  host.guest.stop();
  assert.ok('baggage' in (await host.capture()));
  await host.guest.end();
});

test('a thread is refreshed from when its code goes on, however long it waits for that with its state', async (t) => {
  const module = threadsOf('refreshed', [Does.works], 2);
  const from = new Host(module);
  from.guest.start(CONTEXT, 0n);
  const rest = await from.capture();
  assert.ok('baggage' in rest, inspect(rest));
  const begin = t.mock.method(Refresher.prototype, 'begin').mock;
  const to = new Host(module);
  to.guest.expect(rest.threads.length);
  to.guest.goOn(CONTEXT, rest.threads, rest.baggage.nextThreadId, 0n);
  await to.running();
  assert.equal(begin.callCount(), 0);
  to.guest.letGo(0n);
  assert.equal(begin.callCount(), rest.threads.length);
  await Promise.all([from.guest.end(), to.guest.end()]);
});

test('what was captured goes on in the same guest, if its move is called off', async () => {
  const host = new Host(threadsOf('again', [Does.works, Does.works, Does.waits], 3));
  host.guest.start(CONTEXT, 0n);
  for (let i = 0; i < 5; i++) {
    const rest = await host.capture();
    if ('type' in rest) return assert.ok(rest.type === 'exited' && rest.status === (2 * ROUNDS) % 256);
    host.goOn(rest);
  }
  assert.equal(host.guest.release(), host.guest.threads === 1);
  const report = await host.report();
  assert.ok(report.type === 'exited' && report.status === (2 * ROUNDS) % 256, inspect(report));
  await host.guest.end();
});

test('whether its workers may wait for the next guest with its memories depends on whether there can be one', async (t) => {
  for (const wanted of [true, false]) {
    t.mock.method(pool.memories, 'wants', () => wanted);
    const giveBack = t.mock.method(pool, 'giveBack');
    const { guest } = new Host(threadsOf('kept', [], 0));
    await guest.ready();
    await guest.end();
    const kept = giveBack.mock.calls.filter(({ arguments: [, , memories] }) => memories === guest.memories.all);
    assert.deepEqual(
      kept.map(({ arguments: [, , , kept] }) => kept),
      [wanted],
    );
    t.mock.restoreAll();
  }
});
