/**
 * Who decides about membership. For now the founding node (founder.ts) does, and while it is away no node can join;
 * an external engine, such as etcd or NATS, takes that over by implementing {@link MembershipEngine}. It is
 * asynchronous for its sake. How a node follows the decisions is in membership.ts and does not depend on the engine.
 */
import type { NodeId } from '../base/ids.ts';
import type { Member, MemberList } from './members.ts';
import type { NewToken } from './tokens.ts';

/** What a new node says of itself. */
export interface Application {
  readonly token: Uint8Array;
  readonly secret: Uint8Array;
  readonly name: string;
  readonly address: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

export interface Admission {
  readonly node: NodeId;
  /** PEM. */
  readonly certificate: string;
  /** Of the cluster authority, PEM. */
  readonly authority: string;
  readonly list: MemberList;
}

/** What is seen of a member: only the given fields have changed. */
export type Sighting = Partial<Pick<Member, 'state' | 'boot' | 'address'>>;

export interface MembershipEngine {
  /** The current list. */
  readonly list: MemberList;
  /** Calls `listener` after every change of the list. */
  onChange(listener: (list: MemberList) => void): void;
  /** A new join token. */
  createToken(): Promise<NewToken>;
  /**
   * Takes a new node in; it gets an id that was never given before.
   * @throws GodwitError('token_invalid'), ('usage') for a name that is taken or wrong, ('limit'), ('io'), ('protocol')
   */
  admit(application: Application): Promise<Admission>;
  /** Notes what has been seen of a member; nothing happens if that is known, or the member has left. */
  report(node: NodeId, seen: Sighting): void;
  /** Puts a node out of the cluster for ever. @throws GodwitError('unknown_node') */
  remove(node: NodeId): Promise<void>;
}
