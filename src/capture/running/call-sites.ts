/**
 * Where a function calls another one. V8 loses the place of a call that it has inlined inside of a `try_table` (seen in
 * 14.6, in modules that nobody has rewritten too): it gives the beginning of the caller instead, or (of functions
 * that are optimised before they have run) an instruction before the call. If only one instruction can have been the call,
 * it was that.
 */
import { typeOf } from '../../wasm/module.ts';
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { sameTypes } from '../../wasm/types.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import { bulkKey, bulkUseAt } from '../analysis/bulk-uses.ts';
import type { Numbering } from '../layout/numbering.ts';
import { waitKey, waitUseAt } from '../analysis/wait-uses.ts';

const CALLS: ReadonlySet<number> = new Set([OP.call, OP.callIndirect, OP.callRef]);

/**
 * @param caller index of a defined function of the original
 * @param callee index of what it called in the rewritten module: a function, the wrapper of an import, or a helper
 * @param place the offset in the original that V8 gives, null if it gives none
 * @returns the offset of the instruction in the original: `place` if a call is there, or if none or several others may have
 *   called it
 */
export function callSite(
  module: Module,
  numbering: Numbering,
  caller: number,
  callee: number,
  place: number | null,
): number | null {
  const calls = matching(module, numbering, callee);
  const walker = new FunctionWalker(module);
  walker.enter(caller);
  const found: number[] = [];
  for (let more = true; more;) {
    more = walker.step();
    // Behind a tail call it is not the callee that is above: a call is not asked whose.
    if (walker.start === place && isCall(module, numbering, walker)) return place;
    if (calls(walker)) found.push(walker.start);
  }
  return found.length === 1 ? found[0]! : place;
}

/** Whether the instruction that a walker has just passed has the frame of another function above its own meanwhile. */
function isCall(module: Module, { bulkPiece }: Numbering, walker: FunctionWalker): boolean {
  return CALLS.has(walker.opcode) || waitUseAt(walker) !== null || bulkUseAt(module, walker, bulkPiece) !== null;
}

/** For a helper, which stands for all instructions of one use. */
function sameUse<T>(
  wanted: T,
  useAt: (walker: FunctionWalker) => T | null,
  keyOf: (use: T) => string,
): (walker: FunctionWalker) => boolean {
  const key = keyOf(wanted);
  return (walker) => {
    const use = useAt(walker);
    return use !== null && keyOf(use) === key;
  };
}

/** Whether the instruction that a walker has just passed can have called it. */
function matching(module: Module, numbering: Numbering, callee: number): (walker: FunctionWalker) => boolean {
  const wait = numbering.waitUse(callee);
  if (wait !== undefined) return sameUse(wait, waitUseAt, waitKey);
  const bulk = numbering.bulkUse(callee);
  if (bulk !== undefined) {
    return sameUse(bulk, (walker) => bulkUseAt(module, walker, numbering.bulkPiece), bulkKey);
  }
  const index = callee < numbering.functions ? callee : callee - numbering.firstWrapper;
  if (index < 0 || index >= module.functionTypes.length) return () => false;
  const { params, results } = typeOf(module, index);
  return ({ opcode, immediate }) => {
    if (opcode === OP.call) return immediate === index;
    if (opcode !== OP.callIndirect && opcode !== OP.callRef) return false;
    const type = module.types[immediate];
    return type !== undefined && sameTypes(type.params, params) && sameTypes(type.results, results);
  };
}
