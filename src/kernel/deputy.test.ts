import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallNumber, NodeId, Seat } from '../base/ids.ts';
import { callNumber, FIRST_SEAT, incarnation, makePid, nodeId, seat } from '../base/ids.ts';
import { Waiting } from '../base/waiting.ts';
import type { ProcessMessage } from '../link/frames/process.ts';
import { Deputy } from './deputy.ts';
import { HomeCalls } from './homecall.ts';

const HOME = nodeId(1);
const AWAY = nodeId(2);
const THIRD = nodeId(3);
const PID = makePid(HOME, 7);
const FIRST = incarnation(5);
const NEXT = incarnation(6);

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A deputy whose kernel repeats what it gets, or waits if that begins with `wait`. */
function setUp(last?: CallNumber) {
  const executed: string[] = [];
  const sent: { to: NodeId; message: ProcessMessage }[] = [];
  const waiting = new Map<string, Waiting<Uint8Array>>();
  const withdrawn: string[] = [];
  const execute = (_seat: Seat, request: Uint8Array) => {
    const call = text(request);
    executed.push(call);
    if (!call.startsWith('wait')) return bytes(`done ${call}`);
    const made = new Waiting<Uint8Array>(() => withdrawn.push(call));
    waiting.set(call, made);
    return made;
  };
  const deputy = new Deputy(PID, AWAY, FIRST, execute, (to, message) => sent.push({ to, message }), last);
  const call = (number: number, request: string, from = AWAY, as = FIRST, by = FIRST_SEAT): void =>
    deputy.call(from, {
      frame: 'call',
      pid: PID,
      incarnation: as,
      seat: by,
      call: callNumber(number),
      request: bytes(request),
    });
  const replies = (): string[] =>
    sent.flatMap(({ to, message }) =>
      message.frame === 'reply' ? [`${to}: ${message.call} ${text(message.reply)}`] : [],
    );
  const freed = (): NodeId[] => sent.flatMap(({ to, message }) => (message.frame === 'free' ? [to] : []));
  return { deputy, call, executed, waiting, withdrawn, replies, freed };
}

test('a call that comes again is not carried out again', () => {
  const { call, executed, replies } = setUp();
  call(1, 'a');
  call(1, 'a');
  call(2, 'b');
  call(1, 'a');
  assert.deepEqual(executed, ['a', 'b']);
  assert.deepEqual(replies(), ['2: 1 done a', '2: 1 done a', '2: 2 done b']);
});

test('a call that comes again while it is under way waits with it', () => {
  const { call, executed, waiting, replies } = setUp();
  call(1, 'wait');
  call(1, 'wait');
  assert.deepEqual(replies(), []);
  waiting.get('wait')?.settle(bytes('x'));
  assert.deepEqual(executed, ['wait']);
  assert.deepEqual(replies(), ['2: 1 x']);
});

test('a number that is left out is a broken peer', () => {
  const { call } = setUp();
  assert.throws(() => call(2, 'a'), { code: 'protocol' });
  assert.throws(() => call(0, 'a'), { code: 'protocol' }, 'the number before the first is no call');
});

test('a thread that makes its next call while one is under way is a broken peer; another thread may', () => {
  const { call, executed, waiting, replies } = setUp();
  call(1, 'wait');
  assert.throws(() => call(2, 'b'), { code: 'protocol', message: /call 2 .* while call 1 is under way/ });
  call(1, 'c', AWAY, FIRST, seat(FIRST_SEAT + 1));
  waiting.get('wait')?.settle(bytes('x'));
  call(2, 'b');
  assert.deepEqual(executed, ['wait', 'c', 'b']);
  assert.deepEqual(replies(), ['2: 1 done c', '2: 1 x', '2: 2 done b']);
});

test('numbers go on over the point where they begin again', () => {
  const { call, deputy, executed, replies } = setUp(callNumber(0xffff_fffe));
  for (const number of [0xffff_ffff, 0xffff_ffff, 0, 0xffff_ffff, 1]) call(number, String(number));
  assert.deepEqual(executed, ['4294967295', '0', '1']);
  assert.deepEqual(
    replies(),
    ['2: 4294967295', '2: 4294967295', '2: 0', '2: 1'].map((head) => `${head} done ${head.slice(3)}`),
  );
  assert.throws(() => call(3, 'left out'), { code: 'protocol' });
  deputy.place(HOME, NEXT);
  assert.equal(deputy.local(FIRST_SEAT, callNumber(2)), null);
  assert.equal(deputy.owe(FIRST_SEAT, bytes('x')), 2);
});

test('a guest that is not current is told to stop, and changes nothing', () => {
  const { call, deputy, executed, freed } = setUp();
  call(1, 'a', THIRD);
  call(1, 'a', AWAY, NEXT);
  deputy.place(THIRD, NEXT);
  call(1, 'a');
  assert.deepEqual(executed, []);
  assert.deepEqual(freed(), [THIRD, AWAY, AWAY]);
});

test('the reply to a blocked call goes to where the process asks for it after its move', () => {
  const { call, deputy, waiting, replies } = setUp();
  call(1, 'wait');
  deputy.place(THIRD, NEXT);
  waiting.get('wait')?.settle(bytes('x'));
  assert.deepEqual(replies(), []);
  call(1, 'wait', THIRD, NEXT);
  assert.deepEqual(replies(), ['3: 1 x']);
});

test('a blocked call is found again by the guest that comes home', () => {
  const { call, deputy, waiting, executed } = setUp();
  call(1, 'wait');
  deputy.place(HOME, NEXT);
  const got: string[] = [];
  const first = deputy.local(FIRST_SEAT, callNumber(1));
  assert(first instanceof Waiting);
  // It is frozen again, and the call stays under way.
  assert.equal(first.withdraw(), true);
  const second = deputy.local(FIRST_SEAT, callNumber(1));
  assert(second instanceof Waiting);
  second.whenDone((reply) => got.push(text(reply)));
  waiting.get('wait')?.settle(bytes('x'));
  const third = deputy.local(FIRST_SEAT, callNumber(1));
  assert(third instanceof Uint8Array);
  assert.deepEqual([...got, text(third)], ['x', 'x']);
  assert.equal(deputy.local(FIRST_SEAT, callNumber(2)), null);
  assert.deepEqual(executed, ['wait']);
});

test('a call number from an image that does not fit is the fault of whoever sent it, not a bug here', () => {
  const { call, deputy } = setUp();
  call(1, 'x');
  deputy.place(HOME, NEXT);
  for (const wrong of [0, 3, 0xffff_ffff]) {
    assert.throws(() => deputy.local(FIRST_SEAT, callNumber(wrong)), { name: 'GodwitError', code: 'protocol' });
  }
  call(2, 'wait', HOME, NEXT);
  assert.throws(() => deputy.local(FIRST_SEAT, callNumber(3)), { code: 'protocol' }, 'call 2 is under way');
  assert.throws(() => setUp().deputy.local(FIRST_SEAT, callNumber(0)), { code: 'protocol' }, 'no call was ever made');
});

test('a call that was begun at home is found under the number that it was given', () => {
  const { call, deputy, executed, replies } = setUp();
  deputy.place(HOME, FIRST);
  const begun = new Waiting<Uint8Array>(() => {});
  const number: CallNumber = deputy.owe(FIRST_SEAT, begun);
  deputy.place(AWAY, NEXT);
  call(number, 'the same again', AWAY, NEXT);
  begun.settle(bytes('x'));
  assert.deepEqual(replies(), ['2: 1 x']);
  assert.deepEqual(executed, []);
});

test('the end of a process takes its blocked call back, and says nothing to anybody', () => {
  const { call, deputy, withdrawn, waiting, replies } = setUp();
  call(1, 'wait');
  deputy.close();
  waiting.get('wait')?.settle(bytes('x'));
  assert.deepEqual(withdrawn, ['wait']);
  assert.deepEqual(replies(), []);
});

test('the guest’s side counts, repeats after a lost session, and takes only the reply to its call', () => {
  const sent: ProcessMessage[] = [];
  const calls = new HomeCalls((_to, message) => sent.push(message));
  calls.open(PID, HOME, FIRST, [callNumber(3)]);
  const got: string[] = [];
  const reply = (call: number, as = FIRST, from = HOME): void =>
    calls.reply(from, {
      frame: 'reply',
      pid: PID,
      incarnation: as,
      seat: FIRST_SEAT,
      call: callNumber(call),
      reply: bytes(`reply ${call}`),
    });
  calls.call(PID, FIRST_SEAT, bytes('a'), (result) => got.push(text(result)));
  calls.reset(AWAY);
  calls.reset(HOME);
  reply(2);
  reply(4);
  reply(3, NEXT);
  reply(3, FIRST, AWAY);
  assert.deepEqual(got, []);
  reply(3);
  reply(3);
  calls.reset(HOME);
  assert.deepEqual(got, ['reply 3']);
  assert.deepEqual(
    sent.map((message) => (message.frame === 'call' ? message.call : message.frame)),
    [3, 3],
  );
  calls.call(PID, FIRST_SEAT, bytes('b'), () => assert.fail('not after close'));
  assert.deepEqual(calls.close(PID), [4]);
  reply(4);
});

test('the guest’s side counts on after the highest number, which an image may name', () => {
  const calls = new HomeCalls(() => {});
  calls.open(PID, HOME, FIRST, [callNumber(0xffff_ffff)]);
  let replies = 0;
  for (const number of [0xffff_ffff, 0]) {
    calls.call(PID, FIRST_SEAT, bytes('a'), () => replies++);
    const reply = { pid: PID, incarnation: FIRST, seat: FIRST_SEAT, call: callNumber(number), reply: bytes('r') };
    calls.reply(HOME, { frame: 'reply', ...reply });
  }
  assert.equal(replies, 2);
  assert.deepEqual(calls.close(PID), [1]);
});

test('a call that the guest has left is made again under its number, and its reply is not taken meanwhile', () => {
  const sent: ProcessMessage[] = [];
  const calls = new HomeCalls((_to, message) => sent.push(message));
  const reply = {
    frame: 'reply',
    pid: PID,
    incarnation: FIRST,
    seat: FIRST_SEAT,
    call: callNumber(3),
    reply: bytes('r'),
  } as const;
  calls.open(PID, HOME, FIRST, [callNumber(3)]);
  calls.call(PID, FIRST_SEAT, bytes('a'), () => assert.fail('not after leave'));
  calls.leave(PID, FIRST_SEAT);
  calls.reply(HOME, reply);
  calls.reset(HOME);
  assert.equal(sent.length, 1);
  assert.deepEqual(calls.close(PID), [3]);
  calls.open(PID, HOME, FIRST, [callNumber(3)]);
  const got: string[] = [];
  calls.call(PID, FIRST_SEAT, bytes('a'), (result) => got.push(text(result)));
  calls.reply(HOME, reply);
  assert.deepEqual(got, ['r']);
  assert.deepEqual(calls.close(PID), [4]);
});

test('the threads of a process have calls under way at once, each with its own numbers', () => {
  const { call, deputy, executed, waiting, replies } = setUp();
  const third = seat(2);
  call(1, 'wait a');
  call(1, 'wait b', AWAY, FIRST, third);
  call(1, 'wait b', AWAY, FIRST, third);
  waiting.get('wait b')?.settle(bytes('b'));
  call(2, 'c', AWAY, FIRST, third);
  assert.deepEqual(executed, ['wait a', 'wait b', 'c']);
  assert.deepEqual(replies(), ['2: 1 b', '2: 2 done c']);
  deputy.place(HOME, NEXT);
  assert.ok(deputy.local(FIRST_SEAT, callNumber(1)) instanceof Waiting);
  assert.equal(deputy.local(third, callNumber(3)), null);
  assert.equal(deputy.local(seat(1), callNumber(1)), null, 'a seat that has made no call');
  assert.throws(() => call(9, 'left out', HOME, NEXT, seat(63)), { code: 'protocol' });
});

test('the end of a process takes the calls of all its threads back', () => {
  const { call, deputy, withdrawn } = setUp();
  call(1, 'wait a');
  call(1, 'wait b', AWAY, FIRST, seat(7));
  deputy.close();
  assert.deepEqual(withdrawn, ['wait a', 'wait b']);
});

test('the guest’s side numbers the calls of each thread, and repeats all that are under way', () => {
  const sent: ProcessMessage[] = [];
  const calls = new HomeCalls((_to, message) => sent.push(message));
  const second = seat(1);
  const got: string[] = [];
  const reply = (by: Seat, call: number): void => {
    const fields = { pid: PID, incarnation: FIRST, seat: by, call: callNumber(call), reply: bytes(`${by} ${call}`) };
    calls.reply(HOME, { frame: 'reply', ...fields });
  };
  calls.open(PID, HOME, FIRST, [callNumber(3)]);
  calls.call(PID, FIRST_SEAT, bytes('a'), (result) => got.push(text(result)));
  calls.call(PID, second, bytes('b'), (result) => got.push(text(result)));
  calls.reset(HOME);
  reply(second, 3);
  reply(second, 1);
  reply(FIRST_SEAT, 3);
  assert.deepEqual(got, ['1 1', '0 3']);
  calls.call(PID, second, bytes('c'), () => assert.fail('not after leave'));
  calls.leave(PID, second);
  reply(second, 2);
  assert.deepEqual(
    sent.map((message) => (message.frame === 'call' ? `${message.seat} ${message.call}` : message.frame)),
    ['0 3', '1 1', '0 3', '1 1', '1 2'],
  );
  assert.deepEqual(calls.close(PID), [4, 2]);
});
