/**
 * Functions that need a poll at their entry although they have no loop and are on no cycle of calls: a tree of calls
 * alone can run for ever. 40 functions that each call the next one twice make 2^40 calls.
 *
 * What counts is how many instructions a call can carry out at most without meeting a poll. Code in a loop counts
 * nothing, since the loop's head comes before it; nor does a call of a function that is polled at its entry. That is a
 * little too kind: after its poll such a function runs on. So the way from one poll to the next is bounded by this
 * limit times the calls in the functions on the stack, not by the limit alone.
 */
import type { Edges } from './edges.ts';

/**
 * Instructions that a call may carry out without a poll: some 30 µs of optimised code, three times that in the baseline
 * tier. No function of the benchmarks' kernels comes near it; ten in a row are still far below a millisecond.
 */
export const MOST_UNPOLLED = 1 << 16;

/**
 * How many instructions a bulk instruction counts for.
 * @param bytes that it may do without a poll; on pages touched for the first time 256 take some 130 ns
 */
export function bulkCost(bytes: number): number {
  return bytes >>> 8;
}

/**
 * Works from the callees up to the callers.
 * @param calls from node to node, outside of loops. Nodes are functions, and behind them the sets of functions that an
 *   indirect call can reach.
 * @param nodes their number
 * @param own by function: its instructions outside of loops
 * @param polled by function: 1 if it is on a cycle of `calls`; functions that are found too expensive get a 1 here
 */
export function pollExpensive(calls: Edges, nodes: number, own: Uint32Array, polled: Uint8Array): void {
  const functions = own.length;
  const { first, sources } = calls.incoming(nodes);
  const cost = new Float64Array(nodes);
  cost.set(own);
  /** By node: how many of its calls have not been counted yet. */
  const open = new Uint32Array(nodes);
  for (let i = 0; i < calls.count; i++) open[calls.from[i]!]!++;
  // Without the functions on cycles the rest has none, since every cycle has functions on it.
  const todo: number[] = [];
  for (let node = 0; node < nodes; node++) if (polled[node] === 1 || open[node] === 0) todo.push(node);
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node < functions && cost[node]! > MOST_UNPOLLED) polled[node] = 1;
    const added = polled[node] === 1 ? 0 : cost[node]!;
    for (let i = first[node]!; i < first[node + 1]!; i++) {
      const caller = sources[i]!;
      if (polled[caller] === 1) continue;
      // Of a set one function is called.
      cost[caller] = caller < functions ? cost[caller]! + added : Math.max(cost[caller]!, added);
      if (--open[caller]! === 0) todo.push(caller);
    }
  }
}
