import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO } from '../abi/errno.ts';
import { FdFlags, FileType, PreopenType, RiFlags, Rights, SdFlags } from '../abi/types.ts';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { seat } from '../base/ids.ts';
import { ListenerSocket } from './socket.ts';
import { TestEnd, TestListener } from './testing/ends.ts';
import { Harness, soFar } from './testing/harness.ts';

const LISTENER = 3;

function withListener(flags = 0) {
  const listener = new TestListener();
  const harness = new Harness({ listeners: [new ListenerSocket(listener, flags)] });
  return { listener, harness };
}

/** A process with a connection, made without blocking. */
function withConnection(flags = 0) {
  const { listener, harness } = withListener();
  const accept = harness.block('sock_accept', { fd: LISTENER, flags });
  const end = new TestEnd('socket');
  listener.connect(end);
  const accepted = soFar(accept);
  assert.ok(accepted !== null && typeof accepted !== 'string');
  const fd = accepted.accepted;
  const buffer = new Uint8Array(10);
  const receive = (flags = 0, max = 10) => ({ fd, buffers: [buffer.subarray(0, max)], flags });
  const text = (count: number) => decodeUtf8(buffer.subarray(0, count));
  return { harness, end, fd, buffer, receive, text };
}

test('sockets come behind the standard streams, directories behind them', () => {
  const { harness } = withListener();
  assert.equal(harness.ok('fd_fdstat_get', { fd: 3 }).stat.filetype, FileType.socketStream);
  assert.deepEqual(harness.ok('fd_prestat_get', { fd: 3 }).prestat, { tag: PreopenType.socket, nameLength: 0 });
  assert.equal(harness.call('fd_prestat_dir_name', { fd: 3, name: new Uint8Array(9) }), 'badf');
  assert.equal(harness.ok('fd_prestat_get', { fd: 4 }).prestat.nameLength, 1);
});

test('accept waits; a connection for a withdrawn accept is the next one’s', () => {
  const { listener, harness } = withListener();
  assert.equal(listener.asked, false);
  assert.ok(harness.block('sock_accept', { fd: LISTENER, flags: 0 }).withdraw());
  listener.connect();
  assert.equal(listener.asked, false);
  const { accepted } = harness.ok('sock_accept', { fd: LISTENER, flags: FdFlags.nonblock });
  const { stat } = harness.ok('fd_fdstat_get', { fd: accepted });
  assert.equal(stat.flags, FdFlags.nonblock);
  assert.ok((stat.rightsBase & Rights.sock_shutdown) !== 0n);
  assert.equal(harness.call('sock_accept', { fd: accepted, flags: 0 }), 'notcapable');
  assert.equal(harness.call('sock_accept', { fd: LISTENER, flags: FdFlags.append }), 'inval');
});

test('a listener that may not block, its poll and its errors', () => {
  const { listener, harness } = withListener(FdFlags.nonblock);
  const nobody = harness.block('sock_accept', { fd: LISTENER, flags: 0 });
  listener.haveNobody();
  assert.equal(soFar(nobody), 'again');
  assert.equal(listener.asked, false);
  const one = harness.block('sock_accept', { fd: LISTENER, flags: 0 });
  assert.ok(listener.hurried);
  listener.connect();
  assert.deepEqual(soFar(one), { accepted: 0 });
  const subscriptions = [{ type: 'fdRead' as const, userdata: 1n, fd: LISTENER }];
  const poll = harness.block('poll_oneoff', { subscriptions, events: undefined, capacity: 1 });
  listener.connect();
  assert.equal(poll.pending, false);
  harness.ok('sock_accept', { fd: LISTENER, flags: 0 });
  assert.equal(harness.read(LISTENER), 'notconn');
  assert.equal(harness.call('sock_recv', { fd: LISTENER, buffers: [new Uint8Array(1)], flags: 0 }), 'notconn');
  assert.equal(harness.call('sock_shutdown', { fd: LISTENER, how: SdFlags.rd }), 'notconn');
  assert.equal(harness.call('sock_send', { fd: LISTENER, buffers: [], flags: 0 }), 'badf');
});

test('closing a listener closes a connection that nobody took', () => {
  const { listener, harness } = withListener();
  assert.ok(harness.block('sock_accept', { fd: LISTENER, flags: 0 }).withdraw());
  const end = new TestEnd('socket');
  listener.connect(end);
  harness.ok('fd_close', { fd: LISTENER });
  assert.deepEqual(end.events, ['close']);
  assert.ok(listener.closed);
});

test('receive: bytes, peeked bytes, all bytes, the end', () => {
  const { harness, end, receive, text } = withConnection();
  const peek = harness.block('sock_recv', receive(RiFlags.peek));
  end.type('abc');
  assert.deepEqual(soFar(peek), { count: 3, roflags: 0 });
  assert.equal(harness.ok('sock_recv', receive(RiFlags.peek, 2)).count, 2);
  assert.equal(harness.ok('sock_recv', receive(0, 2)).count, 2);
  assert.equal(text(2), 'ab');
  const all = harness.block('sock_recv', receive(RiFlags.waitall, 5));
  end.type('de');
  assert.equal(soFar(all), null);
  end.type('fg');
  assert.deepEqual(soFar(all), { count: 5, roflags: 0 });
  assert.equal(text(5), 'cdefg');
  const short = harness.block('sock_recv', receive(RiFlags.waitall, 5));
  end.type('h');
  end.type('');
  assert.deepEqual(soFar(short), { count: 1, roflags: 0 });
  assert.equal(harness.ok('sock_recv', receive()).count, 0);
  assert.equal(harness.call('sock_recv', receive(4)), 'inval');
});

test('a withdrawn wait for all bytes gives those that it has', () => {
  const { harness, end, receive } = withConnection();
  const all = harness.block('sock_recv', receive(RiFlags.waitall, 5));
  end.type('ab');
  assert.equal(all.withdraw(), false);
  assert.deepEqual(soFar(all), { count: 2, roflags: 0 });
  const none = harness.block('sock_recv', receive(RiFlags.waitall, 5));
  assert.ok(none.withdraw());
  end.type('cd');
  assert.equal(harness.ok('sock_recv', receive()).count, 2);
});

test('read and write work on connections too; without blocking there is EAGAIN', () => {
  const { harness, end, fd, receive } = withConnection(FdFlags.nonblock);
  const look = () => harness.block('sock_recv', receive());
  const nothing = look();
  end.haveNothing();
  assert.equal(soFar(nothing), 'again');
  const some = look();
  assert.ok(end.hurried);
  end.type('hi');
  assert.deepEqual(soFar(some), { count: 2, roflags: 0 });
  assert.equal(harness.write(fd, 'abc'), 3);
  assert.equal(harness.write(fd, 'def'), 'again');
  end.take();
  assert.equal(end.output, 'abc');
  assert.equal(harness.call('fd_pread', { fd, buffers: [], offset: 0n }), 'spipe');
});

test('an accept that may not wait hurries the one that waits, which is made again', () => {
  const listener = new TestListener();
  const socket = new ListenerSocket(listener);
  const harness = new Harness({ listeners: [socket] });
  const patient = harness.block('sock_accept', { fd: LISTENER, flags: 0 });
  socket.setFlags(FdFlags.nonblock);
  const hasty = harness.block('sock_accept', { fd: LISTENER, flags: 0 }, seat(1));
  listener.haveNobody();
  assert.equal(soFar(hasty), 'again');
  assert.equal(soFar(patient), null);
  listener.connect();
  assert.deepEqual(soFar(patient), { accepted: 0 });
});

test('or the poll that waits', () => {
  const { listener, harness } = withListener(FdFlags.nonblock);
  const subscriptions = [{ type: 'fdRead' as const, userdata: 1n, fd: LISTENER }];
  const poll = harness.block('poll_oneoff', { subscriptions, events: undefined, capacity: 1 });
  const hasty = harness.block('sock_accept', { fd: LISTENER, flags: 0 }, seat(1));
  listener.haveNobody();
  assert.equal(soFar(hasty), 'again');
  assert.equal(soFar(poll), null);
  assert.deepEqual([listener.asked, listener.hurried], [true, false]);
  listener.connect();
  assert.equal(poll.pending, false);
});

test('what may not wait does not wait for a socket that another thread closes', () => {
  const { listener, harness } = withListener(FdFlags.nonblock);
  const accept = harness.block('sock_accept', { fd: LISTENER, flags: 0 }, seat(1));
  assert.ok(listener.hurried);
  harness.ok('fd_close', { fd: LISTENER });
  assert.equal(soFar(accept), 'again');

  const connection = withConnection(FdFlags.nonblock);
  const receive = connection.harness.block('sock_recv', connection.receive(), seat(1));
  assert.ok(connection.end.hurried);
  connection.harness.ok('fd_close', { fd: connection.fd });
  assert.deepEqual(soFar(receive), { count: 0, roflags: 0 });
});

test('a peer that is gone is EPIPE without a signal', () => {
  const { harness, end, fd } = withConnection();
  const send = harness.block('sock_send', { fd, buffers: [encodeUtf8('x')], flags: 0 });
  end.failWrite(ERRNO.pipe);
  assert.equal(soFar(send), 'pipe');
  const write = harness.block('fd_write', { fd, buffers: [encodeUtf8('x')] });
  end.failWrite(ERRNO.pipe);
  assert.equal(soFar(write), 'pipe');
  assert.equal(harness.process.ended, false);
  assert.equal(harness.call('sock_send', { fd, buffers: [], flags: 1 }), 'inval');
});

test('shutdown ends one direction or both; what was accepted is still sent', () => {
  const { harness, end, fd, receive } = withConnection();
  const send = harness.block('sock_send', { fd, buffers: [encodeUtf8('abc')], flags: 0 });
  assert.equal(send.withdraw(), false);
  harness.ok('sock_shutdown', { fd, how: SdFlags.wr });
  assert.deepEqual(end.events, []);
  assert.equal(harness.call('sock_send', { fd, buffers: [encodeUtf8('x')], flags: 0 }), 'pipe');
  end.take();
  assert.deepEqual(end.events, ['end']);
  harness.ok('sock_shutdown', { fd, how: SdFlags.rd });
  assert.equal(harness.ok('sock_recv', receive()).count, 0);
  assert.equal(harness.call('sock_shutdown', { fd, how: 0 }), 'inval');
  assert.equal(harness.call('sock_shutdown', { fd, how: 4 }), 'inval');
  harness.ok('fd_close', { fd });
  assert.deepEqual(end.events, ['end', 'close']);
});

test('a peer that takes nothing is given up by and by, from when the program closes the connection', () => {
  const { harness, end, fd } = withConnection();
  const send = harness.block('sock_send', { fd, buffers: [encodeUtf8('abc')], flags: 0 });
  assert.equal(send.withdraw(), false);
  harness.ok('sock_shutdown', { fd, how: SdFlags.wr });
  assert.equal(end.left, false);
  harness.ok('fd_close', { fd });
  assert.deepEqual([end.left, end.events], [true, []]);
  end.failWrite(ERRNO.pipe);
  assert.deepEqual(end.events, ['end', 'close']);
});

test('what is no socket is ENOTSOCK', () => {
  const { harness } = withListener();
  assert.equal(harness.call('sock_shutdown', { fd: 4, how: SdFlags.rd }), 'notsock');
  assert.equal(harness.call('sock_recv', { fd: 4, buffers: [], flags: 0 }), 'notsock');
  assert.equal(harness.call('sock_accept', { fd: 99, flags: 0 }), 'badf');
});
