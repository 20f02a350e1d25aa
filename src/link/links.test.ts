import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import type { Frame, FrameOf, PeerFrame } from './frames.ts';
import { encodeFrame, stamp } from './frames.ts';
import type { Identity } from './greeting.ts';
import { PROTOCOL } from './greeting.ts';
import type { PeerEvent } from './links.ts';
import { Links } from './links.ts';
import { FrameParser } from './parser.ts';
import type { Host } from './testing/network.ts';
import { CALM, STORM, VirtualNetwork } from './testing/network.ts';

const A = nodeId(1);
const B = nodeId(2);

/** One life of one node, which keeps what it has been told. */
class TestNode {
  readonly id: NodeId;
  readonly boot: bigint;
  readonly host: Host;
  readonly links: Links;
  readonly events: PeerEvent['event'][] = [];
  readonly refusals: string[] = [];
  /** What was received, in parts between resets. */
  received: string[][] = [[]];
  /** How often frames sent may have been lost. */
  resets = 0;
  sent = 0;

  constructor(network: VirtualNetwork, id: NodeId, boot: bigint, identity: Partial<Identity> = {}) {
    this.id = id;
    this.boot = boot;
    this.host = network.host(id);
    const self: Identity = {
      cluster: 'test',
      node: id,
      boot,
      build: `build of ${id}`,
      capabilities: ['image-1'],
      required: [],
      ...identity,
    };
    const { clock, dialer } = this.host;
    this.links = new Links(
      {
        self,
        clock,
        random: network.random,
        log: silentLog,
        dialer,
        admit: (peer) => (peer > 9 ? 'not invited' : null),
      },
      {
        onFrame: (_peer, frame) => this.received.at(-1)?.push(text(frame)),
        onPeer: (_peer, event) => this.#onPeer(event),
      },
    );
    this.host.listen(`node${id}`, (transport) => this.links.accept(transport));
  }

  say(to: NodeId, what: string): void {
    this.links.send(to, { frame: 'announce', address: what });
    this.sent++;
  }

  #onPeer(event: PeerEvent): void {
    this.events.push(event.event);
    if (event.event === 'refused') this.refusals.push(event.refusal.reason);
    if (event.event !== 'reset') return;
    this.resets++;
    this.received.push([]);
  }
}

function text(frame: PeerFrame): string {
  assert(frame.frame === 'announce');
  return frame.address.trimEnd();
}

function setUp(seed: number, weather = CALM): { network: VirtualNetwork; clock: VirtualClock; random: SeededRandom } {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  return { network: new VirtualNetwork(clock, random, weather), clock, random };
}

function pairUp(network: VirtualNetwork, a: TestNode, b: TestNode): void {
  a.links.add(b.id, `node${b.id}`);
  b.links.add(a.id, `node${a.id}`);
  assert(
    network.clock.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 60_000),
    'the link comes up',
  );
}

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

/** What node 2 says by hand on a connection of its own, and what it hears. */
function byHand(
  network: VirtualNetwork,
  a: TestNode,
): { say(frame: Frame, sequence?: number, ack?: number): void; heard: Frame[] } {
  const [near, atA] = network.connect(B, A);
  a.links.accept(atA);
  const heard: Frame[] = [];
  const parser = new FrameParser(LIMITS.frameBytes);
  near.start({ bytes: (slice) => parser.push(slice, (frame) => heard.push(frame) > 0), drained() {}, closed() {} });
  return {
    heard,
    say(frame, sequence = 0, ack = 0) {
      const encoded = encodeFrame(frame);
      stamp(encoded, sequence, ack);
      near.send(encoded.parts);
    },
  };
}

const HELLO: FrameOf<'hello'> = {
  frame: 'hello',
  protocolMin: PROTOCOL.min,
  protocolMax: PROTOCOL.max,
  build: 'by hand',
  capabilities: [],
  required: [],
  cluster: 'test',
  node: B,
  boot: 2n,
  session: 99n,
  fresh: true,
  received: 99,
  generation: 0,
};

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
    {
      frame: 'welcome',
      protocol: 1,
      build: '',
      capabilities: [],
      required: [],
      boot: 2n,
      session: 1n,
      received: 1,
      generation: 1,
    },
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

test('under a storm every frame arrives once and in order, or its loss is told', (t) => {
  const first = Number(process.env['GODWIT_SEED'] ?? 1);
  const count = Number(process.env['GODWIT_SEEDS'] ?? 300);
  for (let seed = first; seed < first + count; seed++) {
    try {
      storm(seed);
    } catch (error) {
      throw new Error(`GODWIT_SEED=${seed}`, { cause: error });
    }
  }
  t.diagnostic(`${count} storms`);
});

/** Two nodes send numbered frames through a network that fails in every way, and restart now and then. */
function storm(seed: number): void {
  const { network, clock, random } = setUp(seed, { ...STORM, delayMs: 1 + (seed % 50) });
  let boots = 0n;
  const start = (id: NodeId): TestNode => {
    const node = new TestNode(network, id, ++boots);
    const other = id === A ? B : A;
    // Sometimes only one side knows where the other is.
    node.links.add(other, id === A || seed % 3 !== 0 ? `node${other}` : '');
    return node;
  };
  let a = start(A);
  let b = start(B);
  const lives: TestNode[] = [a, b];
  for (let step = 0; step < 60; step++) {
    const [from, to] = random.oneIn(2) ? [a, B] : [b, A];
    for (let i = random.below(4); i >= 0; i--)
      from.say(to, `${from.boot}:${from.sent}${' '.repeat(random.oneIn(4) ? random.below(60_000) : 0)}`);
    if (random.oneIn(20)) network.part(A, B);
    if (random.oneIn(5)) network.heal(A, B);
    if (random.oneIn(10)) network.cut(A, B);
    if (random.oneIn(40)) {
      const [dead, id] = random.oneIn(2) ? [a, A] : [b, B];
      dead.host.kill(random.oneIn(2));
      const born = start(id);
      lives.push(born);
      if (id === A) a = born;
      else b = born;
    }
    clock.advance(random.below(400));
  }
  network.heal(A, B);
  network.weather = CALM;
  assert(
    clock.runUntil(() => a.links.isUp(B) && b.links.isUp(A), 120_000),
    'the link comes up when the network is calm',
  );
  clock.advance(30_000);
  a.say(B, 'last of a');
  b.say(A, 'last of b');
  clock.advance(5000);
  assert.equal(b.received.at(-1)?.at(-1), 'last of a');
  assert.equal(a.received.at(-1)?.at(-1), 'last of b');
  assert.equal(network.connections, 1, 'one connection is left');
  for (const life of lives) for (const part of life.received) checkOrder(part);
  if (lives.length === 2) {
    assert.deepEqual([a.resets, b.resets], [0, 0], 'nothing is lost without a restart');
    assert.deepEqual([a.received[0]?.length, b.received[0]?.length], [b.sent, a.sent], 'everything has arrived');
  }
}

/** Between two resets come frames of one life of the peer, without a gap and without a repetition. */
function checkOrder(part: readonly string[]): void {
  const numbered = part.filter((line) => line.includes(':')).map((line) => line.split(':'));
  const [boot, start] = numbered[0] ?? [];
  numbered.forEach((line, i) => assert.deepEqual(line, [boot, `${Number(start) + i}`]));
}
