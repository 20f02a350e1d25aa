/** Nodes with links on a virtual network, for tests; and what one says by hand. */
import assert from 'node:assert/strict';
import { silentLog } from '../../base/env.ts';
import type { NodeId } from '../../base/ids.ts';
import { nodeId } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import type { Frame, FrameOf, PeerFrame } from '../frames.ts';
import { encodeFrame, stamp } from '../frames.ts';
import type { Identity } from '../greeting.ts';
import { PROTOCOL } from '../greeting.ts';
import type { PeerEvent } from '../links.ts';
import { Links } from '../links.ts';
import { FrameParser } from '../parser.ts';
import type { Transport } from '../transport.ts';
import type { Host } from './network.ts';
import { CALM, VirtualNetwork } from './network.ts';

export const A = nodeId(1);
export const B = nodeId(2);

/** One life of one node, which keeps what it has been told. */
export class TestNode {
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

export function setUp(
  seed: number,
  weather = CALM,
): { network: VirtualNetwork; clock: VirtualClock; random: SeededRandom } {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  return { network: new VirtualNetwork(clock, random, weather), clock, random };
}

export function pairUp(network: VirtualNetwork, a: TestNode, b: TestNode): void {
  a.links.add(b.id, `node${b.id}`);
  b.links.add(a.id, `node${a.id}`);
  assert(
    network.clock.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 60_000),
    'the link comes up',
  );
}

/** One end of a connection, spoken by hand. */
export interface ByHand {
  readonly heard: Frame[];
  say(frame: Frame, sequence?: number, ack?: number): void;
}

function speak(end: Transport): ByHand {
  const heard: Frame[] = [];
  const parser = new FrameParser(LIMITS.frameBytes);
  end.start({ bytes: (slice) => parser.push(slice, (frame) => heard.push(frame) > 0), drained() {}, closed() {} });
  return {
    heard,
    say(frame, sequence = 0, ack = 0) {
      const encoded = encodeFrame(frame);
      stamp(encoded, sequence, ack);
      end.send(encoded.parts);
    },
  };
}

/** Node 2 as one who connects to `a`. */
export function byHand(network: VirtualNetwork, a: TestNode): ByHand {
  const [near, atA] = network.connect(B, A);
  a.links.accept(atA);
  return speak(near);
}

/** Node 2 as one to whom node 1 connects: `says` follows each connection's `hello`. */
export function answering(network: VirtualNetwork, says: (hello: FrameOf<'hello'>, peer: ByHand) => void): ByHand[] {
  const peers: ByHand[] = [];
  network.host(B).listen('node2', (transport) => {
    const peer = speak(transport);
    peers.push(peer);
    network.clock.after(100, () => {
      const [hello] = peer.heard;
      assert(hello?.frame === 'hello');
      says(hello, peer);
    });
  });
  return peers;
}

export const HELLO: FrameOf<'hello'> = {
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

export const WELCOME: FrameOf<'welcome'> = {
  frame: 'welcome',
  protocol: PROTOCOL.max,
  build: 'by hand',
  capabilities: ['image-1'],
  required: [],
  boot: 2n,
  session: 99n,
  received: 99,
  generation: 1,
};
