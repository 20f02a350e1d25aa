/** The code section of the rewritten module. */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { WasmWriter } from '../wasm/writer.ts';

/** The code section while it grows: bodies with their sizes, and where each poll's `if` is. */
export class CodeSection {
  readonly code: WasmWriter;
  readonly hints = new WasmWriter(1024);
  hinted = 0;
  readonly sizes: WasmWriter;
  count = 0;

  constructor(capacity: number, functions: number) {
    this.code = new WasmWriter(capacity);
    this.sizes = new WasmWriter(functions * 2 + 64);
  }

  /** Appends a function whose locals and code stand in two buffers. */
  add(index: number, locals: WasmWriter, body: WasmWriter, hints: readonly number[]): void {
    const size = locals.length + body.length;
    if (size > LIMITS.functionBytes) {
      throw new GodwitError('limit', `function ${index} is too large to be made movable: ${size} bytes`);
    }
    this.code.u32(size);
    this.code.copy(locals.bytes, 0, locals.length);
    this.code.copy(body.bytes, 0, body.length);
    this.sizes.u32(size);
    this.count++;
    if (hints.length === 0) return;
    this.hinted++;
    this.hints.u32(index);
    this.hints.u32(hints.length);
    for (const offset of hints) {
      this.hints.u32(locals.length + offset);
      this.hints.raw(1, 0);
    }
  }

  addRaw(body: Uint8Array): void {
    this.code.u32(body.length);
    this.code.copy(body);
    this.sizes.u32(body.length);
    this.count++;
  }

  /** The custom section that tells V8 that polls seldom fire, if there are any. */
  writeHints(out: WasmWriter): void {
    if (this.hinted === 0) return;
    const section = new WasmWriter(this.hints.length + 8);
    section.u32(this.hinted);
    section.copy(this.hints.bytes, 0, this.hints.length);
    out.custom('metadata.code.branch_hint', section);
  }
}
