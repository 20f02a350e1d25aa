/** What a link needs from its node, and what it tells the layers above. */
import type { Clock, Log, Random } from '../base/env.ts';
import type { NodeId } from '../base/ids.ts';
import type { PeerFrame } from './frames.ts';
import type { Agreement, Identity, Refusal } from './greeting.ts';
import type { Dialer } from './transport.ts';

export interface LinkConfig {
  readonly self: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dialer: Dialer;
}

export interface LinkEvents {
  onFrame(peer: NodeId, frame: PeerFrame): void;
  /** A connection is open, the first one or a new one, and the session goes on (`agreement.boot`: the peer's). */
  onOpen(peer: NodeId, agreement: Agreement): void;
  /** The connection is gone; the link tries to get another one. */
  onBroken(peer: NodeId, reason: string): void;
  /** The session is lost with everything under way in it. Frames sent from now on belong to the next one. */
  onReset(peer: NodeId, reason: string): void;
  /** The peer has said that it stops. */
  onGoodbye(peer: NodeId, reason: string): void;
  /** The two nodes cannot work together, or the peer has broken the protocol. */
  onRefused(peer: NodeId, refusal: Refusal): void;
}
