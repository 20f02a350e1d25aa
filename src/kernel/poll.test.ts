import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { ClockId, type Event, EventRwFlags, EventType, type Subscription } from '../abi/types.ts';
import { encodeUtf8 } from '../base/bytes.ts';
import { seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { Readiness, Settled } from '../vfs/openfile.ts';
import { relativeToGuest } from './poll.ts';
import { makePipe } from './testing/pipe.ts';
import { ONE_THREAD, type Process } from './process.ts';
import { streamRights } from './rights.ts';
import { StreamFile } from './stream.ts';
import { TestEnd } from './testing/ends.ts';
import { MemoryFile } from './testing/files.ts';
import { Harness, soFar } from './testing/harness.ts';

const MS = 1_000_000n;

function clock(userdata: bigint, milliseconds: number, id: number = ClockId.monotonic, abstime = false): Subscription {
  return { type: 'clock', userdata, clock: id, timeout: BigInt(milliseconds) * MS, abstime };
}

const onRead = (userdata: bigint, fd: number): Subscription => ({ type: 'fdRead', userdata, fd });
const onWrite = (userdata: bigint, fd: number): Subscription => ({ type: 'fdWrite', userdata, fd });

function args(...subscriptions: Subscription[]) {
  return { subscriptions, events: undefined, capacity: subscriptions.length };
}

/** Two pipes: the process reads from 4 and writes to 5; the other ends are the test's. */
function withPipes() {
  const harness = new Harness();
  const [input, output] = [makePipe(), makePipe()];
  const { descriptors }: Process = harness.process;
  assert.equal(descriptors.open(input.reader, streamRights(true, false, false)), 0);
  assert.equal(descriptors.open(output.writer, streamRights(false, true, false)), 1);
  return { harness, input, output };
}

const clockEvent = (userdata: bigint): Event => ({ userdata, error: 0, type: EventType.clock, bytes: 0n, flags: 0 });

test('a sleep lasts as long as it says and not shorter', () => {
  const harness = new Harness();
  const sleep = harness.block('poll_oneoff', args(clock(7n, 20)));
  harness.clock.inner.advance(19.999);
  assert.equal(soFar(sleep), null);
  assert.equal(harness.process.stateWith(ONE_THREAD), 'blocked');
  harness.clock.inner.advance(0.001);
  assert.deepEqual(soFar(sleep), { count: 1, events: [clockEvent(7n)] });
  assert.equal(harness.process.stateWith(ONE_THREAD), 'running');
  assert.equal(harness.clock.timers, 0);
});

test('a look that may not wait tells of input that is at the user, and does not take what comes later', () => {
  const end = new TestEnd('pipe');
  const file = new StreamFile(end);
  const harness = new Harness({ stdio: [{ file, rights: file.rights }, null, null] });
  const look = () => harness.block('poll_oneoff', args(onRead(1n, 0), onWrite(2n, 0), clock(3n, 0)));
  const told = (wait: ReturnType<typeof look>) => {
    const result = soFar(wait);
    assert.ok(result !== null && typeof result !== 'string');
    return result.events.map(({ userdata, flags }) => [userdata, flags]);
  };
  const nothing = look();
  assert.ok(end.hurried);
  end.haveNothing();
  assert.deepEqual(told(nothing), [
    [2n, 0],
    [3n, 0],
  ]);
  assert.equal(end.asked, null);
  const some = look();
  end.type('x');
  assert.deepEqual(told(some), [
    [1n, 0],
    [2n, 0],
    [3n, 0],
  ]);
  assert.equal(harness.read(0), 'x');
  assert.ok(look().withdraw());
  const over = look();
  end.type('');
  assert.deepEqual(told(over)[0], [1n, EventRwFlags.hangup]);
  assert.equal(harness.clock.timers, 0);
});

test('a look at several files that may not wait waits for the answers of all', () => {
  const ends = [new TestEnd('pipe'), new TestEnd('terminal')];
  const [a, b] = ends.map((end) => new StreamFile(end));
  assert.ok(a && b && ends[0] && ends[1]);
  const harness = new Harness({ stdio: [{ file: a, rights: a.rights }, { file: b, rights: b.rights }, null] });
  const look = harness.block('poll_oneoff', args(onRead(1n, 0), onRead(2n, 1), onRead(3n, 0), clock(4n, 0)));
  ends[0].haveNothing();
  assert.deepEqual([soFar(look), ends[0].asked], [null, null]);
  ends[1].type('y');
  const result = soFar(look);
  assert.ok(result !== null && typeof result !== 'string');
  assert.deepEqual(
    result.events.map(({ userdata }) => userdata),
    [2n, 4n],
  );
});

test('what was ready before the answers from afar came is told, also if another thread has changed it since', () => {
  const ends = [new TestEnd('terminal'), new TestEnd('terminal')];
  const [input, output] = ends.map((end) => new StreamFile(end));
  assert.ok(input && output && ends[0] && ends[1]);
  const harness = new Harness({
    stdio: [{ file: input, rights: input.rights }, { file: output, rights: output.rights }, null],
  });
  const look = harness.block('poll_oneoff', args(onRead(1n, 0), onWrite(2n, 1)));
  assert.equal(soFar(look), null);
  const write = harness.block('fd_write', { fd: 1, buffers: [encodeUtf8('x')] }, seat(1));
  ends[0].haveNothing();
  const result = soFar(look);
  assert.ok(result !== null && typeof result !== 'string');
  assert.deepEqual(
    result.events.map(({ userdata }) => userdata),
    [2n],
  );
  ends[1].take();
  assert.equal(write.pending, false);
});

test('times that are over, and zero, are events at once', () => {
  const harness = new Harness();
  harness.clock.inner.advance(50);
  const wall = Number(harness.clock.wallNanos() / MS);
  for (const over of [
    clock(1n, 0),
    clock(1n, 0, ClockId.realtime),
    clock(1n, 49, ClockId.monotonic, true),
    clock(1n, wall - 1, ClockId.realtime, true),
  ]) {
    assert.deepEqual(harness.ok('poll_oneoff', args(over, clock(2n, 5))).events, [clockEvent(1n)]);
  }
  assert.equal(harness.clock.timers, 0);
});

test('an absolute time on the wall clock follows the clock when it is set', () => {
  const harness = new Harness();
  const wall = Number(harness.clock.wallNanos() / MS);
  const sleep = harness.block('poll_oneoff', args(clock(1n, wall + 3_600_000, ClockId.realtime, true)));
  harness.clock.inner.jumpWall(3_600_000);
  harness.clock.inner.advance(1000);
  assert.deepEqual(soFar(sleep), { count: 1, events: [clockEvent(1n)] });

  const relative = harness.block('poll_oneoff', args(clock(1n, 10, ClockId.realtime)));
  harness.clock.inner.jumpWall(-5_000_000);
  harness.clock.inner.advance(10);
  assert.equal(relative.pending, false);
});

test('absolute times of the process’s own monotonic clock become relative, all others stay', () => {
  const others = [clock(1n, 5), clock(2n, 5, ClockId.realtime, true), onRead(3n, 0)];
  const own = [clock(4n, 5, ClockId.monotonic, true), clock(5n, 1, ClockId.monotonic, true)];
  assert.deepEqual(relativeToGuest([...others, ...own], 2n * MS), [...others, clock(4n, 3), clock(5n, 0)]);
});

test('a time of centuries waits without an overflowing timer', () => {
  const harness = new Harness();
  const sleep = harness.block('poll_oneoff', {
    ...args({ type: 'clock', userdata: 1n, clock: ClockId.monotonic, timeout: (1n << 64n) - 1n, abstime: false }),
  });
  harness.clock.inner.advance(2 ** 33);
  assert.ok(sleep.pending);
  assert.ok(sleep.withdraw());
  assert.equal(harness.clock.timers, 0);
});

test('no subscriptions, and clocks of processor time, are EINVAL', () => {
  const harness = new Harness();
  assert.equal(harness.call('poll_oneoff', args()), 'inval');
  assert.equal(harness.call('poll_oneoff', args(clock(1n, 1, ClockId.processCputime))), 'inval');
  assert.equal(harness.call('poll_oneoff', args(clock(1n, 1, 99))), 'inval');
});

test('what is wrong with a descriptor is an event', () => {
  const { harness } = withPipes();
  const { events } = harness.ok('poll_oneoff', args(onRead(1n, 99), onWrite(2n, 0), onRead(3n, 1), clock(4n, 100)));
  assert.deepEqual(
    events.map(({ userdata, error }) => [userdata, error]),
    [
      [1n, ERRNO.badf],
      [2n, ERRNO.badf],
      [3n, ERRNO.badf],
    ],
  );
});

test('regular files are ready at once', () => {
  const harness = new Harness();
  const fd = harness.open('file');
  assert.deepEqual(
    harness.ok('poll_oneoff', args(onRead(1n, fd), onWrite(2n, fd))).events.map(({ userdata }) => userdata),
    [1n, 2n],
  );
});

test('the first event ends the wait, and what else is ready by then is told in order', () => {
  const { harness, input } = withPipes();
  const wait = harness.block('poll_oneoff', args(clock(1n, 10), onRead(2n, 0), clock(3n, 20), onRead(4n, 0)));
  harness.clock.inner.advance(5);
  input.writer.write([encodeUtf8('abc')], null);
  const read = { error: 0, type: EventType.fdRead, bytes: 3n, flags: 0 };
  assert.deepEqual(soFar(wait), {
    count: 2,
    events: [
      { userdata: 2n, ...read },
      { userdata: 4n, ...read },
    ],
  });
  assert.equal(harness.clock.timers, 0);
  harness.clock.inner.advance(100);
});

test('writable, hung up', () => {
  const { harness, input, output } = withPipes();
  assert.equal(harness.ok('poll_oneoff', args(onWrite(1n, 1))).count, 1);
  output.writer.write([new Uint8Array(65_536)], null);
  const wait = harness.block('poll_oneoff', args(onWrite(1n, 1), onRead(2n, 0)));
  output.reader.read([new Uint8Array(65_536)], null);
  assert.equal(wait.pending, false);
  const hangup = harness.block('poll_oneoff', args(onRead(2n, 0)));
  input.writer.close();
  assert.deepEqual(soFar(hangup), {
    count: 1,
    events: [{ userdata: 2n, error: 0, type: EventType.fdRead, bytes: 0n, flags: EventRwFlags.hangup }],
  });
});

test('files that were waited for are let go of, however the wait ends', () => {
  const harness = new Harness();
  let waiting = 0;
  const file = new MemoryFile();
  file.poll = () => {
    waiting++;
    return new Waiting<Settled<Readiness>>(() => waiting--);
  };
  const fd = harness.process.descriptors.open(file, streamRights(true, true, false));
  const wait = () => harness.block('poll_oneoff', args(clock(1n, 5), onRead(2n, fd), onWrite(3n, fd)));
  const ended = wait();
  assert.equal(waiting, 2);
  harness.clock.inner.advance(5);
  assert.equal(ended.pending, false);
  assert.equal(waiting, 0);
  assert.ok(wait().withdraw());
  assert.equal(waiting, 0);
  harness.ok('poll_oneoff', args(onRead(1n, fd), clock(2n, 0)));
  assert.equal(waiting, 0);
});

test('a withdrawn sleep goes on where it was when it is made again, and only then', () => {
  const harness = new Harness();
  for (let moves = 0; moves < 9; moves++) {
    const sleep = harness.block('poll_oneoff', args(clock(1n, 100)));
    harness.clock.inner.advance(10);
    assert.ok(sleep.withdraw());
    assert.equal(harness.clock.timers, 0);
    assert.equal(harness.process.stateWith(ONE_THREAD), 'running');
  }
  const last = harness.block('poll_oneoff', args(clock(1n, 100)));
  harness.clock.inner.advance(10);
  assert.equal(last.pending, false);

  const other = harness.block('poll_oneoff', args(clock(1n, 100)));
  harness.clock.inner.advance(50);
  assert.ok(other.withdraw());
  harness.ok('sched_yield', {});
  const anew = harness.block('poll_oneoff', args(clock(1n, 100)));
  harness.clock.inner.advance(60);
  assert.ok(anew.pending);
  anew.withdraw();
});

test('a relative time goes on beside an absolute one of the process’s own clock, which each place makes relative', () => {
  const harness = new Harness();
  /** By how much the clock of the process is behind home's, as it may be after a move. */
  const poll = (behind: bigint, ...wanted: Subscription[]) => {
    const monotonic = BigInt(harness.clock.now()) * MS - behind * MS;
    return harness.block('poll_oneoff', args(...relativeToGuest(wanted, monotonic)));
  };
  const [deadline, sleep] = [clock(1n, 60, ClockId.monotonic, true), clock(2n, 40)];
  for (let moves = 0; moves < 3; moves++) {
    const waiting = poll(0n, deadline, sleep);
    harness.clock.inner.advance(10);
    assert.ok(waiting.withdraw());
  }
  const last = poll(0n, deadline, sleep);
  harness.clock.inner.advance(9);
  assert.ok(last.pending);
  harness.clock.inner.advance(1);
  assert.deepEqual(soFar(last), { count: 1, events: [clockEvent(2n)] });

  // The absolute time is the process's: it is not reached early, however long it was waited for elsewhere.
  const first = poll(0n, deadline, clock(2n, 400));
  harness.clock.inner.advance(10);
  assert.ok(first.withdraw());
  const again = poll(5n, deadline, clock(2n, 400));
  harness.clock.inner.advance(14);
  assert.ok(again.pending);
  harness.clock.inner.advance(1);
  assert.deepEqual(soFar(again), { count: 1, events: [clockEvent(1n)] });
});

test('any set of subscriptions gives exactly those that are ready, in order, and leaves no timer', () => {
  const subscription = fc.oneof(
    fc.record({ kind: fc.constant('clock' as const), value: fc.nat(20) }),
    fc.record({ kind: fc.constantFrom('read' as const, 'write' as const, 'bad' as const), value: fc.nat(20) }),
  );
  fc.assert(
    fc.property(
      fc.array(subscription, { minLength: 1, maxLength: 10 }),
      fc.option(fc.nat(20)),
      fc.boolean(),
      (wanted, inputAt, withdraw) => {
        const { harness, input, output } = withPipes();
        output.writer.write([new Uint8Array(65_536)], null);
        const subscriptions = wanted.map(({ kind, value }, i): Subscription => {
          if (kind === 'clock') return clock(BigInt(i), value);
          return kind === 'write' ? onWrite(BigInt(i), 1) : onRead(BigInt(i), kind === 'bad' ? 77 : 0);
        });
        const dueAt = (i: number): number => {
          const { kind, value } = wanted[i] ?? assert.fail();
          if (kind === 'clock') return value;
          if (kind === 'bad') return 0;
          return kind === 'read' ? (inputAt ?? Infinity) : Infinity;
        };
        const end = Math.min(...wanted.keys().map(dueAt));
        if (inputAt === 0) input.writer.write([Uint8Array.of(1)], null);
        const result = harness.kernel.call(harness.process, 'poll_oneoff', args(...subscriptions));
        let found: readonly Event[] | null = null;
        if (end === 0) {
          assert.ok('value' in result);
          found = result.value.events;
        } else {
          assert.ok('withdraw' in result);
          for (let time = 1; time <= 20 && result.pending; time++) {
            if (withdraw && time === 10) break;
            // Input comes just before the timers of that moment.
            harness.clock.inner.advance(0.5);
            if (time === inputAt) input.writer.write([Uint8Array.of(1)], null);
            harness.clock.inner.advance(0.5);
          }
          if (result.pending) assert.ok(result.withdraw());
          else result.whenDone((settled) => (found = 'value' in settled ? settled.value.events : assert.fail()));
        }
        assert.equal(harness.clock.timers, 0);
        assert.equal(harness.process.blocked.size, 0);
        if (found === null) return;
        // Input comes half a moment early, so that of what falls due together with it the clocks are not told yet.
        const early = inputAt !== null && end === inputAt && end > 0;
        const expected = [...wanted.keys()].filter(
          (i) => dueAt(i) <= end && !(early && wanted.some((w) => w.kind === 'read') && wanted[i]?.kind === 'clock'),
        );
        assert.deepEqual(
          found.map(({ userdata }) => Number(userdata)),
          expected,
        );
      },
    ),
  );
});
