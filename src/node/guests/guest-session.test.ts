/** A session between a real worker and a home that says what the test wants. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ERRNO } from '../../abi/errno.ts';
import { GodwitError } from '../../base/errors.ts';
import { type CallNumber, callNumber, FIRST_SEAT, incarnation, makePid, type NodeId, nodeId } from '../../base/ids.ts';
import { Waiting } from '../../base/waiting.ts';
import { Assembler } from '../../capture/code/assembler.ts';
import { PREVIEW1_MODULE } from '../../guest/imports.ts';
import { HomeCalls } from '../../kernel/homecall.ts';
import type { ProcessMessage } from '../../link/frames/process.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, I64 } from '../../wasm/types.ts';
import type { CapturedThread, Guest, GuestReport } from './guest.ts';
import type { GuestBaggage } from './guest-baggage.ts';
import { GuestSession, type HomeSide } from './guest-session.ts';
import { HostedThread } from './guest-thread.ts';
import type { LoadedModule } from '../modules/modules.ts';
import { programOf } from '../testing/modules.ts';
import { clockOf, Does, threadsOf } from '../testing/threads.ts';
import { WorkerPool } from './worker-pool.ts';

const HOME = nodeId(1);
const AWAY = nodeId(2);
const PID = makePid(HOME, 7);
const FIRST = incarnation(1);
const FRESH: GuestBaggage = { args: [], env: [], monotonic: 0n, cpuNanos: 0n, nextCalls: [], nextThreadId: 1 };
const EBADF = ERRNO.badf;

const pool = new WorkerPool();
after(() => pool.close());

/** Asks for `fd_sync(5)` and exits with its errno. */
const module = programOf('sync', (b) => {
  const sync = b.importFunction(PREVIEW1_MODULE, 'fd_sync', [I32], [I32]);
  const exit = b.importFunction(PREVIEW1_MODULE, 'proc_exit', [I32], []);
  const code = new Assembler().constant(5).op(OP.call, sync).op(OP.call, exit).done();
  return b.define([], [], [], code);
});

type Local = HomeSide['local'];
const noLocal: Local = () => assert.fail('the deputy is not asked');

/** A session on node `self`, with the calls that it has sent home and its first report. */
function sessionOn(
  self: NodeId,
  local: Local = noLocal,
  program: LoadedModule = module,
  attach: (guest: Guest) => void = () => {},
) {
  const sent = Promise.withResolvers<ProcessMessage>();
  const reported = Promise.withResolvers<GuestReport>();
  const grown: number[] = [];
  const homeCalls = new HomeCalls((_to, message) => sent.resolve(message));
  const homeSide: HomeSide = {
    local,
    call: () => ({ errno: EBADF }),
    attach: (_pid, guest) => attach(guest),
    detach() {},
  };
  const session = new GuestSession(
    {
      pid: PID,
      home: HOME,
      module: program,
      memories: { sizes: program.memories, host: program.hostMemory, arriving: false },
      threads: 1,
    },
    {
      self,
      pool,
      homeSide,
      homeCalls,
      takenUp() {},
      mayAddThread: () => true,
      grew: ({ guest }) => void grown.push(guest.threads),
      reported: (_session, report) => reported.resolve(report),
    },
  );
  const reply = (bytes: readonly number[]): void =>
    homeCalls.reply(HOME, {
      frame: 'reply',
      pid: PID,
      incarnation: FIRST,
      seat: FIRST_SEAT,
      call: callNumber(1),
      reply: Uint8Array.from(bytes),
    });
  return { session, sent: sent.promise, reported: reported.promise, reply, grown };
}

/** The program, captured away from home in its call. */
async function captured(): Promise<{ readonly threads: readonly CapturedThread[]; readonly baggage: GuestBaggage }> {
  const { session, sent, reported } = sessionOn(AWAY);
  session.run(FRESH, null, FIRST);
  await sent;
  session.capture();
  const report = await reported;
  assert(report.type === 'captured');
  const baggage = session.pack(report);
  await session.end();
  return { threads: report.threads, baggage };
}

/** How the captured program ends at home, where the deputy knows this of its call. */
async function endAtHome(local: Local): Promise<GuestReport> {
  const { threads, baggage } = await captured();
  const { session, reported } = sessionOn(HOME, local);
  session.run(baggage, threads, FIRST);
  const report = await reported;
  await session.end();
  return report;
}

test('a call of a guest away from home has what home replies', async () => {
  const { session, sent, reported, reply } = sessionOn(AWAY);
  session.run(FRESH, null, FIRST);
  const call = await sent;
  assert.equal(call.frame, 'call');
  reply([EBADF, 0]);
  const report = await reported;
  assert(report.type === 'exited');
  assert.equal(report.status, EBADF);
  await session.end();
});

test('a call begun before the thread saw that it has to leave is not made, and keeps no move waiting', async () => {
  const { session, sent, reported } = sessionOn(AWAY);
  session.run(FRESH, null, FIRST);
  // Its code comes to no safepoint before the call, so the call is begun after this.
  session.capture();
  const first = await Promise.race([sent.then(() => 'sent'), reported.then(({ type }) => type)]);
  await session.end();
  assert.equal(first, 'captured');
});

test('what a guest has used counts from its incarnation, also one that it goes on with where it was', async (t) => {
  const program = programOf('clock and sync', (b) => {
    const clock = b.importFunction(PREVIEW1_MODULE, 'clock_time_get', [I32, I64, I32], [I32]);
    const sync = b.importFunction(PREVIEW1_MODULE, 'fd_sync', [I32], [I32]);
    b.export('memory', 'memory', 0);
    const code = new Assembler().constant(0).op(OP.i64Const, 0).constant(0).op(OP.call, clock).op(OP.drop);
    return b.define([], [], [], code.constant(5).op(OP.call, sync).op(OP.drop).done());
  });
  const back = incarnation(3);
  for (const next of [FIRST, back]) {
    const { session, sent, reported } = sessionOn(AWAY, noLocal, program);
    t.after(() => session.end());
    const used = () => {
      const { cpuMs, localCalls } = session.usage(session.finalCpuMs);
      return { some: cpuMs > 0, localCalls };
    };
    session.run(FRESH, null, FIRST);
    await sent;
    session.capture();
    const report = await reported;
    assert(report.type === 'captured', report.type);
    const baggage = session.pack(report);
    const before = used();
    assert.deepEqual(before, { some: true, localCalls: 1n });
    // It does not leave, or was placed elsewhere and did not start there.
    session.run(baggage, report.threads, next);
    assert.deepEqual(used(), next === FIRST ? before : { some: false, localCalls: 0n });
  }
});

test('a process takes along what its monotonic clock shows, neither more nor less', async () => {
  const ahead = 1_000_000_000_000n;
  const { session, sent, reported } = sessionOn(AWAY);
  session.run(FRESH, null, FIRST, ahead);
  await sent;
  session.capture();
  const report = await reported;
  const before = process.hrtime.bigint() + ahead;
  const { monotonic } = session.pack(report);
  const after = process.hrtime.bigint() + ahead;
  await session.end();
  assert(before <= monotonic && monotonic <= after, `${before} ${monotonic} ${after}`);
});

test('a reply that is none ends the guest, with a message that names its home', async () => {
  for (const bytes of [[], [EBADF], [0, 0, 1], [0xff, 0xff]]) {
    const { session, sent, reported, reply } = sessionOn(AWAY);
    session.run(FRESH, null, FIRST);
    await sent;
    reply(bytes);
    const report = await reported;
    assert(report.type === 'failed', report.type);
    assert.match(report.message, /^node 1, its home, has answered fd_sync wrongly: /);
    await session.end();
  }
});

test('a call that was begun away from home has its result at home', async () => {
  const asked: CallNumber[] = [];
  const report = await endAtHome((_pid, _seat, next) => {
    asked.push(next);
    return Uint8Array.of(EBADF, 0);
  });
  assert.deepEqual(asked, [1]);
  assert(report.type === 'exited');
  assert.equal(report.status, EBADF);
});

test('a thread that goes on at home gives up its descriptors when there is another one', async (t) => {
  const { threads, baggage } = await captured();
  const access = { shared: new SharedArrayBuffer(64), may: { read: true, write: true, seek: true, tell: true } };
  const { session } = sessionOn(
    HOME,
    () => new Waiting<Uint8Array>(() => {}),
    module,
    (guest) => guest.changeDescriptor({ fd: 3, ...access }),
  );
  const told = t.mock.method(HostedThread.prototype, 'changeDescriptor').mock;
  session.run(baggage, threads, FIRST);
  assert.equal(session.guest.spawn(0, true), 1);
  assert.deepEqual(
    told.calls.map(({ arguments: [{ fd, shared }] }) => ({ fd, direct: shared !== null })),
    [
      { fd: 3, direct: true },
      { fd: 3, direct: false },
    ],
  );
  await session.end();
});

test('an image whose call the deputy does not know ends its process, not the node', async () => {
  const report = await endAtHome(() => {
    throw new GodwitError('protocol', 'process 65543 is at call 1, its deputy at 9');
  });
  assert(report.type === 'failed');
  assert.equal(report.message, 'its image does not fit its calls: process 65543 is at call 1, its deputy at 9');
});

test('so does one that is in another call than the deputy', async () => {
  const report = await endAtHome(() => Uint8Array.of(0, 0, 1, 2, 3));
  assert(report.type === 'failed');
  assert.match(report.message, /^its image does not fit its calls: 3 bytes are left over/);
  const waiting = new Waiting<Uint8Array>(() => {});
  const later = endAtHome(() => {
    setImmediate(() => waiting.settle(Uint8Array.of(0, 0, 1)));
    return waiting;
  });
  assert.match(((await later) as { message?: string }).message ?? '', /^its image does not fit its calls: /);
});

test('whoever hosts a guest hears of each new thread, when it is counted', async () => {
  const program = threadsOf('growing', [Does.returns, Does.waits, Does.exits], 3);
  const { session, reported, grown } = sessionOn(AWAY, noLocal, program);
  session.run(FRESH, null, FIRST);
  const report = await reported;
  assert(report.type === 'exited', report.type);
  assert.equal(grown.length, 3);
  assert.equal(grown[0], 2);
  await session.end();
});

test('the processor time of a process is that of all its threads, those that are over too', async () => {
  for (const does of [Does.works, Does.counts]) {
    const { session, reported } = sessionOn(AWAY, noLocal, clockOf(`clock ${does}`, does));
    session.run(FRESH, null, FIRST);
    const report = await reported;
    assert(report.type === 'exited', report.type);
    assert.equal(report.status, 1);
    await session.end();
  }
});
