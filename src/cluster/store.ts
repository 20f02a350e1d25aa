/** What a node keeps of its cluster across restarts, and the interface to where it keeps it. */
import { nodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { Carried } from '../base/schema.ts';
import { branded, bytes, list, optional, str, struct, u16, u64 } from '../base/schema.ts';
import { member } from '../link/frames/cluster.ts';

const node = branded(u16, 'node id', nodeId);
const hash = bytes(32);

/** Who this node is. Keys and certificates are PEM. */
export const identity = struct({
  cluster: str,
  node,
  founder: node,
  key: str,
  certificate: str,
  authority: str,
  /** The authority's key: the founding node's only. */
  authorityKey: optional(str),
});
export type NodeIdentity = Carried<typeof identity>;

export const token = struct({
  id: bytes(8),
  secretHash: hash,
  /** Wall-clock nanoseconds. */
  expires: u64,
  /** Who has used it: the node, and the hash of its public key. */
  used: optional(struct({ node, keyHash: hash })),
});
export type TokenRecord = Carried<typeof token>;

/** The list of members as this node knows it. */
export const memberList = struct({ version: u64, founder: node, members: list(member, LIMITS.members) });

export const tokens = list(token, LIMITS.joinTokens);

/** The parts of the state, each with the codec that it is stored with. */
export const STATE = { identity, memberList, tokens } as const;

/** A part is missing until it has been saved for the first time. */
export type ClusterState = { readonly [Part in keyof typeof STATE]?: Carried<(typeof STATE)[Part]> };

/** Durable storage of one node's {@link ClusterState}; sqlite.ts is the real one. */
export interface MembershipStore {
  /** @throws GodwitError('corrupt') */
  load(): ClusterState;
  /**
   * Replaces the given parts, all or none. They are durable when this returns.
   * @throws GodwitError('io') if the storage is full or fails; nothing has changed then
   */
  save(change: ClusterState): void;
  close(): void;
}

/** A store that forgets, for tests and for a node that lives in one command. */
export class MemoryStore implements MembershipStore {
  #state: ClusterState = {};

  load(): ClusterState {
    return this.#state;
  }

  save(change: ClusterState): void {
    this.#state = { ...this.#state, ...change };
  }

  close(): void {
    // Nothing is held.
  }
}
