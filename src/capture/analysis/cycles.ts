/** Strongly connected components by Tarjan's algorithm, without recursion: call graphs are deep. */

/**
 * @param nodes number of nodes; edges go from `from[i]` to `to[i]`, i below `count`
 * @returns by node: 1 if it lies on a cycle (one edge to itself is a cycle)
 */
export function cyclicNodes(nodes: number, from: Uint32Array, to: Uint32Array, count: number): Uint8Array {
  const first = new Uint32Array(nodes + 1);
  for (let i = 0; i < count; i++) first[from[i]! + 1]!++;
  for (let i = 0; i < nodes; i++) first[i + 1]! += first[i]!;
  const targets = new Uint32Array(count);
  const fill = first.slice();
  const cyclic = new Uint8Array(nodes);
  for (let i = 0; i < count; i++) {
    targets[fill[from[i]!]!++] = to[i]!;
    if (from[i] === to[i]) cyclic[from[i]!] = 1;
  }

  /** 0 is "not visited"; otherwise the order of visiting, from 1. */
  const order = new Uint32Array(nodes);
  const low = new Uint32Array(nodes);
  const onStack = new Uint8Array(nodes);
  const component = new Uint32Array(nodes);
  const path = new Uint32Array(nodes);
  const nextEdge = first.slice(0, nodes);
  let componentSize = 0;
  let visited = 0;
  for (let root = 0; root < nodes; root++) {
    if (order[root] !== 0) continue;
    let depth = 0;
    path[0] = root;
    for (;;) {
      const node = path[depth]!;
      if (order[node] === 0) {
        order[node] = low[node] = ++visited;
        component[componentSize++] = node;
        onStack[node] = 1;
      }
      const edge = nextEdge[node]!;
      if (edge < first[node + 1]!) {
        nextEdge[node] = edge + 1;
        const target = targets[edge]!;
        if (order[target] === 0) path[++depth] = target;
        else if (onStack[target] === 1) low[node] = Math.min(low[node]!, order[target]!);
        continue;
      }
      if (low[node] === order[node]) {
        const single = component[componentSize - 1] === node;
        let member: number;
        do {
          member = component[--componentSize]!;
          onStack[member] = 0;
          if (!single) cyclic[member] = 1;
        } while (member !== node);
      }
      if (depth === 0) break;
      const parent = path[--depth]!;
      low[parent] = Math.min(low[parent]!, low[node]!);
    }
  }
  return cyclic;
}
