/**
 * A node's view of its cluster: who is a member (from the engine, by way of the founding node) and who of them
 * answers (from its own links).
 *
 *     unknown ── link opens ──▶ up ── silent for TIMING.silentMs ──▶ unreachable ── TIMING.downMs ──▶ down
 *                               ▲ ▲                                      │                            │
 *                               │ └──────── link opens ──────────────────┘                            │
 *                               └────────── link opens ───────────────────────────────────────────────┘
 *
 * A node that has not been seen since this one has started is what the founder says of it, if the founder has said
 * anything since then; what is stored may be long past. After TIMING.silentMs without a link it is `unreachable` too.
 *
 * A goodbye leads from anywhere to `down` at once: `godwit down` stops a daemon, and its node is still a member. Only
 * the engine takes a node out (`left`). A node that comes back with the boot id that it had is as it was; with
 * another one everything that it ran is gone, which `restarted` reports before `up`.
 *
 * Every node keeps a durable copy of the list, so that it works, and finds the others, while the founder is away.
 */
import type { Clock, Log, Timer } from '../base/env.ts';
import { GodwitError, messageOf } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { TIMING } from '../base/timing.ts';
import { parseAddress, withHost } from '../link/address.ts';
import type { FrameOf, PeerFrame } from '../link/frames.ts';
import type { PeerEvent } from '../link/links.ts';
import type { MembershipEngine } from './engine.ts';
import { type Member, type MemberList, type MemberState, withFounderAt } from './members.ts';
import type { MembershipStore } from './store.ts';

export type MemberEvent =
  /** A node is a member from now on; it need not be up. */
  | { readonly event: 'joined'; readonly node: NodeId }
  | { readonly event: 'up'; readonly node: NodeId }
  /** It does not answer; whatever is sent to it waits. */
  | { readonly event: 'unreachable'; readonly node: NodeId }
  /** It is given up, or has said that it stops. It may come back all the same. */
  | { readonly event: 'down'; readonly node: NodeId; readonly reason: string }
  /** Everything that it ran is gone: it has been started anew. */
  | { readonly event: 'restarted'; readonly node: NodeId }
  /** What was under way between it and this node is lost. */
  | { readonly event: 'reset'; readonly node: NodeId; readonly reason: string }
  /** It is no member any more; said of this node itself too. */
  | { readonly event: 'left'; readonly node: NodeId };

/** What the membership needs of the links of the node (links.ts). */
export interface MembershipLinks {
  add(node: NodeId, address: string): void;
  remove(node: NodeId, reason: string): void;
  send(node: NodeId, frame: PeerFrame): void;
}

export interface MembershipConfig {
  readonly self: NodeId;
  /** HOST:PORT that the others reach this node at; empty if it does not listen. */
  readonly address: string;
  /** Drawn at random at every start of the node. */
  readonly boot: bigint;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MembershipStore;
  readonly links: MembershipLinks;
  /** The engine, if it is on this node. */
  readonly engine: MembershipEngine | null;
  onEvent(event: MemberEvent): void;
}

interface Observed {
  state: 'unknown' | 'up' | 'unreachable' | 'down';
  /** Of the last time that it was up; null: not since this node has started. */
  boot: bigint | null;
  /** Why no link was possible the last time that one was tried; null: it was, or the node did not answer at all. */
  refusal: string | null;
  timer: Timer | null;
}

export class Membership {
  readonly #config: MembershipConfig;
  readonly #observed = new Map<NodeId, Observed>();
  /** Whether the list is what the founder says now, and not what it said before this node was started. */
  #current: boolean;
  #list: MemberList;

  /** @throws GodwitError('corrupt') if the store has no list of members */
  constructor(config: MembershipConfig) {
    this.#config = config;
    const list = config.engine?.list ?? config.store.load().memberList;
    if (!list) throw new GodwitError('corrupt', 'the stored state has no list of members');
    this.#list = list;
    this.#current = config.engine !== null;
  }

  /** Starts to keep links to all members. */
  start(): void {
    const { engine, self, address, boot } = this.#config;
    for (const member of this.#list.members) if (member.state !== 'left') this.#watch(member);
    engine?.onChange((list) => {
      this.#adopt(list);
      this.#broadcast();
    });
    // What was seen by an earlier daemon of this node means nothing now.
    for (const member of engine?.list.members ?? []) {
      if (member.node !== self && member.state === 'up') engine?.report(member.node, { state: 'unreachable' });
    }
    engine?.report(self, { state: 'up', boot, address });
  }

  /** Stops all timers; the links are closed by their owner. */
  stop(): void {
    for (const { timer } of this.#observed.values()) timer?.cancel();
  }

  /** The list with the states as this node sees them, by id. */
  get list(): MemberList {
    return { ...this.#list, members: this.#list.members.map((m) => ({ ...m, state: this.#seenAs(m) })) };
  }

  /**
   * Whether it makes sense to send a member anything; null: it is none. One whose link is being made for the first time
   * counts as what it was: what is sent to it waits for that moment.
   */
  stateOf(node: NodeId): MemberState | null {
    const member = this.#list.members.find((m) => m.node === node);
    return member ? this.#stateOf(member) : null;
  }

  /** Why this node and that one cannot work together, in words for people; null: nothing is known that forbids it. */
  refusalOf(node: NodeId): string | null {
    return this.#observed.get(node)?.refusal ?? null;
  }

  /** Whether a node with a valid certificate may connect: a reason if not. For {@link Links}. */
  admit(node: NodeId): string | null {
    const member = this.#list.members.find((m) => m.node === node);
    if (!member) return 'it is not in the list of members (yet)';
    return member.state === 'left' ? 'it has left the cluster' : null;
  }

  /** For {@link Links}. */
  onPeer(node: NodeId, event: PeerEvent): void {
    const observed = this.#observed.get(node);
    if (!observed) return;
    switch (event.event) {
      case 'up':
        this.#onUp(node, observed, event.agreement.boot);
        return;
      case 'unreachable':
        if (observed.state === 'up') this.#onUnreachable(node, observed);
        return;
      case 'reset':
        this.#emit({ event: 'reset', node, reason: event.reason });
        return;
      case 'closed':
        this.#onDown(node, observed, event.reason);
        return;
      case 'refused':
        observed.refusal = event.refusal.reason;
        // The link has logged it. One that was up before may have to be waited for; another one cannot be used.
        if (observed.state === 'unknown') this.#onDown(node, observed, event.refusal.reason);
        return;
    }
  }

  /**
   * For frames that {@link Links} delivers.
   * @returns whether it was one of the membership's
   * @throws GodwitError('protocol') if the sender may not say that
   */
  onFrame(from: NodeId, frame: PeerFrame): boolean {
    if (frame.frame === 'members') {
      this.#onMembers(from, frame);
      return true;
    }
    if (frame.frame === 'announce') {
      this.#onAnnounce(from, frame.address);
      return true;
    }
    return false;
  }

  #onMembers(from: NodeId, { version, founder, members }: FrameOf<'members'>): void {
    if (from !== this.#list.founder || founder !== from) {
      throw new GodwitError('protocol', `node ${from} does not keep the list of members`);
    }
    this.#current = true;
    if (version <= this.#list.version) return;
    // Copied out of the frame, since the list is kept.
    const said = { version, founder, members: members.map((m) => ({ ...m, fingerprint: m.fingerprint.slice() })) };
    const known = this.#list.members.find((m) => m.node === founder);
    const list = known ? withFounderAt(said, parseAddress(known.address).host) : said;
    try {
      this.#config.store.save({ memberList: list });
    } catch (error) {
      this.#config.log.error('cannot save the list of members', { reason: messageOf(error) });
    }
    this.#adopt(list);
  }

  #onAnnounce(from: NodeId, text: string): void {
    const { engine } = this.#config;
    if (!engine) throw new GodwitError('protocol', 'this node does not keep the list of members');
    const known = this.#list.members.find((m) => m.node === from);
    // It was removed while this was under way.
    if (!known) return;
    try {
      engine.report(from, { address: withHost(text, parseAddress(known.address).host) });
    } catch (error) {
      throw new GodwitError('protocol', `announce: ${messageOf(error)}`, { cause: error });
    }
  }

  #adopt(list: MemberList): void {
    const before = new Map(this.#list.members.map((m) => [m.node, m]));
    this.#list = list;
    for (const member of list.members) {
      const known = before.get(member.node);
      if (member.state === 'left') {
        if (known && known.state !== 'left') this.#forget(member.node);
      } else if (!known) {
        this.#watch(member);
        this.#emit({ event: 'joined', node: member.node });
      } else if (known.address !== member.address && member.node !== this.#config.self) {
        this.#config.links.add(member.node, member.address);
      }
    }
  }

  #watch({ node, address }: Member): void {
    if (node === this.#config.self) return;
    const observed: Observed = { state: 'unknown', boot: null, refusal: null, timer: null };
    this.#observed.set(node, observed);
    observed.timer = this.#config.clock.after(TIMING.silentMs, () => this.#onUnseen(node, observed));
    this.#config.links.add(node, address);
  }

  /** No link has come about so far. One that was down before is not made to look as if it had just been there. */
  #onUnseen(node: NodeId, observed: Observed): void {
    const known = this.#list.members.find((m) => m.node === node)?.state;
    if (known === 'down') this.#downLater(node, observed, 'it does not answer');
    else this.#onUnreachable(node, observed);
  }

  #forget(node: NodeId): void {
    const observed = this.#observed.get(node);
    observed?.timer?.cancel();
    // It should know why no one speaks to it any more.
    if (this.#config.engine && observed?.state === 'up') this.#sendList(node);
    this.#observed.delete(node);
    if (node !== this.#config.self) this.#config.links.remove(node, 'you have left the cluster');
    this.#emit({ event: 'left', node });
  }

  #onUp(node: NodeId, observed: Observed, boot: bigint): void {
    const { engine, address } = this.#config;
    observed.timer?.cancel();
    observed.timer = null;
    observed.state = 'up';
    observed.refusal = null;
    const restarted = observed.boot !== null && observed.boot !== boot;
    observed.boot = boot;
    if (engine) {
      const { version } = this.#list;
      engine.report(node, { state: 'up', boot });
      // A change has gone to everyone who is up, this node included.
      if (this.#list.version === version) this.#sendList(node);
    } else if (node === this.#list.founder) {
      this.#config.links.send(node, { frame: 'announce', address });
    }
    if (restarted) this.#emit({ event: 'restarted', node });
    this.#emit({ event: 'up', node });
  }

  #onUnreachable(node: NodeId, observed: Observed): void {
    observed.state = 'unreachable';
    this.#downLater(node, observed, `it has been unreachable for ${TIMING.downMs} ms`);
    this.#config.engine?.report(node, { state: 'unreachable' });
    this.#emit({ event: 'unreachable', node });
  }

  #downLater(node: NodeId, observed: Observed, reason: string): void {
    observed.timer?.cancel();
    observed.timer = this.#config.clock.after(TIMING.downMs, () => this.#onDown(node, observed, reason));
  }

  #onDown(node: NodeId, observed: Observed, reason: string): void {
    observed.timer?.cancel();
    observed.timer = null;
    if (observed.state === 'down') return;
    observed.state = 'down';
    this.#config.engine?.report(node, { state: 'down' });
    this.#emit({ event: 'down', node, reason });
  }

  /** What this node sees itself counts; the founder's word only where it has seen nothing yet. */
  #stateOf(member: Member): MemberState {
    if (member.state === 'left') return 'left';
    if (member.node === this.#config.self) return 'up';
    const seen = this.#observed.get(member.node)?.state ?? 'unknown';
    return seen === 'unknown' ? member.state : seen;
  }

  /** For people, and whoever looks for a node that answers now. */
  #seenAs(member: Member): MemberState {
    const state = this.#stateOf(member);
    const seen = member.node === this.#config.self || this.#observed.get(member.node)?.state !== 'unknown';
    return seen || this.#current || state !== 'up' ? state : 'unreachable';
  }

  #broadcast(): void {
    for (const [node, { state }] of this.#observed) if (state === 'up') this.#sendList(node);
  }

  #sendList(node: NodeId): void {
    this.#config.links.send(node, { frame: 'members', ...this.#list });
  }

  #emit(event: MemberEvent): void {
    this.#config.onEvent(event);
  }
}
