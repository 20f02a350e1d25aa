import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { FdFlags, FileType, Rights, Whence } from '../abi/types.ts';
import { FIRST_SEAT, seat } from '../base/ids.ts';
import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { Waiting } from '../base/waiting.ts';
import { StreamFile, type StreamKindName } from './stream.ts';
import { FILE_STAT, TestEnd } from './testing/ends.ts';
import { type Blocked, Harness, soFar } from './testing/harness.ts';
import { ONE_THREAD } from './process.ts';

const SECOND_SEAT = seat(1);

function withStream(kind: StreamKindName = 'pipe', flags = 0) {
  const end = new TestEnd(kind);
  end.flags = flags;
  const file = new StreamFile(end);
  const harness = new Harness({ stdio: [{ file, rights: file.rights }, null, null] });
  const buffer = new Uint8Array(10);
  const read = (max = 10) => harness.block('fd_read', { fd: 0, buffers: [buffer.subarray(0, max)] });
  const write = (text: string) => harness.block('fd_write', { fd: 0, buffers: [encodeUtf8(text)] });
  return { end, file, harness, buffer, read, write };
}

test('input is asked for only by a read, and no more of it', () => {
  const { end, harness, buffer, read } = withStream();
  assert.equal(end.asked, null);
  const first = read(4);
  assert.equal(end.asked, 4);
  end.type('abc');
  assert.deepEqual(soFar(first), { count: 3 });
  assert.equal(decodeUtf8(buffer.subarray(0, 3)), 'abc');
  assert.equal(end.asked, null);
  assert.equal(harness.process.stateWith(ONE_THREAD), 'running');
});

test('what arrives for a withdrawn read is the next one’s', () => {
  const { end, harness, read } = withStream();
  const first = read();
  assert.ok(first.withdraw());
  end.type('hello');
  assert.equal(harness.read(0, 2), 'he');
  assert.equal(harness.read(0, 9), 'llo');
  const again = read();
  assert.ok(again.withdraw());
  // Made again before the answer is there: the same request serves it.
  const later = read();
  end.type('x');
  assert.deepEqual(soFar(later), { count: 1 });
});

test('the end of a pipe is final, that of a terminal is not', () => {
  const pipe = withStream('pipe');
  const first = pipe.read();
  pipe.end.type('');
  assert.deepEqual(soFar(first), { count: 0 });
  assert.equal(pipe.harness.read(0), '');

  const terminal = withStream('terminal');
  assert.ok(terminal.read().withdraw());
  terminal.end.type('');
  assert.equal(terminal.harness.read(0), '');
  const more = terminal.read();
  terminal.end.type('typed on');
  assert.deepEqual(soFar(more), { count: 8 });
});

test('an error of the source is told once', () => {
  const { end, read } = withStream();
  const first = read();
  end.answerRead({ errno: ERRNO.io });
  assert.equal(soFar(first), 'io');
  const next = read();
  end.type('ok');
  assert.deepEqual(soFar(next), { count: 2 });
});

test('a read that may not wait brings what the user’s side has now, the end too, or EAGAIN', () => {
  const { end, harness, read } = withStream('pipe', FdFlags.nonblock);
  const first = read(3);
  assert.deepEqual([end.asked, end.hurried], [3, true]);
  end.type('now');
  assert.deepEqual(soFar(first), { count: 3 });
  const nothing = read();
  end.haveNothing();
  assert.equal(soFar(nothing), 'again');
  // Nothing is asked for any more: what comes is left to whoever reads next.
  assert.equal(end.asked, null);
  const over = read();
  end.type('');
  assert.deepEqual(soFar(over), { count: 0 });
  assert.equal(harness.read(0), '');
});

test('a request that waits is hurried for a read that may not, and made again for one that may', () => {
  const { end, file, harness, buffer } = withStream();
  const first = harness.block('fd_read', { fd: 0, buffers: [buffer] });
  assert.equal(end.hurried, false);
  file.setFlags(FdFlags.nonblock);
  const second = harness.block('fd_read', { fd: 0, buffers: [new Uint8Array(3)] }, SECOND_SEAT);
  assert.ok(end.hurried);
  end.haveNothing();
  assert.equal(soFar(second), 'again');
  assert.equal(soFar(first), null);
  assert.deepEqual([end.asked, end.hurried], [10, false]);
  end.type('late');
  assert.deepEqual(soFar(first), { count: 4 });
});

test('and for a poll that waits', () => {
  const { end, file, harness, buffer } = withStream();
  const subscriptions = [{ type: 'fdRead' as const, userdata: 1n, fd: 0 }];
  const poll = harness.block('poll_oneoff', { subscriptions, events: undefined, capacity: 1 });
  file.setFlags(FdFlags.nonblock);
  const read = harness.block('fd_read', { fd: 0, buffers: [buffer] }, SECOND_SEAT);
  end.haveNothing();
  assert.equal(soFar(read), 'again');
  assert.equal(soFar(poll), null);
  assert.deepEqual([end.asked, end.hurried], [4096, false]);
  end.type('late');
  assert.equal(poll.pending, false);
  assert.equal(harness.read(0), 'late');
});

test('a read that may not wait and is withdrawn leaves its answer to the next', () => {
  const { end, harness, read } = withStream('pipe', FdFlags.nonblock);
  assert.ok(read().withdraw());
  end.type('kept');
  assert.equal(harness.read(0), 'kept');
  assert.ok(read().withdraw());
  const again = read();
  end.haveNothing();
  assert.equal(soFar(again), 'again');
});

test('a source that says EAGAIN by itself has failed', () => {
  const { end, read } = withStream();
  const first = read();
  end.answerRead({ errno: ERRNO.again });
  assert.equal(soFar(first), 'again');
  assert.equal(end.asked, null);
});

test('poll knows of input, of its end and of room for output, and takes nothing', () => {
  const { end, harness } = withStream();
  const args = { subscriptions: [{ type: 'fdRead' as const, userdata: 1n, fd: 0 }], events: undefined, capacity: 1 };
  const wait = harness.block('poll_oneoff', args);
  end.type('abc');
  assert.equal(wait.pending, false);
  assert.equal(harness.ok('poll_oneoff', args).events[0]?.bytes, 3n);
  assert.equal(harness.read(0), 'abc');
  const over = harness.block('poll_oneoff', args);
  end.type('');
  const result = soFar(over);
  assert.ok(result !== null && typeof result !== 'string');
  assert.deepEqual(result.events[0], { userdata: 1n, error: 0, type: 1, bytes: 0n, flags: 1 });
  assert.equal(harness.read(0), '');
});

test('a write is done when the user’s side has taken it, perhaps in part', () => {
  const { end, write, harness } = withStream();
  const first = write('hello');
  assert.equal(soFar(first), null);
  end.take(2);
  assert.deepEqual(soFar(first), { count: 2 });
  assert.equal(end.output, 'he');
  assert.equal(end.writing, null);
  const large = harness.block('fd_write', { fd: 0, buffers: [new Uint8Array(3 * LIMITS.pipeBytes)] });
  end.take();
  assert.deepEqual(soFar(large), { count: LIMITS.pipeBytes });
});

test('a withdrawn write counts as done, is finished, and its error is the next one’s', () => {
  const { end, write, file, harness } = withStream();
  const first = write('hello');
  assert.equal(first.withdraw(), false);
  assert.deepEqual(soFar(first), { count: 5 });
  assert.equal(harness.process.blocked.size, 0);
  end.take(2);
  let flushed = 0;
  file.whenFlushed(() => flushed++);
  assert.equal(flushed, 0);
  end.take();
  assert.equal(flushed, 1);
  assert.equal(end.output, 'hello');

  assert.equal(write('lost').withdraw(), false);
  end.failWrite(ERRNO.nospc);
  assert.equal(harness.write(0, 'x'), 'nospc');
  const next = write('fine');
  end.take();
  assert.deepEqual(soFar(next), { count: 4 });
});

test('a write behind another one can be taken back without a trace', () => {
  const { end, write, file } = withStream();
  assert.equal(write('first').withdraw(), false);
  const second = write('second');
  assert.ok(second.withdraw());
  end.take();
  assert.equal(end.writing, null);
  assert.equal(end.output, 'first');
  let flushed = false;
  file.whenFlushed(() => (flushed = true));
  assert.ok(flushed);
});

test('output that nobody reads any more ends the process, as SIGPIPE does', () => {
  const { end, write, harness } = withStream();
  const first = write('hello');
  end.failWrite(ERRNO.pipe);
  assert.equal(soFar(first), 'pipe');
  const { status } = harness.process;
  assert.ok(status?.how === 'signalled' && status.signal.name === 'PIPE');
});

test('each kind says truly what it is', () => {
  const seen = (['terminal', 'pipe', 'socket', 'file', 'null'] as const).map((kind) => {
    const { stat } = withStream(kind).harness.ok('fd_fdstat_get', { fd: 0 });
    return [kind, stat.filetype, (stat.rightsBase & (Rights.fd_seek | Rights.fd_tell)) !== 0n];
  });
  assert.deepEqual(seen, [
    ['terminal', FileType.characterDevice, false],
    ['pipe', FileType.unknown, false],
    ['socket', FileType.socketStream, false],
    ['file', FileType.regularFile, true],
    ['null', FileType.characterDevice, true],
  ]);
});

test('only a file can be sought, and bytes that wait here do not count as read', async () => {
  assert.equal(withStream('pipe').harness.call('fd_seek', { fd: 0, offset: 0n, whence: Whence.set }), 'spipe');
  assert.equal(withStream('terminal').harness.call('fd_tell', { fd: 0 }), 'spipe');
  const { end, harness, read } = withStream('file');
  assert.ok(read().withdraw());
  const tell = harness.block('fd_tell', { fd: 0 });
  assert.deepEqual(end.events, []);
  end.type('abcd');
  assert.deepEqual(end.events, ['seek -4 1']);
  // Withdrawn and made again: it is not sought twice.
  assert.ok(tell.withdraw());
  const again = harness.block('fd_tell', { fd: 0 });
  end.answerSeek(0n);
  assert.deepEqual(soFar(again), { position: 0n });
  assert.deepEqual(end.events, ['seek -4 1']);

  const stat = harness.block('fd_filestat_get', { fd: 0 });
  const result = await new Promise((resolve) => stat.whenDone(resolve));
  assert.deepEqual(result, { value: { stat: FILE_STAT } });
});

test('the position of a file is asked for when all is written, also what a withdrawn write has left', () => {
  const { end, harness, write } = withStream('file');
  // It counts as done: the bytes cannot be taken back.
  assert.ok(!write('hello').withdraw());
  const seeking = harness.block('fd_seek', { fd: 0, offset: 0n, whence: Whence.set });
  end.take(2);
  assert.deepEqual(end.events, []);
  end.take();
  assert.equal(end.output, 'hello');
  assert.deepEqual(end.events, ['seek 0 0']);
  end.answerSeek(0n);
  assert.deepEqual(soFar(seeking), { position: 0n });
});

test('what is only sought refuses to be a file', () => {
  for (const kind of ['null', 'device'] as const) {
    const { harness } = withStream(kind);
    assert.equal(harness.call('fd_pread', { fd: 0, buffers: [], offset: 0n }), 'notsup');
    assert.equal(harness.call('fd_pwrite', { fd: 0, buffers: [], offset: 0n }), 'notsup');
    assert.equal(harness.call('fd_sync', { fd: 0 }), 'inval');
  }
});

test('rights and flags', () => {
  const end = new TestEnd('pipe');
  end.writable = false;
  const file = new StreamFile(end);
  const harness = new Harness({ stdio: [{ file, rights: file.rights }, null, null] });
  assert.equal(harness.write(0, 'x'), 'badf');
  assert.equal(harness.call('fd_sync', { fd: 0 }), 'inval');
  assert.equal(harness.call('fd_filestat_set_size', { fd: 0, size: 0n }), 'inval');
  assert.equal(harness.call('fd_pread', { fd: 0, buffers: [], offset: 0n }), 'spipe');
  for (const flag of [FdFlags.append, FdFlags.dsync, FdFlags.rsync, FdFlags.sync]) {
    assert.equal(harness.call('fd_fdstat_set_flags', { fd: 0, flags: flag }), 'notsup');
  }
  assert.equal(harness.call('fd_fdstat_set_flags', { fd: 0, flags: 64 }), 'inval');
  harness.ok('fd_fdstat_set_flags', { fd: 0, flags: FdFlags.nonblock });
  assert.equal(harness.ok('fd_fdstat_get', { fd: 0 }).stat.flags, FdFlags.nonblock);
  assert.equal(harness.call('sock_recv', { fd: 0, buffers: [], flags: 0 }), 'notsock');
  assert.equal(harness.call('path_open', openArgs), 'notdir');
});

const openArgs = { fd: 0, lookup: 0, path: 'x', oflags: 0, base: 0n, inheriting: 0n, flags: 0 };

test('whatever is withdrawn and when, the program reads every byte once and in order', () => {
  const step = fc.record({
    do: fc.constantFrom('read', 'withdraw', 'type', 'type', 'poll', 'look', 'nothing'),
    size: fc.integer({ min: 1, max: 10 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { end, file, harness, buffer } = withStream();
      let sent = '';
      let received = '';
      let waiting: Blocked<'fd_read'> | null = null;
      const collect = (): void => {
        if (waiting === null || waiting.pending) return;
        const result = soFar(waiting);
        if (result !== null && typeof result !== 'string') received += decodeUtf8(buffer.subarray(0, result.count));
        waiting = null;
      };
      for (const { do: action, size } of steps) {
        if (action === 'read' && waiting === null && harness.process.blocked.size === 0) {
          const result = harness.kernel.call(harness.process, 'fd_read', {
            fd: 0,
            buffers: [buffer.subarray(0, size)],
          });
          if (result instanceof Waiting) waiting = result;
          else if ('value' in result) received += decodeUtf8(buffer.subarray(0, result.value.count));
        } else if (action === 'withdraw') {
          harness.process.blocked.get(FIRST_SEAT)?.withdraw();
          waiting = null;
        } else if (action === 'type' && end.asked !== null) {
          const text = Array.from({ length: Math.min(size, end.asked) }, (_, i) =>
            String.fromCharCode(97 + ((sent.length + i) % 26)),
          ).join('');
          sent += text;
          end.type(text);
        } else if (action === 'look') {
          harness.process.blocked.get(FIRST_SEAT)?.withdraw();
          waiting = null;
          file.setFlags(FdFlags.nonblock);
          const result = harness.kernel.call(harness.process, 'fd_read', {
            fd: 0,
            buffers: [buffer.subarray(0, size)],
          });
          file.setFlags(0);
          if (result instanceof Waiting) waiting = result;
          else if ('value' in result) received += decodeUtf8(buffer.subarray(0, result.value.count));
        } else if (action === 'nothing' && end.hurried) {
          end.haveNothing();
        } else if (action === 'poll' && harness.process.blocked.size === 0) {
          const subscriptions = [{ type: 'fdRead' as const, userdata: 1n, fd: 0 }];
          harness.kernel.call(harness.process, 'poll_oneoff', { subscriptions, events: undefined, capacity: 1 });
        }
        collect();
        assert.ok(sent.startsWith(received));
      }
      harness.process.blocked.get(FIRST_SEAT)?.withdraw();
      // All the rest is still there.
      while (received.length < sent.length) received += harness.read(0);
      assert.equal(received, sent);
    }),
  );
});
