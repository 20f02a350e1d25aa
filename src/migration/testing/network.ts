/**
 * The links and the membership of a simulated cluster, as src/link and src/cluster promise them: between two nodes
 * messages arrive once and in order within a session; a cut delays them; a lost session drops what is under way and
 * both sides learn it before they see anything of the next one; a silent node becomes unreachable, then down.
 */
import { ByteReader } from '../../base/bytes.ts';
import type { NodeId } from '../../base/ids.ts';
import type { Codec } from '../../base/schema.ts';
import { decode, encode, struct } from '../../base/schema.ts';
import type { SeededRandom, VirtualClock } from '../../base/virtual.ts';
import { MIGRATION_FRAMES } from '../../link/frames/migration.ts';
import { PROCESS_FRAMES } from '../../link/frames/process.ts';
import type { Message, NodeState, PeerEvent } from '../hosts.ts';
import { traceMessage } from './trace.ts';

const UNREACHABLE_MS = 3_000;
const DOWN_MS = 33_000;
/** Bulk messages that may be under way on one link. */
const WINDOW = 2;

const CODECS = new Map<string, Codec<unknown>>(
  Object.entries({ ...PROCESS_FRAMES, ...MIGRATION_FRAMES }).map(([name, { fields }]) => [name, struct(fields)]),
);

/** What a link does to a message on the way. */
function overTheWire(message: Message): Message {
  if ('payload' in message && message.payload.length > 1000) return message;
  const codec = CODECS.get(message.frame) as Codec<unknown>;
  const fields = decode(codec, new ByteReader(encode(codec, message))) as object;
  return { frame: message.frame, ...fields } as Message;
}

/** What the network needs of a node. */
export interface Peer {
  readonly id: NodeId;
  readonly alive: boolean;
  readonly paused: boolean;
  readonly boot: number;
  /** Runs it now, or when the node goes on; not if the node dies before. */
  run(task: () => void): void;
  deliver(from: NodeId, message: Message): void;
  room(to: NodeId): void;
  peerEvent(node: NodeId, event: PeerEvent): void;
}

/** One direction of a link, at its sender. */
interface Line {
  /** When the last message that was sent arrives: the next may not overtake it. */
  lastAt: number;
  bulk: number;
  wantsRoom: boolean;
  held: (() => void)[];
  /** The session in which this end is. */
  session: number;
  /** The peer has been heard in that session. */
  greeted: boolean;
  peerBoot: number;
  state: NodeState;
  /** Counts the times when the far end fell silent. */
  silence: number;
}

export class SimNetwork {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #nodes = new Map<NodeId, Peer>();
  readonly #lines = new Map<string, Line>();
  readonly #cuts = new Set<string>();
  readonly #sessions = new Map<string, number>();
  /** Longest delay of a message in milliseconds. */
  delayMs = 5;
  /** Every message is encoded and decoded. */
  wire = false;
  /** Called before each delivery. */
  onDelivery: (from: NodeId, to: NodeId, message: Message) => void = () => {};

  constructor(clock: VirtualClock, random: SeededRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A node comes up, perhaps not for the first time. */
  attach(node: Peer): void {
    const known = this.#nodes.has(node.id);
    this.#nodes.set(node.id, node);
    for (const peer of this.#nodes.values()) {
      if (peer.id === node.id) continue;
      const line = this.#line(node.id, peer.id);
      line.silence += line.silence % 2;
      if (known) this.#newSession(node.id, peer.id);
      Object.assign(line, { session: this.#session(node.id, peer.id), peerBoot: peer.boot });
      Object.assign(line, { greeted: true, state: 'up', bulk: 0 });
      if (known) this.#tell(peer.id, node.id);
      else this.#line(peer.id, node.id).peerBoot = node.boot;
    }
    this.changed();
  }

  send(from: NodeId, to: NodeId, message: Message): void {
    const line = this.#line(from, to);
    const { session } = line;
    const bulk = 'payload' in message;
    if (bulk) line.bulk++;
    const carried = this.wire ? overTheWire(message) : message;
    line.lastAt = Math.max(line.lastAt, this.#clock.now() + this.#random.below(this.delayMs * 100) / 100);
    this.#clock.after(line.lastAt - this.#clock.now(), () =>
      this.#arrive(from, to, () => {
        if (bulk) this.#roomAgain(from, to, line);
        const there = this.#line(to, from);
        if (session < there.session) return;
        if (session > there.session || !there.greeted) this.#learn(to, from, true);
        this.onDelivery(from, to, message);
        traceMessage(this.#clock.now(), from, to, message);
        this.#nodes.get(to)?.run(() => {
          // A node that was stopped may have learned of the next session before it gets to this.
          if (session >= there.session) this.#nodes.get(to)?.deliver(from, carried);
        });
      }),
    );
  }

  hasRoom(from: NodeId, to: NodeId): boolean {
    const line = this.#line(from, to);
    if (line.bulk < WINDOW) return true;
    line.wantsRoom = true;
    return false;
  }

  stateOf(seenBy: NodeId, node: NodeId): NodeState {
    return this.#nodes.has(node) ? this.#line(seenBy, node).state : 'unknown';
  }

  /** The two cannot reach each other. */
  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(pair(a, b));
    this.changed();
  }

  heal(a: NodeId, b: NodeId): void {
    if (!this.#cuts.delete(pair(a, b))) return;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const line = this.#line(from, to);
      const held = line.held;
      line.held = [];
      for (const arrive of held) arrive();
    }
    this.changed();
  }

  healAll(): void {
    for (const cut of this.#cuts) {
      const [a, b] = cut.split('-').map(Number) as [NodeId, NodeId];
      this.heal(a, b);
    }
  }

  /** Everything that is under way between the two is lost. */
  loseSession(a: NodeId, b: NodeId): void {
    this.#newSession(a, b);
    this.#tellBoth(a, b);
  }

  /** The membership tells `node` that `about` is down, rightly or not. */
  declareDown(node: NodeId, about: NodeId): void {
    this.#enter(node, about, 'down');
  }

  /** A node was killed, stopped, went on, or a cut was made or healed: who hears whom? */
  changed(): void {
    for (const a of this.#nodes.values()) {
      for (const b of this.#nodes.values()) {
        if (a.id === b.id || !a.alive) continue;
        const line = this.#line(a.id, b.id);
        const silent = !b.alive || b.paused || this.#cuts.has(pair(a.id, b.id));
        if (silent === (line.silence % 2 === 1)) continue;
        const silence = ++line.silence;
        if (silent) this.#watch(a.id, b.id, line);
        else {
          this.#clock.after(this.#random.below(1000), () => {
            if (line.silence === silence) this.#back(a.id, b.id);
          });
        }
      }
    }
  }

  /** `a` hears of `b` again, in the old session or by greeting it for a new one. */
  #back(a: NodeId, b: NodeId): void {
    const line = this.#line(a, b);
    if (line.session !== this.#session(a, b) || !line.greeted) this.#tellBoth(a, b);
    else if (line.state !== 'up') this.#enter(a, b, 'reachable');
  }

  /** `b` is silent to `a` now. */
  #watch(a: NodeId, b: NodeId, line: Line): void {
    const { silence } = line;
    for (const [ms, event] of [
      [UNREACHABLE_MS, 'unreachable'],
      [DOWN_MS, 'down'],
    ] as const) {
      this.#clock.after(ms + this.#random.below(1000), () => {
        if (line.silence === silence) this.#enter(a, b, event);
      });
    }
  }

  #enter(a: NodeId, b: NodeId, event: 'unreachable' | 'down' | 'reachable'): void {
    this.#nodes.get(a)?.run(() => {
      const line = this.#line(a, b);
      // A node that has been given up comes back with a new session only.
      if (line.state === 'down') return;
      line.state = event === 'reachable' ? 'up' : event;
      this.#nodes.get(a)?.peerEvent(b, event);
      if (event !== 'down') return;
      this.#newSession(a, b);
      Object.assign(line, { session: this.#session(a, b), greeted: false, bulk: 0 });
      this.#nodes.get(a)?.peerEvent(b, 'reset');
      // If the verdict was wrong, the two greet each other at once.
      this.#tellBoth(a, b);
    });
  }

  /** `to` gets it now, or when the cut is healed. */
  #arrive(from: NodeId, to: NodeId, arrive: () => void): void {
    const line = this.#line(from, to);
    if (this.#cuts.has(pair(from, to))) line.held.push(arrive);
    else arrive();
  }

  #roomAgain(from: NodeId, to: NodeId, line: Line): void {
    line.bulk = Math.max(0, line.bulk - 1);
    if (!line.wantsRoom || line.bulk >= WINDOW) return;
    line.wantsRoom = false;
    this.#nodes.get(from)?.run(() => this.#nodes.get(from)?.room(to));
  }

  /** `a` will learn that its session with `b` is a new one. */
  #tell(a: NodeId, b: NodeId): void {
    this.#clock.after(this.#random.below(Math.min(100, 2 * this.delayMs)), () =>
      this.#arrive(b, a, () => this.#learn(a, b, false)),
    );
  }

  #tellBoth(a: NodeId, b: NodeId): void {
    this.#tell(a, b);
    this.#tell(b, a);
  }

  /** @param heard something of the new session has come from there; otherwise it must be there to greet */
  #learn(a: NodeId, b: NodeId, heard: boolean): void {
    this.#nodes.get(a)?.run(() => {
      const line = this.#line(a, b);
      const session = this.#session(a, b);
      const there = this.#nodes.get(b);
      if (!there || (line.session === session && line.greeted)) return;
      if (!heard && (!there.alive || there.paused)) return;
      const lost = line.session !== session;
      const restarted = line.peerBoot !== there.boot;
      Object.assign(line, { session, greeted: true, peerBoot: there.boot, state: 'up' });
      if (lost) {
        line.bulk = 0;
        this.#nodes.get(a)?.peerEvent(b, 'reset');
      }
      if (restarted) this.#nodes.get(a)?.peerEvent(b, 'restarted');
      this.#nodes.get(a)?.peerEvent(b, 'reachable');
      this.#nodes.get(a)?.room(b);
      // That may have been the last that was on the way from a node that is gone.
      if (line.silence % 2 === 1) this.#watch(a, b, line);
    });
  }

  #newSession(a: NodeId, b: NodeId): void {
    this.#sessions.set(pair(a, b), this.#session(a, b) + 1);
  }

  #session(a: NodeId, b: NodeId): number {
    return this.#sessions.get(pair(a, b)) ?? 0;
  }

  #line(from: NodeId, to: NodeId): Line {
    const key = `${from}>${to}`;
    let line = this.#lines.get(key);
    if (!line) {
      line = {
        lastAt: 0,
        bulk: 0,
        wantsRoom: false,
        held: [],
        session: this.#session(from, to),
        greeted: true,
        peerBoot: 0,
        state: 'up',
        silence: 0,
      };
      this.#lines.set(key, line);
    }
    return line;
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
