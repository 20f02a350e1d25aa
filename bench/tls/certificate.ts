/** What the two processes of the baseline prove themselves with: a cluster's own kind of keys and certificates. */
import { Authority, createNodeKey } from '../../src/cluster/authority.ts';
import { nodeId } from '../../src/base/ids.ts';

/** PEM, all three. One certificate serves both sides. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export function makeIdentity(): TlsIdentity {
  const authority = Authority.create('bench');
  const { key, publicKey } = createNodeKey();
  return { key, cert: authority.certify(nodeId(1), publicKey), ca: authority.record.certificate };
}
