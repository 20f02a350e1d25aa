/** Who gets a link, and what becomes of those who say anything else than they should. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeId } from '../base/ids.ts';
import { TIMING } from '../base/timing.ts';
import type { Frame, FrameOf } from './frames.ts';
import { PROTOCOL } from './greeting.ts';
import { A, B, HELLO, TestNode, WELCOME, answering, byHand, pairUp, setUp } from './testing/nodes.ts';

test('a greeting that was sent before the open connection was there does not replace it', () => {
  const { network, clock } = setUp(10);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  a.links.add(B, 'node2');
  clock.advance(1000);
  assert.deepEqual(a.events, ['up'], 'the connection that a has dialed is open');
  const late = byHand(network, a);
  late.say(HELLO);
  clock.advance(1000);
  assert.deepEqual(late.heard, [{ frame: 'refuse', code: 'glare', reason: 'another connection has won' }]);
  b.say(A, 'as if nothing had been');
  clock.advance(100);
  assert.deepEqual(a.received, [['as if nothing had been']]);
  assert.deepEqual(a.events, ['up']);
});

test('whatever a peer says, in whatever order, the node lives on', () => {
  const SAYINGS: readonly Frame[] = [
    HELLO,
    { ...HELLO, session: 5n, fresh: false },
    { ...HELLO, protocolMin: 7, protocolMax: 9 },
    { ...HELLO, node: A },
    { ...WELCOME, protocol: 1, session: 1n, received: 1 },
    { frame: 'refuse', code: 'glare', reason: 'x' },
    { frame: 'refuse', code: 'version', reason: 'x' },
    { frame: 'ack' },
    { frame: 'ping', time: Number.NaN },
    { frame: 'pong', time: Number.POSITIVE_INFINITY },
    { frame: 'goodbye', reason: 'x' },
    { frame: 'announce', address: 'x' },
  ];
  for (let seed = 1; seed <= 300; seed++) {
    const { network, clock, random } = setUp(seed);
    const a = new TestNode(network, A, 1n);
    a.links.add(B, '');
    for (let i = 0; i < 6; i++) {
      const peer = byHand(network, a);
      if (random.oneIn(2)) peer.say(HELLO);
      for (let k = random.below(5); k > 0; k--) {
        // Numbers around those that would be right, and some that never are.
        const number = (): number => (random.oneIn(5) ? random.next() : 97 + random.below(6));
        peer.say(random.pick(SAYINGS), number(), number());
      }
      if (random.oneIn(3)) a.say(B, 'something');
      clock.advance(random.below(4000));
    }
    const b = new TestNode(network, B, 3n);
    b.links.add(A, 'node1');
    assert(
      clock.runUntil(() => a.links.isUp(B) && b.links.isUp(A), 60_000),
      `seed ${seed}`,
    );
  }
});

test('who connects to a node that has said goodbye gets no link, and is not waited for', () => {
  const { network, clock } = setUp(5);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n);
  pairUp(network, a, b);
  b.links.close('stopping');
  clock.advance(3 * TIMING.redialLastMs);
  assert.deepEqual(a.events, ['up', 'reset', 'closed']);
  byHand(network, b).say(HELLO);
  clock.advance(1000);
  assert.equal(network.connections, 0);
});

test('mixed builds refuse each other with a reason on both sides', () => {
  const { network, clock } = setUp(7);
  const a = new TestNode(network, A, 1n, { required: ['image-2'], capabilities: ['image-2'] });
  const b = new TestNode(network, B, 2n);
  a.links.add(B, 'node2');
  b.links.add(A, 'node1');
  clock.advance(5000);
  assert.match(a.refusals[0] ?? '', /build of 2 lacks image-2: install the same Godwit/);
  assert.match(b.refusals[0] ?? '', /build of 2 lacks image-2: install the same Godwit/);
  assert.equal(a.links.isUp(B), false);
});

test('a node of another cluster and one that is no member are refused', () => {
  const { network, clock } = setUp(8);
  const a = new TestNode(network, A, 1n);
  const b = new TestNode(network, B, 2n, { cluster: 'other' });
  b.links.add(A, 'node1');
  const stranger = new TestNode(network, nodeId(10), 3n);
  stranger.links.add(A, 'node1');
  clock.advance(5000);
  assert.match(b.refusals[0] ?? '', /this is cluster test, not other/);
  assert.equal(stranger.links.isUp(A), false);
  assert.equal(a.links.get(nodeId(10)), undefined);
});

test('a hello of another protocol, cluster or node is refused with a reason, and makes no link', () => {
  for (const [change, code, reason] of [
    [{ protocolMin: 7, protocolMax: 9 }, 'version', /^build build of 1 speaks .*, build by hand 7 to 9: install/],
    [{ protocolMin: 0, protocolMax: PROTOCOL.min - 1 }, 'version', /: install the same Godwit on both nodes$/],
    [{ cluster: 'other' }, 'identity', /^this is cluster test, not other$/],
    [{ node: nodeId(3) }, 'identity', /^the certificate is node 2's, the greeting node 3's$/],
    [{ required: ['more'] }, 'capability', /build of 1 lacks more/],
  ] as const) {
    const { network, clock } = setUp(12);
    const a = new TestNode(network, A, 1n);
    a.links.add(B, '');
    const peer = byHand(network, a);
    peer.say({ ...HELLO, ...change });
    clock.advance(1000);
    const [refuse] = peer.heard;
    assert(refuse?.frame === 'refuse');
    assert.equal(refuse.code, code);
    assert.match(refuse.reason, reason);
    assert.match(a.refusals.join(), reason);
    assert.equal(a.links.isUp(B), false);
    assert.equal(network.connections, 0);
  }
});

test('a welcome of another protocol, or that lacks something, is refused with a reason on both sides', () => {
  const answers: readonly (readonly [welcome: FrameOf<'welcome'>, code: string, reason: RegExp])[] = [
    ...[0, PROTOCOL.min - 1, PROTOCOL.max + 1, 65_535].map(
      (protocol) =>
        [{ ...WELCOME, protocol }, 'version', new RegExp(`build by hand ${protocol} to ${protocol}: install`)] as const,
    ),
    [{ ...WELCOME, capabilities: [] }, 'capability', /build by hand lacks image-1/],
    [{ ...WELCOME, required: ['more'] }, 'capability', /build of 1 lacks more/],
  ];
  for (const [welcome, code, reason] of answers) {
    const { network, clock } = setUp(13);
    const a = new TestNode(network, A, 1n, { required: ['image-1'] });
    const peers = answering(network, (_hello, peer) => peer.say(welcome));
    a.links.add(B, 'node2');
    clock.advance(1000);
    const refuse = peers[0]?.heard[1];
    assert(refuse?.frame === 'refuse');
    assert.equal(refuse.code, code);
    assert.match(refuse.reason, reason);
    assert.match(a.refusals.join(), reason);
    assert.deepEqual(a.events, ['refused']);
    // One that can work with it is taken later, at the address that is dialed again.
    const b = new TestNode(network, B, 2n);
    clock.advance(2 * TIMING.redialRefusedMs);
    assert.equal(a.links.isUp(b.id), true);
  }
});

test('nothing but a welcome answers a hello, and greetings are said once', () => {
  const wrong: readonly Frame[] = [
    HELLO,
    { frame: 'announce', address: 'x:1' },
    { frame: 'ack' },
    { frame: 'goodbye', reason: 'x' },
    { frame: 'ping', time: 1 },
  ];
  for (const frame of wrong) {
    const { network, clock } = setUp(14);
    const a = new TestNode(network, A, 1n);
    const peers = answering(network, (_hello, peer) => peer.say(frame));
    a.links.add(B, 'node2');
    clock.advance(1000);
    assert.match(a.refusals.join(), new RegExp(`frame ${frame.frame} before the greeting`));
    assert.equal(peers[0]?.heard[1]?.frame, 'refuse');
    assert.deepEqual(a.received, [[]]);
  }
  for (const frame of [HELLO, WELCOME]) {
    const { network, clock } = setUp(15);
    const a = new TestNode(network, A, 1n);
    answering(network, (hello, peer) => {
      const number = Number(hello.session & 0xffff_ffffn);
      peer.say({ ...WELCOME, session: hello.session, received: number });
      peer.say(frame, 0, number);
    });
    a.links.add(B, 'node2');
    clock.advance(1000);
    assert.deepEqual(a.events, ['up', 'reset', 'refused']);
    assert.match(a.refusals.join(), new RegExp(`frame ${frame.frame} after the greeting`));
  }
});
