/** The two ways in which a node gets its identity: it founds a cluster, or it joins one. Both end with a saved state. */
import type { Clock, Random } from '../base/env.ts';
import { nodeId } from '../base/ids.ts';
import { parseAddress } from '../link/address.ts';
import type { Build } from '../link/greeting.ts';
import type { Credentials } from '../link/tls.ts';
import { dialToJoin } from '../link/tls.ts';
import { Authority, certificateText, createNodeKey, fingerprintOf, sha256 } from './authority.ts';
import type { Certifier } from './founder.ts';
import { join } from './join.ts';
import { checkNodeName, withFounderAt } from './members.ts';
import type { MembershipStore, NodeIdentity } from './store.ts';

/** The id of the node that founds a cluster. */
const FIRST = nodeId(1);

/**
 * Founds a cluster of one node.
 * @param random for the id of the cluster
 * @param address HOST:PORT that this node will listen on; may be changed at every start
 * @throws GodwitError('usage') for a name that cannot be, ('io') if the state cannot be saved
 */
export function foundCluster(store: MembershipStore, random: Random, name: string, address: string): NodeIdentity {
  checkNodeName(name);
  const id = new Uint8Array(8);
  random.fill(id);
  const cluster = id.toHex();
  const authority = Authority.create(cluster);
  const { key, publicKey } = createNodeKey();
  const certificate = authority.certify(FIRST, publicKey);
  const identity: NodeIdentity = {
    cluster,
    node: FIRST,
    founder: FIRST,
    key,
    certificate,
    authority: authority.record.certificate,
    authorityKey: authority.record.key,
  };
  const self = {
    node: FIRST,
    name,
    address,
    fingerprint: fingerprintOf(certificate),
    boot: 0n,
    state: 'down',
  } as const;
  store.save({ identity, memberList: { version: 1n, founder: FIRST, members: [self] }, tokens: [] });
  return identity;
}

export interface JoinOptions {
  readonly clock: Clock;
  readonly self: Build;
  /** HOST:PORT of the founding node. */
  readonly join: string;
  readonly token: string;
  readonly name: string;
  /** HOST:PORT that this node listens on; a wildcard host is replaced by the one that the founding node sees. */
  readonly address: string;
}

/**
 * Joins a cluster. The node should listen soon afterwards, since the others dial it as soon as it is a member.
 * @throws GodwitError: what {@link join} throws, ('usage') for an address or a name that cannot be, ('io')
 */
export async function joinCluster(store: MembershipStore, options: JoinOptions): Promise<NodeIdentity> {
  const { clock, self, token, name } = options;
  const { key, publicKey } = createNodeKey();
  const joined = await join({
    clock,
    self,
    address: parseAddress(options.join),
    token,
    name: checkNodeName(name),
    ownAddress: options.address,
    publicKey,
    dial: dialToJoin,
    sha256,
  });
  const identity: NodeIdentity = {
    cluster: joined.cluster,
    node: joined.node,
    founder: joined.list.founder,
    key,
    certificate: certificateText(joined.certificate),
    authority: certificateText(joined.authority),
    authorityKey: null,
  };
  store.save({ identity, memberList: withFounderAt(joined.list, parseAddress(options.join).host) });
  return identity;
}

/** What the links need of an identity. */
export function credentialsOf({ cluster, node, key, certificate, authority }: NodeIdentity): Credentials {
  return { cluster, node, key, certificate, authority };
}

/** What the founder's engine needs of an identity; null: this node is not the founder. @throws GodwitError('corrupt') */
export function certifierOf({ cluster, authority, authorityKey }: NodeIdentity): Certifier | null {
  if (authorityKey === null) return null;
  const keeper = new Authority({ cluster, key: authorityKey, certificate: authority });
  return {
    certificate: authority,
    certify: (node, publicKey) => keeper.certify(node, publicKey),
    sha256,
    fingerprint: fingerprintOf,
  };
}
