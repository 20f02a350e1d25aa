/** Calls of several threads of one process, under way at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockId, type Subscription } from '../abi/types.ts';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { FIRST_SEAT, type Seat, seat } from '../base/ids.ts';
import type { ListenerEnd } from './socket.ts';
import { ListenerSocket } from './socket.ts';
import { streamRights } from './rights.ts';
import { TestListener } from './testing/ends.ts';
import { Harness, soFar } from './testing/harness.ts';
import { makePipe } from './testing/pipe.ts';

const SECOND = seat(1);
const THIRD = seat(2);

function withPipe() {
  const { reader, writer } = makePipe();
  const rights = streamRights(true, false, false);
  return { harness: new Harness({ stdio: [{ file: reader, rights }, null, null] }), writer };
}

const write = (writer: { write: (buffers: Uint8Array[], position: null) => unknown }, text: string): void =>
  void writer.write([encodeUtf8(text)], null);

test('threads that read from one pipe get its bytes in their order, each once', () => {
  const { harness, writer } = withPipe();
  const [first, second] = [new Uint8Array(1), new Uint8Array(1)];
  const one = harness.block('fd_read', { fd: 0, buffers: [first] });
  const two = harness.block('fd_read', { fd: 0, buffers: [second] }, SECOND);
  assert.equal(harness.process.blocked.size, 2);
  write(writer, 'ab');
  assert.deepEqual([soFar(one), soFar(two)], [{ count: 1 }, { count: 1 }]);
  assert.equal(decodeUtf8(first) + decodeUtf8(second), 'ab');
  assert.equal(harness.process.blocked.size, 0);
});

test('one thread’s call is taken back without the other’s', () => {
  const { harness, writer } = withPipe();
  const bytes = new Uint8Array(3);
  const one = harness.block('fd_read', { fd: 0, buffers: [new Uint8Array(3)] });
  const two = harness.block('fd_read', { fd: 0, buffers: [bytes] }, SECOND);
  assert.ok(one.withdraw());
  assert.deepEqual([...harness.process.blocked.keys()], [SECOND]);
  write(writer, 'abc');
  assert.deepEqual(soFar(two), { count: 3 });
  assert.equal(decodeUtf8(bytes), 'abc');
});

test('a process is blocked when each of its threads is in a call or waits for another', () => {
  const { harness, writer } = withPipe();
  const state = (count: number, ...waiting: Seat[]) => harness.process.stateWith({ count, waiting });
  assert.equal(state(1), 'running');
  assert.equal(state(1, FIRST_SEAT), 'blocked');
  assert.equal(state(2, FIRST_SEAT), 'running');
  const read = harness.block('fd_read', { fd: 0, buffers: [new Uint8Array(3)] }, SECOND);
  assert.equal(state(2), 'running');
  assert.equal(state(2, FIRST_SEAT), 'blocked');
  assert.equal(state(3, FIRST_SEAT, THIRD), 'blocked');
  assert.equal(state(2, SECOND), 'running', 'a thread is in one place');
  write(writer, 'abc');
  assert.deepEqual(soFar(read), { count: 3 });
  assert.equal(state(2, FIRST_SEAT), 'running');
});

test('a descriptor that one thread closes while another waits on it is gone for the next call', () => {
  const { harness } = withPipe();
  const waits = harness.block('fd_read', { fd: 0, buffers: [new Uint8Array(1)] }, SECOND);
  harness.ok('fd_close', { fd: 0 });
  assert.equal(harness.read(0), 'badf');
  waits.withdraw();
  assert.equal(harness.process.blocked.size, 0);
});

test('a listener that one thread closes while others accept on it', () => {
  const end: ListenerEnd = new TestListener();
  const harness = new Harness({ listeners: [new ListenerSocket(end)] });
  const waiting = [FIRST_SEAT, SECOND].map((by) => harness.block('sock_accept', { fd: 3, flags: 0 }, by));
  const closed = harness.kernel.call(harness.process, 'fd_close', { fd: 3 }, THIRD);
  assert.ok('value' in closed);
  for (const one of waiting) assert.ok(one.withdraw());
});

test('the end of a process takes the calls of all its threads back', () => {
  const { harness, writer } = withPipe();
  const bytes = new Uint8Array(1);
  const one = harness.block('fd_read', { fd: 0, buffers: [bytes] });
  const two = harness.block('fd_read', { fd: 0, buffers: [bytes] }, SECOND);
  harness.kernel.call(harness.process, 'proc_exit', { status: 3 }, THIRD);
  assert.deepEqual([one.pending, two.pending], [false, false]);
  assert.throws(() => write(writer, 'a'), 'nobody reads it any more');
  assert.deepEqual([...bytes], [0]);
  assert.deepEqual(harness.process.status, { how: 'exited', code: 3 });
});

test('each thread’s interrupted poll keeps its own time', () => {
  const harness = new Harness();
  const poll = (timeout: bigint): readonly Subscription[] => [
    { type: 'clock', userdata: 1n, clock: ClockId.monotonic, timeout, abstime: false },
  ];
  const begin = (by: typeof SECOND, ms: number) =>
    harness.block('poll_oneoff', { subscriptions: poll(BigInt(ms) * 1_000_000n), events: undefined, capacity: 1 }, by);
  const first = begin(FIRST_SEAT, 100);
  harness.clock.inner.advance(50);
  const second = begin(SECOND, 100);
  for (const one of [first, second]) assert.ok(one.withdraw());
  harness.clock.inner.advance(10);
  const [again, other] = [begin(FIRST_SEAT, 100), begin(SECOND, 100)];
  harness.clock.inner.advance(40);
  assert.deepEqual([again.pending, other.pending], [false, true]);
  harness.clock.inner.advance(50);
  assert.equal(other.pending, false);
  assert.equal(harness.clock.timers, 0);
});
