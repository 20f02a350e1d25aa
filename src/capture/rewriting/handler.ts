/** What is around the code of every function that can be captured: it saves the frame when the stack is unwound. */
import { CATCH } from '../../wasm/exceptions.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, NO_TYPES } from '../../wasm/types.ts';
import type { TypeList } from '../../wasm/types.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import type { FramePlan, SaveSignature } from '../layout/frame.ts';
import type { TypeTable } from './target.ts';

/** block (result exnref) / try_table (catch_ref unwind 0): the body goes inside. */
export function openHandler(out: WasmWriter, types: TypeTable, unwindTag: number, results: TypeList): void {
  out.raw(OP.block, EXNREF, OP.tryTable);
  types.writeBlockType(out, NO_TYPES, results);
  out.raw(1, CATCH.tagRef);
  out.u32(unwindTag);
  out.u8(0);
}

/**
 * Behind the body: returns its results; the handler saves the frame and throws on. What is left is the function's `end`.
 * @param index of the function in the original
 */
export function closeHandler(
  out: WasmWriter,
  saveHelper: (signature: SaveSignature) => number,
  index: number,
  { calls, pcLocal }: FramePlan,
): void {
  out.raw(OP.end, OP.return, OP.end);
  const get = (local: number): void => {
    out.u8(OP.localGet);
    out.u32(local);
  };
  for (const { signature, locals } of calls) {
    for (const local of locals) get(local);
    if (signature.before !== null) {
      get(pcLocal);
      out.u8(OP.i32Const);
      out.s32(index);
    }
    out.u8(OP.call);
    out.u32(saveHelper(signature));
  }
  out.u8(OP.throwRef);
}
