/** Whole clusters under virtual time: links, membership and the founder's engine together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import { nodeId } from '../base/ids.ts';
import { storms } from '../base/testing/seeds.ts';
import { TIMING } from '../base/timing.ts';
import { SeededRandom, VirtualClock } from '../base/virtual.ts';
import { Links } from '../link/links.ts';
import type { Host, Weather } from '../link/testing/network.ts';
import { CALM, STORM, VirtualNetwork } from '../link/testing/network.ts';
import type { Certifier } from './founder.ts';
import { Founder } from './founder.ts';
import type { Member } from './members.ts';
import { findMember } from './members.ts';
import { Membership } from './membership.ts';
import type { MembershipStore } from './store.ts';
import { MemoryStore } from './store.ts';
import { parseToken } from './tokens.ts';

const certifier: Certifier = {
  certificate: 'authority',
  certify: (node) => `certificate of ${node}`,
  sha256: (bytes) => Uint8Array.from({ length: 32 }, (_, i) => bytes[i % bytes.length] ?? 0),
  fingerprint: () => new Uint8Array(32),
};

/** One life of one node; its store outlives it. */
class TestNode {
  readonly id: NodeId;
  readonly host: Host;
  readonly links: Links;
  readonly membership: Membership;
  readonly founder: Founder | null;
  readonly events: string[] = [];

  constructor(cluster: TestCluster, id: NodeId, address: string) {
    this.id = id;
    const { random } = cluster;
    const store = cluster.storeOf(id);
    this.host = cluster.network.host(id);
    const { clock, dialer } = this.host;
    const boot = BigInt(random.next()) + 1n;
    this.founder = id === cluster.first ? new Founder({ clock, random, log: silentLog, store, certifier }) : null;
    this.links = new Links(
      {
        self: { cluster: 'test', node: id, boot, build: 'test', capabilities: [], required: [] },
        clock,
        random,
        log: silentLog,
        dialer,
        admit: (peer) => this.membership.admit(peer),
      },
      {
        onFrame: (peer, frame) => assert(this.membership.onFrame(peer, frame)),
        onPeer: (peer, event) => this.membership.onPeer(peer, event),
      },
    );
    this.membership = new Membership({
      self: id,
      address,
      boot,
      clock,
      log: silentLog,
      store,
      links: this.links,
      engine: this.founder,
      onEvent: ({ event, node }) => this.events.push(`${event} ${node}`),
    });
    this.host.listen(address, (transport) => this.links.accept(transport));
    this.membership.start();
  }

  states(): string[] {
    return this.membership.list.members.map((m) => `${m.node} ${m.state}`);
  }

  /** The events since the last call. */
  news(): string[] {
    return this.events.splice(0);
  }
}

class TestCluster {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: VirtualNetwork;
  readonly first = nodeId(1);
  readonly nodes = new Map<NodeId, TestNode>();
  readonly #stores = new Map<NodeId, MembershipStore>();

  /** A cluster of nodes that have joined before; none of them runs. */
  constructor(seed: number, size: number, weather: Weather = CALM) {
    this.random = new SeededRandom(seed);
    this.network = new VirtualNetwork(this.clock, this.random, weather);
    const members = Array.from({ length: size }, (_, i): Member => member(i + 1));
    for (const { node } of members) {
      this.storeOf(node).save({ memberList: { version: 1n, founder: this.first, members } });
    }
  }

  storeOf(id: NodeId): MembershipStore {
    const store = this.#stores.get(id) ?? new MemoryStore();
    this.#stores.set(id, store);
    return store;
  }

  start(id: number, address = `host${id}:1`): TestNode {
    const node = new TestNode(this, nodeId(id), address);
    this.nodes.set(node.id, node);
    return node;
  }

  kill(node: TestNode, silently: boolean): void {
    node.host.kill(silently);
    this.nodes.delete(node.id);
  }

  settled(): boolean {
    const nodes = [...this.nodes.values()];
    return nodes.every((a) => nodes.every((b) => a === b || a.links.isUp(b.id)));
  }

  settle(atMost = 60_000): void {
    assert(
      this.clock.runUntil(() => this.settled(), atMost),
      'all links come up',
    );
    this.clock.advance(1000);
  }
}

function member(id: number): Member {
  return {
    node: nodeId(id),
    name: `node${id}`,
    address: `host${id}:1`,
    fingerprint: new Uint8Array(32),
    boot: 0n,
    state: 'down',
  };
}

function three(seed: number): { cluster: TestCluster; a: TestNode; b: TestNode; c: TestNode } {
  const cluster = new TestCluster(seed, 3);
  const [a, b, c] = [cluster.start(1), cluster.start(2), cluster.start(3)];
  cluster.settle();
  for (const node of [a, b, c]) node.news();
  return { cluster, a, b, c };
}

test('all nodes see all nodes, and hold the same list', () => {
  const { a, b, c } = three(1);
  assert.deepEqual(a.states(), ['1 up', '2 up', '3 up']);
  assert.deepEqual(b.membership.list, a.membership.list);
  assert.deepEqual(c.membership.list, a.membership.list);
});

test('a node that joins is made known to all, and they connect', async () => {
  const { cluster, a, b, c } = three(2);
  const { id, secret } = parseToken((await a.founder?.createToken())?.token ?? '');
  const admission = await a.founder?.admit({
    token: id,
    secret,
    name: 'new',
    address: 'host4:1',
    publicKey: new Uint8Array(10),
  });
  assert(admission);
  assert.equal(admission.node, 4);
  cluster.storeOf(admission.node).save({ memberList: admission.list });
  const d = cluster.start(4);
  cluster.settle();
  assert.deepEqual(
    [a.news(), b.news(), c.news()],
    [
      ['joined 4', 'up 4'],
      ['joined 4', 'up 4'],
      ['joined 4', 'up 4'],
    ],
  );
  assert.deepEqual(d.states(), ['1 up', '2 up', '3 up', '4 up']);
  assert.equal(findMember(d.membership.list, 'new').node, 4);
  assert.throws(() => findMember(d.membership.list, 'newer'), {
    code: 'unknown_node',
    message: /node1, node2, node3, new/,
  });
});

test('a node that loses its network is unreachable, then down, then back as it was', () => {
  const { cluster, a, b, c } = three(3);
  cluster.network.part(a.id, c.id);
  cluster.network.part(b.id, c.id);
  cluster.clock.advance(TIMING.silentMs + TIMING.heartbeatMs);
  assert.deepEqual(
    [a.news(), b.news(), c.news().sort()],
    [['unreachable 3'], ['unreachable 3'], ['unreachable 1', 'unreachable 2']],
  );
  cluster.clock.advance(TIMING.downMs);
  assert.deepEqual([a.news(), b.news()], [['down 3'], ['down 3']]);
  assert.deepEqual(b.states(), ['1 up', '2 up', '3 down']);
  cluster.network.heal(a.id, c.id);
  cluster.network.heal(b.id, c.id);
  cluster.settle();
  assert.deepEqual([a.news(), b.news()], [['up 3'], ['up 3']]);
});

test('a node that is started anew is reported as restarted', () => {
  const { cluster, a, c } = three(4);
  cluster.kill(c, true);
  cluster.start(3);
  cluster.clock.advance(10_000);
  assert.deepEqual(a.news(), ['reset 3', 'restarted 3', 'up 3']);
});

test('a node that says goodbye is down at once, and still a member', () => {
  const { cluster, a, b, c } = three(5);
  c.links.close('godwit down');
  cluster.clock.advance(100);
  cluster.kill(c, false);
  assert.deepEqual(
    [a.news(), b.news()],
    [
      ['reset 3', 'down 3'],
      ['reset 3', 'down 3'],
    ],
  );
  cluster.start(3);
  cluster.settle();
  assert.deepEqual(b.news(), ['restarted 3', 'up 3']);
});

test('the others work without the founder, also after a restart', () => {
  const { cluster, a, b, c } = three(6);
  cluster.kill(a, false);
  cluster.kill(c, false);
  const again = cluster.start(3);
  cluster.settle();
  assert.deepEqual(again.news(), ['up 2']);
  cluster.clock.advance(2 * TIMING.downMs);
  assert.deepEqual(again.states(), ['1 down', '2 up', '3 up']);
  assert(b.news().includes('down 1'));
  cluster.start(1);
  cluster.settle();
  assert.deepEqual(again.states(), ['1 up', '2 up', '3 up']);
  assert.deepEqual(b.news().slice(-2), ['restarted 1', 'up 1']);
});

test('what a node has stored of the others is no news of them', () => {
  const { cluster, a, c } = three(6);
  cluster.kill(a, false);
  cluster.kill(c, false);
  const again = cluster.start(3);
  // By what is stored all were up. What is sent to them now waits for their links all the same.
  assert.deepEqual(again.states(), ['1 unreachable', '2 unreachable', '3 up']);
  assert.equal(again.membership.stateOf(nodeId(1)), 'up');
  cluster.settle();
  assert.deepEqual(again.states(), ['1 unreachable', '2 up', '3 up']);
  assert.deepEqual(again.news(), ['up 2']);
  cluster.clock.advance(TIMING.silentMs);
  assert.equal(again.membership.stateOf(nodeId(1)), 'unreachable');
  assert.deepEqual(again.news(), ['unreachable 1']);
  cluster.clock.advance(TIMING.downMs);
  assert.deepEqual(again.news(), ['down 1']);
  // A new founder's word counts, of nodes that have not been seen too.
  cluster.start(1);
  cluster.settle();
  assert.deepEqual(again.states(), ['1 up', '2 up', '3 up']);
});

test('a node that has moved tells the founder, who tells the others', () => {
  const { cluster, a, b, c } = three(7);
  cluster.kill(c, false);
  cluster.kill(b, false);
  cluster.start(3, 'elsewhere:1');
  const again = cluster.start(2);
  cluster.settle();
  assert.equal(findMember(a.membership.list, '3').address, 'elsewhere:1');
  assert.equal(findMember(again.membership.list, '3').address, 'elsewhere:1');
});

test('a node that is removed is told so, and not let in again', async () => {
  const { cluster, a, b, c } = three(8);
  await a.founder?.remove(c.id);
  cluster.clock.advance(1000);
  assert.deepEqual([a.news(), b.news()], [['left 3'], ['left 3']]);
  assert(c.news().includes('left 3'));
  cluster.clock.advance(60_000);
  assert.equal(a.links.isUp(c.id), false);
  assert.equal(a.membership.admit(c.id), 'it has left the cluster');
  assert.throws(() => findMember(a.membership.list, 'node3'), { code: 'unknown_node' });
  await assert.rejects(async () => a.founder?.remove(c.id), { code: 'unknown_node' });
});

test('only the founder is believed', () => {
  const { cluster, a, b, c } = three(9);
  c.links.send(b.id, { frame: 'members', version: 99n, founder: c.id, members: [member(3)] });
  cluster.clock.advance(100);
  assert.equal(b.membership.list.members.length, 3);
  assert(b.news().includes('reset 3'), 'who claims to be the founder loses its link');
  b.links.send(c.id, { frame: 'announce', address: 'x:1' });
  cluster.clock.advance(100);
  assert.deepEqual(a.news(), []);
});

test('an announced address that is none costs the link, and changes nothing', () => {
  for (const address of ['', 'nowhere', 'x:65536', 'a b:1', '\u001b[2J:1', 'x'.repeat(1000)]) {
    const { cluster, a, c } = three(10);
    c.links.send(a.id, { frame: 'announce', address });
    cluster.clock.advance(100);
    assert.equal(findMember(a.membership.list, '3').address, 'host3:1', JSON.stringify(address));
    assert(a.news().includes('reset 3'), JSON.stringify(address));
    cluster.settle();
    assert.equal(findMember(a.membership.list, '3').address, 'host3:1');
  }
  const { cluster, a, c } = three(10);
  c.links.send(a.id, { frame: 'announce', address: '0.0.0.0:7' });
  cluster.clock.advance(100);
  assert.equal(findMember(a.membership.list, '3').address, 'host3:7', 'a wildcard stands for where it was seen');
});

test('a founder that says that it listens on all its addresses is where it was', () => {
  const { cluster, a, c } = three(10);
  a.founder!.report(a.id, { address: '[::]:7' });
  cluster.clock.advance(100);
  assert.equal(findMember(c.membership.list, '1').address, 'host1:7');
});

test('whatever happens to network and nodes, the cluster agrees in the end', (t) => {
  storms(t, 40, storm);
});

function storm(seed: number): void {
  const size = 2 + (seed % 4);
  const cluster = new TestCluster(seed, size, STORM);
  const { random, network } = cluster;
  const someone = (): NodeId => nodeId(1 + random.below(size));
  for (let step = 0; step < 40; step++) {
    const id = someone();
    const running = cluster.nodes.get(id);
    // The founder stays where it is: two nodes that have both moved cannot find each other.
    if (!running) cluster.start(id, id !== cluster.first && random.oneIn(3) ? `other${id}:${step}` : `host${id}:1`);
    else if (random.oneIn(4)) cluster.kill(running, random.oneIn(2));
    if (random.oneIn(4)) network.part(someone(), someone());
    if (random.oneIn(2)) network.heal(someone(), someone());
    cluster.clock.advance(random.below(8000));
  }
  network.weather = CALM;
  for (let i = 1; i <= size; i++) for (let k = 1; k <= size; k++) network.heal(nodeId(i), nodeId(k));
  for (let i = 1; i <= size; i++) if (!cluster.nodes.has(nodeId(i))) cluster.start(i, `host${i}:1`);
  cluster.settle(120_000);
  cluster.clock.advance(2 * TIMING.downMs);
  const lists = [...cluster.nodes.values()].map((node) => node.membership.list);
  for (const list of lists) assert.deepEqual(list, lists[0]);
  assert(lists[0]?.members.every((m) => m.state === 'up'));
  assert.equal(network.connections, (size * (size - 1)) / 2, 'one connection for each pair');
}
