/** Why another node cannot be asked anything, in words for whoever wanted that: who it is, why, and what helps. */
import type { NodeState } from '../../migration/hosts.ts';

export interface SilentNode {
  readonly name: string;
  /** HOST:PORT, as last known. */
  readonly address: string;
  readonly state: NodeState;
  /** Why the two nodes cannot work together, if it was that; null: not known to be so. */
  readonly refusal: string | null;
}

const BY_STATE: { readonly [S in NodeState]: (name: string, address: string) => string } = {
  unknown: (name) => `node ${name} is no member of the cluster; "godwit nodes" shows those that are`,
  down: (name, address) =>
    `node ${name} does not answer: it is down; "godwit up" on its machine (${address}) starts it again`,
  unreachable: (name, address) =>
    `node ${name} (${address}) does not answer at present; "godwit nodes" shows when it is back`,
  up: (name, address) => `node ${name} (${address}) has lost what it was asked; try again`,
};

/** A clause that can follow another one. */
export function explainSilence({ name, address, state, refusal }: SilentNode): string {
  return refusal === null ? BY_STATE[state](name, address) : `node ${name} cannot work with this one: ${refusal}`;
}
