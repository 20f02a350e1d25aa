/**
 * All links of a node: one to every other member. Turns what happens to connections into what the layers above want
 * to know of a peer: it is up, it does not answer, what was under way is lost, it has said goodbye.
 */
import type { Timer } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { TIMING } from '../base/timing.ts';
import type { PeerFrame } from './frames.ts';
import type { Agreement, Refusal } from './greeting.ts';
import type { LinkConfig, LinkEvents } from './ports.ts';
import { Link } from './link.ts';
import { References } from './references.ts';
import type { Transport } from './transport.ts';

export type PeerEvent =
  /** The peer answers: for the first time, after silence, after a reset or after a goodbye. */
  | { readonly event: 'up'; readonly agreement: Agreement }
  /** Nothing was heard for TIMING.silentMs. The session is kept, and goes on if the peer comes back. */
  | { readonly event: 'unreachable'; readonly reason: string }
  /** Everything under way is lost, in both directions. `up` follows when there is a new session. */
  | { readonly event: 'reset'; readonly reason: string }
  /** The peer has said that it stops. */
  | { readonly event: 'closed'; readonly reason: string }
  /** No link is possible until someone changes something. */
  | { readonly event: 'refused'; readonly refusal: Refusal };

export interface LinksEvents {
  onFrame(peer: NodeId, frame: PeerFrame): void;
  onPeer(peer: NodeId, event: PeerEvent): void;
}

export interface LinksConfig extends LinkConfig {
  /** Whether a node that has connected with a valid certificate is (still) a member; a reason if not. */
  admit(peer: NodeId): string | null;
}

interface Peer {
  readonly link: Link;
  state: 'new' | 'up' | 'unreachable' | 'closed';
  /** `up` has to be said again, because the session is a new one. */
  wasReset: boolean;
  silence: Timer | null;
}

export class Links {
  readonly #config: LinksConfig;
  readonly #events: LinksEvents;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #linkEvents: LinkEvents;
  readonly #references = new References();
  #closed = false;

  constructor(config: LinksConfig, events: LinksEvents) {
    this.#config = config;
    this.#events = events;
    this.#linkEvents = {
      onFrame: (node, frame) => events.onFrame(node, frame),
      onOpen: (node, agreement) => this.#onOpen(node, agreement),
      onBroken: (node, reason) => this.#onBroken(node, reason),
      onReset: (node, reason) => this.#onReset(node, reason),
      onGoodbye: (node, reason) => this.#onGoodbye(node, reason),
      onRefused: (node, refusal) => this.#onRefused(node, refusal),
    };
  }

  /** Keeps a link to this node from now on. @param address where to dial; empty: the peer dials */
  add(node: NodeId, address: string): void {
    const known = this.#peers.get(node);
    if (!known) {
      this.#open(node, address).dial();
    } else if (known.link.address !== address) {
      known.link.address = address;
      known.link.dial();
    }
  }

  /** Ends the link to a node that is no member any more. @param reason told to the peer */
  remove(node: NodeId, reason: string): void {
    const peer = this.#peers.get(node);
    if (!peer) return;
    this.#peers.delete(node);
    peer.silence?.cancel();
    peer.link.close(reason);
  }

  /** Takes a connection that a peer has made; closes it if the peer is no member. */
  accept(transport: Transport): void {
    // Its handshake was under way when the goodbyes were said: a link of its own would show this node as up again.
    if (this.#closed) {
      transport.abort();
      return;
    }
    const refusal = this.#config.admit(transport.peer);
    if (refusal !== null) {
      this.#config.log.warn('connection refused', { peer: transport.peer, reason: refusal });
      transport.abort();
      return;
    }
    const known = this.#peers.get(transport.peer);
    (known?.link ?? this.#open(transport.peer, '')).accept(transport);
  }

  /**
   * Sends a frame: now, or when the peer answers again. It arrives once and in order, unless `reset` is reported.
   * @throws GodwitError('unknown_node') if there is no link to that node, 'protocol' if a field is over its limit
   */
  send(node: NodeId, frame: PeerFrame): void {
    this.#link(node).send(frame);
  }

  /** Like {@link send} for bulk data, see {@link Link.sendBulk}; {@link whenAcknowledged} tells when it may be changed. */
  sendBulk(node: NodeId, frame: PeerFrame): void {
    this.#link(node).sendBulk(frame);
  }

  /** Whether bulk data may be sent to the node. */
  room(node: NodeId): boolean {
    return this.#link(node).room();
  }

  /** Calls `resume` once, later, when there is room or everything under way has been lost. */
  whenRoom(node: NodeId, resume: () => void): Timer {
    return this.#link(node).whenRoom(resume);
  }

  /** See {@link References.whenAcknowledged}: of frames to all nodes, those that have left too. */
  whenAcknowledged(memory: ReadonlySet<ArrayBufferLike>, then: () => void): void {
    this.#references.whenAcknowledged(memory, then);
  }

  /** The link to a node for what only a display or a test wants to know. */
  get(node: NodeId): Link | undefined {
    return this.#peers.get(node)?.link;
  }

  /** Whether the node answers. */
  isUp(node: NodeId): boolean {
    return this.#peers.get(node)?.state === 'up';
  }

  /** Says goodbye to all peers, for good. No event follows. */
  close(reason: string): void {
    this.#closed = true;
    for (const node of this.#peers.keys()) this.remove(node, reason);
  }

  #link(node: NodeId): Link {
    const peer = this.#peers.get(node);
    if (!peer) throw new GodwitError('unknown_node', `there is no link to node ${node}`);
    return peer.link;
  }

  #open(node: NodeId, address: string): Link {
    const link = new Link(node, address, this.#config, this.#linkEvents, this.#references);
    this.#peers.set(node, { link, state: 'new', wasReset: false, silence: null });
    return link;
  }

  #onOpen(node: NodeId, agreement: Agreement): void {
    const peer = this.#peers.get(node);
    if (!peer) return;
    peer.silence?.cancel();
    peer.silence = null;
    if (peer.state === 'up' && !peer.wasReset) return;
    peer.state = 'up';
    peer.wasReset = false;
    this.#config.log.info('peer is up', { peer: node, build: agreement.build });
    this.#events.onPeer(node, { event: 'up', agreement });
  }

  #onBroken(node: NodeId, reason: string): void {
    const peer = this.#peers.get(node);
    if (!peer || peer.state !== 'up' || peer.silence) return;
    this.#config.log.debug('connection broken', { peer: node, reason });
    const { clock } = this.#config;
    const silentFor = clock.now() - (peer.link.heardAt ?? 0);
    peer.silence = clock.after(Math.max(0, TIMING.silentMs - silentFor), () => {
      peer.silence = null;
      if (peer.state !== 'up') return;
      peer.state = 'unreachable';
      this.#config.log.warn('peer is unreachable', { peer: node, reason });
      this.#events.onPeer(node, { event: 'unreachable', reason });
    });
  }

  #onReset(node: NodeId, reason: string): void {
    const peer = this.#peers.get(node);
    if (peer) peer.wasReset = true;
    this.#config.log.warn('what was under way is lost', { peer: node, reason });
    this.#events.onPeer(node, { event: 'reset', reason });
  }

  #onGoodbye(node: NodeId, reason: string): void {
    const peer = this.#peers.get(node);
    if (!peer) return;
    peer.state = 'closed';
    peer.silence?.cancel();
    peer.silence = null;
    this.#config.log.info('peer has said goodbye', { peer: node, reason });
    this.#events.onPeer(node, { event: 'closed', reason });
  }

  #onRefused(node: NodeId, refusal: Refusal): void {
    this.#config.log.warn('no link is possible', { peer: node, code: refusal.code, reason: refusal.reason });
    this.#events.onPeer(node, { event: 'refused', refusal });
  }
}
