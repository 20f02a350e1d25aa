import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { Assembler } from '../capture/code/assembler.ts';
import type { MachineState } from '../capture/running/state.ts';
import { Program } from '../capture/running/program.ts';
import { createControl } from '../capture/layout/entries.ts';
import { rewrite } from '../capture/rewriting/rewrite.ts';
import { OP } from '../wasm/opcodes.ts';
import { I32 } from '../wasm/types.ts';
import { FIRST_SEAT } from '../base/ids.ts';
import { ModuleBuilder } from '../wasm/testing/builder.ts';
import { Attention, ControlBlock } from './control.ts';
import { PREVIEW1_MODULE } from './imports.ts';
import type { GuestContext, GuestOrder, ThreadIdentity, ThreadReport } from './messages.ts';
import { ParkingLot } from './parking.ts';
import { FakeMachinery } from './testing/side.ts';
import { GuestThread } from './thread.ts';

const CONTEXT: GuestContext = { args: [], env: [] };
const FIRST: ThreadIdentity = { seat: FIRST_SEAT, id: 0, argument: 0, cpuNanos: 50n };

/** A thread whose `_start` is that code; function 0 is proc_exit, tag 0 carries an i32. */
function threadOf(code: Uint8Array): {
  readonly thread: GuestThread;
  readonly control: ControlBlock;
  readonly close: () => void;
} {
  const b = new ModuleBuilder();
  b.importFunction(PREVIEW1_MODULE, 'proc_exit', [I32], []);
  b.tag([I32]);
  b.export('_start', 'function', b.define([], [], [I32], code));
  const bytes = b.build();
  const original = new Uint8Array(new SharedArrayBuffer(bytes.length));
  original.set(bytes);
  const control = createControl();
  const { port1, port2 } = new MessageChannel();
  const rewritten = new WebAssembly.Module(rewrite(bytes).module);
  const memory = new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true });
  const parking = new ParkingLot().shared;
  const setup = { hash: 'test', original, rewritten, memories: [], memory, control, parking, descriptors: port2 };
  const thread = new GuestThread(setup, Program.open(original, rewritten), new FakeMachinery());
  return { thread, control: new ControlBlock(control), close: () => port1.close() };
}

/** A start takes no state up. */
const never = (): void => assert.fail('nothing is taken up at a start');

const START: GuestOrder = { context: CONTEXT, thread: FIRST, state: null, arriving: false };
const goOn = (state: MachineState): GuestOrder => ({ ...START, state, arriving: true });

function run(code: Uint8Array): ThreadReport {
  const { thread, close } = threadOf(code);
  try {
    return thread.run(START, never);
  } finally {
    close();
  }
}

/** More rounds of a loop than go without a poll. */
const ROUNDS = 1_000_000;

/** Counts a local up, with safepoints on its way, and exits with it. */
const COUNTING = new Assembler()
  .raw(OP.loop, 0x40)
  .get(0)
  .constant(1)
  .op(OP.i32Add)
  .op(OP.localTee, 0)
  .constant(ROUNDS)
  .op(0x47)
  .op(OP.brIf, 0)
  .op(OP.end)
  .get(0)
  .op(OP.call, 0)
  .done();

test('proc_exit passes the handlers of the program', () => {
  const code = new Assembler().raw(OP.try, 0x40).constant(3).op(OP.call, 0);
  const report = run(code.op(OP.catchAll).raw(OP.end).constant(4).op(OP.call, 0).done());
  assert.ok(report.type === 'exited');
  assert.equal(report.status, 3);
});

test('an exception that nobody catches ends the program like a trap', () => {
  const report = run(new Assembler().constant(7).op(OP.throw, 0).done());
  assert.ok(report.type === 'trapped');
  assert.equal(report.message, 'uncaught exception of tag 0 with i32 7');
});

test('how a thread ends: by proc_exit, by returning, by a trap', () => {
  assert.deepEqual(run(COUNTING), {
    type: 'exited',
    status: ROUNDS,
    cpuNanos: 50n,
    localCalls: 1,
  });
  const returned = run(new Uint8Array(0));
  assert.ok(returned.type === 'exited' && returned.status === 0);
  const trapped = run(new Assembler().op(OP.unreachable).done());
  assert.ok(trapped.type === 'trapped');
  assert.match(trapped.message, /unreachable/);
});

test('a thread that is to be captured leaves at a safepoint, and goes on in another', () => {
  const first = threadOf(COUNTING);
  const second = threadOf(COUNTING);
  try {
    first.control.raise(Attention.capture);
    const captured = first.thread.run(START, never);
    assert.ok(captured.type === 'captured');
    const taken: number[] = [];
    const ended = second.thread.run(goOn(captured.state), () => taken.push(captured.localCalls));
    assert.equal(taken.length, 1, 'a state is said to be taken up once');
    assert.ok(ended.type === 'exited' && ended.status === ROUNDS);
    // The first may go on as well, if nobody else has.
    first.control.lower(Attention.capture);
    const again = first.thread.run(goOn(captured.state), () => {});
    assert.ok(again.type === 'exited' && again.status === ROUNDS);
  } finally {
    first.close();
    second.close();
  }
});

test('a thread that is held has taken its state up, and knows its clock when it may go on', () => {
  const first = threadOf(COUNTING);
  const second = threadOf(COUNTING);
  try {
    first.control.raise(Attention.capture);
    const captured = first.thread.run(START, never);
    assert.ok(captured.type === 'captured');
    second.control.raise(Attention.hold);
    const ended = second.thread.run(goOn(captured.state), () => {
      second.control.clockOffset = -5n;
      second.control.lower(Attention.hold);
    });
    assert.ok(ended.type === 'exited' && ended.status === ROUNDS);
    assert.equal(second.control.clockOffset, -5n);
  } finally {
    first.close();
    second.close();
  }
});

test('a thread that is to be refreshed takes its code up again and goes on, also when it had been stopped', () => {
  const first = threadOf(COUNTING);
  const second = threadOf(COUNTING);
  try {
    first.control.raise(Attention.refresh);
    const refreshed = first.thread.run(START, never);
    assert.ok(refreshed.type === 'exited' && refreshed.status === ROUNDS);
    assert.equal(first.control.attention, 0, 'its poll has seen it');
    second.control.raise(Attention.refresh | Attention.stop | Attention.capture);
    const captured = second.thread.run(START, never);
    assert.ok(captured.type === 'captured', 'a capture comes first');
    second.control.lower(Attention.stop | Attention.capture);
    second.control.raise(Attention.refresh);
    let slow = false;
    const ended = second.thread.run(goOn(captured.state), () => {
      ({ slow } = second.control);
    });
    assert.ok(ended.type === 'exited' && ended.status === ROUNDS);
    assert.deepEqual(
      [slow, second.control.slow],
      [true, false],
      'it is resumed within a loop, which is then optimised',
    );
    assert.equal(second.control.attention, 0);
  } finally {
    first.close();
    second.close();
  }
});

test('a state that does not fit is never said to be taken up', () => {
  const { thread, close } = threadOf(COUNTING);
  try {
    const nothing = new Uint8Array(0);
    const root = { type: 'export', name: '_start' } as const;
    const empty = { globals: nothing, references: new Int32Array(0), tables: [], exceptions: [], hostReference: false };
    const report = thread.run(goOn({ root, frames: nothing, ...empty }), never);
    assert.ok(report.type === 'failed');
    assert.match(report.message, /outermost frame/);
  } finally {
    close();
  }
});
