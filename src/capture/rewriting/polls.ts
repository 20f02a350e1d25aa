/** The poll that stands at the heads of loops and at some entries. */
import { OP } from '../../wasm/opcodes.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import type { CodeTarget } from './target.ts';

/**
 * `if (attention) { poll(); unreachable }`, the arm hinted to be cold. The poll never returns here: with
 * a way back from the arm V8 gives up optimisations of the loop (sieve 1.25 against 1.06, sorting 1.18 against
 * 1.08). A host that only wants to look in is served by unwinding and resuming at once.
 *
 * @param setPc writes `pc = site` at the beginning of the arm
 * @returns the offset of the `if`, for the hint
 */
export function writePoll(
  out: WasmWriter,
  { controlMemory, poll }: Pick<CodeTarget, 'controlMemory' | 'poll'>,
  setPc: () => void,
): number {
  out.raw(OP.i32Const, 0, OP.i32Load);
  if (controlMemory === 0) out.u8(2);
  else {
    out.u8(2 | 0x40);
    out.u32(controlMemory);
  }
  out.u8(0);
  const branch = out.length;
  out.raw(OP.if, 0x40);
  setPc();
  out.u8(OP.call);
  out.u32(poll);
  out.raw(OP.unreachable, OP.end);
  return branch;
}
