/** A process that arrives: what of it happens while its image comes, and that nothing of it runs. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GodwitError } from '../../base/errors.ts';
import { incarnation, makePid, nodeId } from '../../base/ids.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import { Arrival } from './arrival.ts';
import { Does, threadsOf, WORD } from '../testing/threads.ts';
import type { GuestReport } from './guest.ts';
import type { GuestBaggage, GuestRest } from './guest-baggage.ts';
import { imageOf } from './guest-image.ts';
import { GuestSession } from './guest-session.ts';
import { WorkerPool } from './worker-pool.ts';

const HOME = nodeId(1);
const FRESH: GuestBaggage = { args: [], env: [], monotonic: 0n, cpuNanos: 0n, nextCalls: [], nextThreadId: 1 };

const pool = new WorkerPool();
const sessions: GuestSession[] = [];
after(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await pool.close();
});

/** The name of the program is a hash to those who look into an image. */
const module = threadsOf('ab'.repeat(32), [Does.counts, Does.waits], 99);
const room = (): void => {};

function sessionOn(arriving: boolean) {
  const takenUp = Promise.withResolvers<void>();
  const reported = Promise.withResolvers<GuestReport>();
  const unused = (): never => assert.fail('there is no home here');
  const session = new GuestSession(
    {
      pid: makePid(HOME, 7),
      home: HOME,
      module,
      memories: { sizes: module.memories, host: module.hostMemory, arriving },
      threads: 1,
    },
    {
      self: nodeId(2),
      pool,
      homeSide: { local: unused, call: unused, attach: unused, detach: unused },
      homeCalls: new HomeCalls(unused),
      takenUp: () => takenUp.resolve(),
      mayAddThread: () => true,
      grew() {},
      reported: (_session, report) => reported.resolve(report),
    },
  );
  sessions.push(session);
  const counter = (): number => Atomics.load(new Int32Array(session.guest.memory.buffer), WORD.counter / 4);
  return { session, counter, takenUp: takenUp.promise, reported: reported.promise };
}

/** The program's image, taken while its threads count and wait, in pieces; `change` may forge its states before. */
async function image(change: (rest: GuestRest) => GuestRest = (rest) => rest) {
  const { session, counter, reported } = sessionOn(false);
  session.run(FRESH, null, incarnation(1));
  while (counter() === 0 || session.guest.threads < 3) await sleep(1);
  session.capture();
  const report = await reported;
  assert.ok(report.type === 'captured');
  const rest = change({ threads: report.threads, baggage: session.pack(report) });
  const source = await imageOf(module, session.guest.memories.all, rest);
  const pieces: Uint8Array[] = [];
  for (let piece; (piece = source.next(4096)) !== null;) pieces.push(piece.slice());
  return { pieces, digest: source.digest(), counted: counter() };
}

test('states are taken up before all memory has come, and nothing runs before it may', async () => {
  const { pieces, digest, counted } = await image();
  const { session, counter, takenUp } = sessionOn(true);
  const arrival = new Arrival(session, room);
  const last = pieces.pop();
  assert.ok(last && pieces.length > 0);
  for (const piece of pieces) arrival.write(piece);
  await takenUp;
  assert.ok(arrival.rest, 'its states are known');
  arrival.write(last);
  await arrival.complete(digest);
  assert.equal(session.computing, 0);
  assert.equal(counter(), counted);
  session.run(arrival.rest.baggage, arrival.rest.threads, incarnation(2));
  while (counter() === counted) await sleep(1);
});

test('an image whose states cannot be taken up is not complete', async () => {
  const forged = await image(({ threads, baggage }) => ({
    threads: threads.map((thread) => ({
      ...thread,
      state: thread.state && { ...thread.state, root: { type: 'export', name: 'nothing' } },
    })),
    baggage,
  }));
  const { session, reported } = sessionOn(true);
  const arrival = new Arrival(session, room);
  for (const piece of forged.pieces) arrival.write(piece);
  const report = await reported;
  assert.ok(report.type === 'failed');
  arrival.fail(report.message);
  await assert.rejects(arrival.complete(forged.digest), { code: 'corrupt', message: report.message });
});

test('memory that was damaged on its way is found, whatever has been taken up', async () => {
  const { pieces, digest } = await image();
  const { session, takenUp } = sessionOn(true);
  const arrival = new Arrival(session, room);
  const last = pieces.at(-1);
  assert.ok(last);
  last[last.length - 60]! ^= 1;
  for (const piece of pieces) arrival.write(piece);
  await takenUp;
  await assert.rejects(arrival.complete(digest), { code: 'corrupt' });
});

test('a process with more threads than this node has room for is refused, when all of it has come', async () => {
  const { pieces, digest } = await image();
  const { session } = sessionOn(true);
  const arrival = new Arrival(session, (more) => {
    assert.equal(more, 2, 'one was prepared, of three');
    throw new GodwitError('limit', 'no room');
  });
  for (const piece of pieces) arrival.write(piece);
  await assert.rejects(arrival.complete(digest), { code: 'limit', message: 'no room' });
});
