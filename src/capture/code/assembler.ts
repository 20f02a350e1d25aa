/** Small code written by hand: the helper functions that the rewriter appends. */
import { OP, PREFIX_FC, PREFIX_FD, PREFIX_FE } from '../../wasm/opcodes.ts';
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { TypeList, ValueType } from '../../wasm/types.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import { WasmWriter } from '../../wasm/writer.ts';

/** Opcodes of the plain load and store of a type. References are kept as i32. */
const ACCESS: ReadonlyMap<ValueType, { readonly load: number; readonly store: number }> = new Map([
  [I32, { load: 0x28, store: 0x36 }],
  [I64, { load: 0x29, store: 0x37 }],
  [F32, { load: 0x2a, store: 0x38 }],
  [F64, { load: 0x2b, store: 0x39 }],
  [V128, { load: PREFIX_FD, store: PREFIX_FD + 11 }],
  [FUNCREF, { load: 0x28, store: 0x36 }],
  [EXTERNREF, { load: 0x28, store: 0x36 }],
  [EXNREF, { load: 0x28, store: 0x36 }],
]);

export class Assembler extends WasmWriter {
  /** An instruction by its number of wasm/opcodes.ts, and its immediates as unsigned LEB128. */
  op(opcode: number, ...immediates: number[]): this {
    if (opcode >= PREFIX_FE) {
      this.u8(0xfe);
      this.u32(opcode - PREFIX_FE);
    } else if (opcode >= PREFIX_FD) {
      this.u8(0xfd);
      this.u32(opcode - PREFIX_FD);
    } else if (opcode >= PREFIX_FC) {
      this.u8(0xfc);
      this.u32(opcode - PREFIX_FC);
    } else this.u8(opcode);
    for (const immediate of immediates) this.u32(immediate);
    return this;
  }

  constant(value: number): this {
    this.u8(OP.i32Const);
    this.s32(value);
    return this;
  }

  /** An f64.const. */
  real(value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.u8(OP.f64Const);
    this.copy(bytes);
    return this;
  }

  get(local: number): this {
    return this.op(OP.localGet, local);
  }

  load(type: ValueType, memory: number, offset: number): this {
    return this.#access(ACCESS.get(type)!.load, memory, offset);
  }

  store(type: ValueType, memory: number, offset: number): this {
    return this.#access(ACCESS.get(type)!.store, memory, offset);
  }

  /** Alignment 0: records are packed. */
  #access(opcode: number, memory: number, offset: number): this {
    this.op(opcode);
    if (memory === 0) this.u8(0);
    else {
      this.u8(0x40);
      this.u32(memory);
    }
    this.u32(offset);
    return this;
  }

  /**
   * A function body for the code section: this code, an `end` and the locals.
   * @param references for locals of reference types
   */
  body(locals: TypeList = new Uint8Array(0), references?: ReferenceTypes): Uint8Array {
    const body = new WasmWriter(this.length + 32);
    body.u32(locals.length);
    for (const type of locals) {
      body.u8(1);
      if (references === undefined) body.u8(type);
      else references.write(body, type);
    }
    body.copy(this.bytes, 0, this.length);
    body.u8(OP.end);
    return body.done();
  }
}
