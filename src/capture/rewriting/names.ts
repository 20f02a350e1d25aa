/** Names of the original in the rewritten module (WebAssembly core specification, appendix "Custom Sections"). */
import { GodwitError } from '../../base/errors.ts';
import type { Range } from '../../wasm/module.ts';
import { WasmReader } from '../../wasm/reader.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { GODWIT } from '../layout/facts.ts';

const MODULE_NAME = 0;

/**
 * Writes the content of a name section as it is, but for the name of the module: V8 puts that into the stack entries of
 * the module's functions, from which locate.ts has to find where a trap was, and whether it was in a module of the engine's
 * own. What is malformed and all behind it is left out, which says as much.
 */
export function copyNames(out: WasmWriter, bytes: Uint8Array, { start, end }: Range): void {
  const r = new WasmReader(bytes, start, end);
  try {
    while (r.pos < end) {
      const at = r.pos;
      const id = r.u8();
      const size = r.u32();
      const from = r.pos;
      r.skip(size);
      if (id !== MODULE_NAME) {
        out.copy(bytes, at, r.pos);
        continue;
      }
      const name = new WasmWriter(size + 8);
      name.name(plainName(new WasmReader(bytes, from, r.pos).name()));
      out.section(MODULE_NAME, name);
    }
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
  }
}

/** A name that ends where something else begins, and that no module of the engine's own has. */
function plainName(name: string): string {
  const plain = name.replaceAll(/[^\w.+-]/g, '_');
  return plain.startsWith(`${GODWIT}.`) ? `_${plain}` : plain;
}
