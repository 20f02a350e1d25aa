/** Edges between numbered nodes, for call graphs: they have millions of edges. */

/** The edges again, by the node at which they end. */
export interface Incoming {
  /** By node: where its part of `sources` begins; one entry more at the end. */
  readonly first: Uint32Array;
  /** The nodes at which the edges begin. */
  readonly sources: Uint32Array;
}

/** A growing list of (from, to) pairs. */
export class Edges {
  from = new Uint32Array(1024);
  to = new Uint32Array(1024);
  count = 0;

  add(from: number, to: number): void {
    if (this.count === this.from.length) {
      this.from = doubled(this.from);
      this.to = doubled(this.to);
    }
    this.from[this.count] = from;
    this.to[this.count++] = to;
  }

  /** @param nodes number of nodes */
  incoming(nodes: number): Incoming {
    const { from, to, count } = this;
    const first = new Uint32Array(nodes + 1);
    for (let i = 0; i < count; i++) first[to[i]! + 1]!++;
    for (let i = 0; i < nodes; i++) first[i + 1]! += first[i]!;
    const sources = new Uint32Array(count);
    const next = first.slice();
    for (let i = 0; i < count; i++) sources[next[to[i]!]!++] = from[i]!;
    return { first, sources };
  }
}

function doubled(old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(old.length * 2);
  grown.set(old);
  return grown;
}
