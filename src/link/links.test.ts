import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { CALM } from './testing/network.ts';
import { A, B, TestNode, pairUp, setUp } from './testing/nodes.ts';

test('both dial at once and one link comes of it', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { network, clock } = setUp(seed);
    const a = new TestNode(network, A, 1n);
    const b = new TestNode(network, B, 2n);
    pairUp(network, a, b);
    assert(clock.now() < TIMING.redialFirstMs / 2, `seed ${seed}: no attempt is in vain`);
    clock.advance(1000);
    a.say(B, 'from a');
    b.say(A, 'from b');
    clock.advance(1000);
    assert.deepEqual([a.events, b.events], [['up'], ['up']], `seed ${seed}`);
    assert.deepEqual([a.received, b.received], [[['from b']], [['from a']]], `seed ${seed}`);
    assert.equal(network.connections, 1, `seed ${seed}: one connection is left`);
  }
});

test('what was sent before there was a link arrives', () => {
  const { network, clock } = setUp(1);
  const a = new TestNode(network, A, 1n);
  a.links.add(B, 'node2');
  a.say(B, 'early');
  clock.advance(10_000);
  const b = new TestNode(network, B, 2n);
  b.links.add(A, '');
  assert(clock.runUntil(() => b.received[0]?.length === 1, 60_000));
  assert.deepEqual(b.received, [['early']]);
  assert.equal(a.resets, 0);
});

test('a broken connection is a pause that no one is told of', () => {
  const { network, clock } = setUp(2);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  for (let i = 0; i < 50; i++) {
    a.say(B, `${i}`);
    if (i % 10 === 0) network.cut(A, B);
    clock.advance(5);
  }
  clock.advance(5000);
  assert.deepEqual(b.received, [Array.from({ length: 50 }, (_, i) => `${i}`)]);
  assert.deepEqual([a.events, b.events], [['up'], ['up']]);
});

test('the round trip time is measured', () => {
  const { network, clock } = setUp(11, { ...CALM, delayMs: 20 });
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  clock.advance(2 * TIMING.heartbeatMs);
  const measured = a.links.get(B)?.roundTripMs ?? 0;
  assert(measured >= 2 && measured <= 40, `${measured} ms`);
});

test('a silent peer becomes unreachable, and the session goes on when it is back', () => {
  const { network, clock } = setUp(3);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  network.part(A, B);
  a.say(B, 'while parted');
  clock.advance(TIMING.silentMs - TIMING.heartbeatMs);
  assert.deepEqual(a.events, ['up']);
  clock.advance(2 * TIMING.heartbeatMs);
  assert.deepEqual(
    [a.events, b.events],
    [
      ['up', 'unreachable'],
      ['up', 'unreachable'],
    ],
  );
  network.heal(A, B);
  clock.advance(60_000);
  assert.deepEqual(
    [a.events, b.events],
    [
      ['up', 'unreachable', 'up'],
      ['up', 'unreachable', 'up'],
    ],
  );
  assert.deepEqual(b.received, [['while parted']]);
});

test('a peer that has restarted: both are told that everything is lost', () => {
  const { network, clock } = setUp(4);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  b.host.kill(false);
  a.say(B, 'lost');
  const again = new TestNode(network, B, 3n);
  again.links.add(A, 'node1');
  clock.advance(10_000);
  assert.deepEqual(a.events, ['up', 'reset', 'up']);
  assert.deepEqual(again.events, ['up']);
  assert.equal(a.links.get(B)?.agreement?.boot, 3n);
  a.say(B, 'after');
  clock.advance(100);
  assert.deepEqual(again.received, [['after']]);
});

test('goodbye closes the link and is told with its reason', () => {
  const { network, clock } = setUp(5);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  b.links.close('stopping');
  clock.advance(1000);
  assert.deepEqual(a.events, ['up', 'reset', 'closed']);
});

test('a queue that runs over gives the session up on both sides, and a new one follows', () => {
  const { network, clock } = setUp(6);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  network.part(A, B);
  const big = `big${' '.repeat(LIMITS.stringBytes - 3)}`;
  const count = Math.ceil(LIMITS.linkQueueBytes / LIMITS.stringBytes) + 1;
  for (let i = 0; i < count && a.resets === 0; i++) a.say(B, big);
  assert.equal(a.resets, 1);
  network.heal(A, B);
  clock.advance(60_000);
  assert.equal(b.resets, 1);
  a.say(B, 'small');
  clock.advance(100);
  assert.deepEqual(b.received.at(-1), ['small']);
});

test('bulk data waits for room and takes no memory beyond it', () => {
  const { network, clock } = setUp(9);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  const chunk = ' '.repeat(LIMITS.stringBytes);
  const start = clock.now();
  const total = (4 * LIMITS.linkUnackedBytes) / chunk.length;
  let sent = 0;
  const pump = (): void => {
    while (sent < total && a.links.room(B)) a.say(B, `${sent++}${chunk}`.slice(0, chunk.length));
    if (sent < total) a.links.whenRoom(B, pump);
  };
  pump();
  assert(sent * chunk.length < 2 * LIMITS.linkUnsentBytes, 'the sender waits for the connection');
  assert(
    clock.runUntil(() => b.received[0]?.length === total, 60_000),
    'everything arrives',
  );
  assert(clock.now() - start < TIMING.heartbeatMs, 'acknowledgements do not wait for a ping');
  assert.deepEqual(
    b.received[0],
    Array.from({ length: total }, (_, i) => `${i}`),
  );
});
