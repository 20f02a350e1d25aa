/** What a cluster knows of its nodes, as plain data. */
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import type { Carried } from '../base/schema.ts';
import { withHost } from '../link/address.ts';
import type { member } from '../link/frames/cluster.ts';

/**
 * One node. `state` is what the founding node sees of it; `left` is for ever. `boot` is that of its last start.
 * Ids are never given twice, so the entries of nodes that have left stay.
 */
export type Member = Carried<typeof member>;
export type MemberState = Member['state'];

export interface MemberList {
  /** +1 at every change. */
  readonly version: bigint;
  /** The node that keeps the list. */
  readonly founder: NodeId;
  readonly members: readonly Member[];
}

/**
 * A founder that listens on all its addresses does not know under which of them a member reaches it: the member keeps
 * the one that it has used.
 * @param host under which the founder has been reached
 * @throws GodwitError('usage') if the founder's address is none
 */
export function withFounderAt(list: MemberList, host: string): MemberList {
  const members = list.members.map((m) => (m.node === list.founder ? { ...m, address: withHost(m.address, host) } : m));
  return { ...list, members };
}

/** @throws GodwitError('usage') unless the text can be the name of a node: letters, digits, `.`, `_` and `-` */
export function checkNodeName(name: string): string {
  // A name of digits only would be taken for an id, and `home` is a word of `godwit migrate`.
  if (name.length > LIMITS.nodeNameLength || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || /^\d+$|^home$/.test(name)) {
    const form = 'letters, digits, ".", "_" and "-", not digits alone, and not "home"';
    const reason = `${JSON.stringify(name)} cannot be the name of a node: choose another with --name (${form})`;
    throw new GodwitError('usage', reason);
  }
  return name;
}

/**
 * The member that a user means.
 * @param text a name or an id
 * @throws GodwitError('unknown_node') if there is none
 */
export function findMember(list: MemberList, text: string): Member {
  const present = list.members.filter((m) => m.state !== 'left');
  const found = present.find((m) => m.name === text || String(m.node) === text);
  if (found) return found;
  const names = present.map((m) => m.name).join(', ');
  throw new GodwitError('unknown_node', `there is no node ${JSON.stringify(text)}; the nodes are ${names}`);
}
