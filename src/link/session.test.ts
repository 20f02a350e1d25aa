import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import { decodeHeader, encodeFrame } from './frames.ts';
import type { EncodedFrame } from './frames.ts';
import { Session } from './session.ts';

/** Its first frame has number 2^32 - 2. */
const NEAR_WRAP = 0xabcd_0000_ffff_fffdn;

function frame(text: string): EncodedFrame {
  return encodeFrame({ frame: 'announce', address: text });
}

function started(count: number, id = NEAR_WRAP): Session {
  const session = new Session();
  for (let i = 0; i < count; i++) session.push(frame(`${i}`));
  session.begin(id, true);
  return session;
}

/** The sequence numbers of all frames that are ready to be sent. */
function sendAll(session: Session): number[] {
  const sequences: number[] = [];
  for (let next = session.next(); next; next = session.next()) {
    const [head] = next.parts;
    assert(head);
    sequences.push(decodeHeader(head, 0, LIMITS.frameBytes).sequence);
  }
  return sequences;
}

test('sequence numbers follow the id of the session and wrap', () => {
  const session = started(4);
  assert.deepEqual(sendAll(session), [0xffff_fffe, 0xffff_ffff, 0, 1]);
  session.acknowledged(0);
  session.push(frame('more'));
  assert.deepEqual(sendAll(session), [2]);
});

test('a new connection gets what the peer has not received', () => {
  const session = started(4);
  sendAll(session);
  session.rewind(0xffff_ffff);
  assert.deepEqual(sendAll(session), [0, 1]);
  session.rewind(1);
  assert.deepEqual(sendAll(session), []);
  assert.equal(session.unackedBytes, 0);
});

test('it knows how much the current connection has still to be given', () => {
  const session = started(4);
  const { bytes } = frame('0');
  assert.equal(session.unsentBytes, 4 * bytes);
  session.next();
  session.next();
  assert.equal(session.unsentBytes, 2 * bytes);
  session.rewind(0xffff_fffe);
  assert.equal(session.unsentBytes, 3 * bytes, 'all but the one that has arrived, on a new connection');
  session.next();
  session.acknowledged(0xffff_ffff);
  assert.equal(session.unsentBytes, 2 * bytes);
  session.reset();
  assert.equal(session.unsentBytes, 0);
});

test('what was sent on an earlier connection may be acknowledged at once on the next', () => {
  const session = started(3);
  sendAll(session);
  session.rewind(0xffff_fffd);
  session.acknowledged(0);
  assert.equal(session.unsentBytes, 0);
  assert.deepEqual(sendAll(session), []);
  assert.equal(session.unackedBytes, 0);
});

test('an old acknowledgement is nothing new, one of the future is a lie', () => {
  const session = started(3);
  session.next();
  session.acknowledged(0xffff_fffe);
  session.acknowledged(0xffff_fffd);
  assert.throws(() => session.acknowledged(0xffff_ffff), { code: 'protocol', message: /has not been sent/ });
});

test('a frame is taken once, in its turn', () => {
  const session = started(0);
  assert.equal(session.accept(0xffff_fffe), true);
  assert.equal(session.accept(0xffff_fffe), false);
  assert.equal(session.accept(0xffff_fffd), false);
  assert.throws(() => session.accept(0), { code: 'protocol', message: /frame 0 follows 4294967294/ });
  assert.equal(session.accept(0xffff_ffff), true);
  assert.equal(session.accept(0), true);
  assert.equal(session.received, 0);
});

test('a session that is reset forgets everything', () => {
  const session = started(3);
  sendAll(session);
  session.reset();
  assert.equal(session.unackedBytes, 0);
  session.push(frame('new'));
  session.begin(7n, true);
  assert.deepEqual(sendAll(session), [8]);
});

test('many frames pass without a trace', () => {
  const session = started(0, 1n);
  let acked = 1;
  for (let i = 0; i < 10_000; i++) {
    session.push(frame('x'));
    session.push(frame('y'));
    const sequences = sendAll(session);
    if (i % 3 === 0) session.acknowledged((acked = sequences.at(-1) ?? acked));
  }
  session.acknowledged(20_001);
  assert.equal(session.unackedBytes, 0);
});
