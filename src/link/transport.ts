/** One connection between two nodes, as the link sees it: bytes in order until it breaks. link/tls.ts is the real one. */
import type { NodeId } from '../base/ids.ts';

export interface TransportEvents {
  /** The next bytes; the slice is valid until this returns. Never called from inside a call of the transport. */
  bytes(slice: Uint8Array): void;
  /** After `send` has returned false: there is room again. */
  drained(): void;
  /** The connection is over, once, unless this side has called `abort`. Nothing follows. */
  closed(reason: string): void;
}

export interface Channel {
  /** Called once, before anything else. */
  start(events: TransportEvents): void;
  /**
   * Sends the pieces in order; they are not copied and must not change until the peer has acknowledged them.
   * @returns false if much is waiting: better wait for `drained`. What is sent all the same is kept.
   */
  send(parts: readonly Uint8Array[]): boolean;
  /** Closes when everything sent is out. */
  end(): void;
  /** Closes at once, whatever is under way; no event follows. */
  abort(): void;
}

export interface Transport extends Channel {
  /** Who the peer is, proved by its certificate. */
  readonly peer: NodeId;
}

export interface Dialing {
  /** Gives up; `done` is not called any more. */
  cancel(): void;
}

export interface Dialer {
  /**
   * Connects to a node.
   * @param done called once, later: with the connection, whose peer is proved to be `peer`, or with the reason in words
   */
  dial(peer: NodeId, address: string, done: (result: Transport | { readonly failed: string }) => void): Dialing;
}
