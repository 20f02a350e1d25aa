/** Constant expressions (WebAssembly core specification, section 3.3.10), extended integer arithmetic included. */
import type { GlobalType, Range } from './module.ts';
import { IMMEDIATE, OP, PREFIX_FD, immediateOf, signatureOf, unsupportedFeature } from './opcodes.ts';
import { hex, invalid, unsupported } from './reader.ts';
import type { WasmReader } from './reader.ts';
import { FUNCREF, nullType, typeName } from './types.ts';
import type { ValueType } from './types.ts';

/** The entry of an element segment that is null. */
const NULL_ENTRY = -1;

const ARITHMETIC = new Set<number>([OP.i32Add, OP.i32Sub, OP.i32Mul, OP.i64Add, OP.i64Sub, OP.i64Mul]);
const CONSTANTS = new Set<number>([OP.i32Const, OP.i64Const, OP.f32Const, OP.f64Const]);

export class ConstantReader {
  readonly #r: WasmReader;
  readonly #globals: readonly GlobalType[];
  readonly #reference: (index: number, at: number) => void;
  /** What the last expression was, if it was a single instruction that an element segment may hold. */
  #entry: number | null = null;

  /** @param reference told of each `ref.func`; fails if the function does not exist */
  constructor(r: WasmReader, globals: readonly GlobalType[], reference: (index: number, at: number) => void) {
    this.#r = r;
    this.#globals = globals;
    this.#reference = reference;
  }

  /** Reads an expression of the given type with its `end`. @returns its bytes without the `end` */
  read(type: ValueType): Range {
    const start = this.#r.pos;
    const stack: ValueType[] = [];
    let instructions = 0;
    for (;;) {
      const at = this.#r.pos;
      const opcode = this.#r.u8();
      if (opcode === OP.end) break;
      this.#entry = null;
      this.#step(opcode, stack, at);
      instructions++;
    }
    if (stack.length !== 1 || stack[0] !== type) {
      invalid(
        start,
        `type mismatch: a constant ${typeName(type)} is wanted, [${stack.map(typeName).join(' ')}] is there`,
      );
    }
    if (instructions !== 1) this.#entry = null;
    return { start, end: this.#r.pos - 1 };
  }

  /** Reads one expression of an element segment. @returns an entry as in ElementSegment */
  readReference(type: ValueType): number {
    const at = this.#r.pos;
    this.read(type);
    return this.#entry ?? invalid(at, 'an element that is neither ref.func, ref.null nor global.get');
  }

  #step(opcode: number, stack: ValueType[], at: number): void {
    const r = this.#r;
    if (CONSTANTS.has(opcode)) {
      this.#skipConstant(immediateOf[opcode]!);
      stack.push(signatureOf[opcode]! >>> 24);
    } else if (opcode === OP.globalGet) {
      const index = r.u32();
      const global = this.#globals[index];
      if (global === undefined) invalid(at, `unknown global ${index}`);
      if (global.mutable) invalid(at, 'constant expression required: the global is mutable');
      stack.push(global.type);
      this.#entry = -2 - index;
    } else if (opcode === OP.refNull) {
      const heap = r.u8();
      const type = nullType(heap);
      if (type === null) unsupported(at, `garbage collection (heap type ${hex(heap)})`);
      stack.push(type);
      this.#entry = NULL_ENTRY;
    } else if (opcode === OP.refFunc) {
      const index = r.u32();
      this.#reference(index, at);
      stack.push(FUNCREF);
      this.#entry = index;
    } else if (opcode === 0xfd) {
      const sub = r.u32();
      if (PREFIX_FD + sub !== OP.v128Const) invalid(at, 'constant expression required');
      r.skip(16);
      stack.push(signatureOf[OP.v128Const]! >>> 24);
    } else if (ARITHMETIC.has(opcode)) {
      const type = signatureOf[opcode]! >>> 24;
      if (stack.pop() !== type || stack.pop() !== type) invalid(at, 'type mismatch in a constant expression');
      stack.push(type);
    } else {
      const feature = unsupportedFeature(opcode);
      if (feature !== undefined) unsupported(at, feature);
      invalid(at, `constant expression required, opcode ${hex(opcode)} is there`);
    }
  }

  #skipConstant(immediate: number): void {
    if (immediate === IMMEDIATE.i32) this.#r.signed(32);
    else if (immediate === IMMEDIATE.i64) this.#r.signed(64);
    else this.#r.skip(immediate === IMMEDIATE.f32 ? 4 : 8);
  }
}
