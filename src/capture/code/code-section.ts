/** The code of a rewritten module. */
import { LIMITS } from '../../base/limits.ts';
import type { Module } from '../../wasm/module.ts';
import { NON_NULL_PREFIX, NULLABLE_PREFIX } from '../../wasm/types.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { NotMovable } from './not-movable.ts';

/** The code section while it grows: bodies with their sizes, and where each poll's `if` is. */
export class CodeSection {
  readonly code: WasmWriter;
  readonly hints = new WasmWriter(1024);
  hinted = 0;
  readonly sizes: WasmWriter;
  count = 0;
  /** Bytes of code that there may be. */
  readonly #most: number;

  /** @param capacity bytes that it has room for at first */
  constructor(capacity: number, { bytes, functionTypes }: Pick<Module, 'bytes' | 'functionTypes'>) {
    this.code = new WasmWriter(capacity);
    this.sizes = new WasmWriter(functionTypes.length * 2 + 64);
    const most = LIMITS.rewrittenBytes + LIMITS.rewrittenBytesPerByte * bytes.length;
    this.#most = Math.min(most, LIMITS.compiledBytes);
  }

  #begin(size: number): void {
    if (this.code.length + size > this.#most) {
      throw new NotMovable(`the module is too large to be made movable: more than ${this.#most} bytes of code`);
    }
    this.code.u32(size);
    this.sizes.u32(size);
    this.count++;
  }

  /** Appends a function whose locals and code stand in two buffers. */
  add(index: number, locals: WasmWriter, body: WasmWriter, hints: readonly number[]): void {
    const size = locals.length + body.length;
    if (size > LIMITS.functionBytes) {
      throw new NotMovable(`function ${index} is too large to be made movable: ${size} bytes`);
    }
    this.#begin(size);
    this.code.copy(locals.bytes, 0, locals.length);
    this.code.copy(body.bytes, 0, body.length);
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
    this.#begin(body.length);
    this.code.copy(body);
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

/** Writes the locals of a rewritten function: its own, as they were, and those that were added. */
export function writeLocals(out: WasmWriter, module: Module, body: number, extra: readonly number[]): void {
  const { bytes } = module;
  let at = module.bodyStarts[body]!;
  let groups = 0;
  let shift = 0;
  let byte: number;
  do {
    byte = bytes[at++]!;
    groups |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  const runs: { type: number; count: number }[] = [];
  for (const type of extra) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  out.u32(groups + runs.length);
  for (let i = 0; i < groups; i++) {
    const group = at;
    while (bytes[at]! & 0x80) at++;
    const prefix = bytes[++at]!;
    if (prefix !== NULLABLE_PREFIX && prefix !== NON_NULL_PREFIX) {
      out.copy(bytes, group, ++at);
      continue;
    }
    out.copy(bytes, group, at);
    // Where the handler reads them they may not have been set.
    out.u8(NULLABLE_PREFIX);
    const heap = ++at;
    while (bytes[at]! & 0x80) at++;
    out.copy(bytes, heap, ++at);
  }
  for (const { type, count } of runs) {
    out.u32(count);
    module.references.write(out, type);
  }
}
