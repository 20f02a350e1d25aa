/** Constant expressions (WebAssembly core specification, section 3.3.10), extended integer arithmetic included. */
import type { GlobalType, Range } from './module.ts';
import { IMMEDIATE, immediateOf, signatureOf } from './instructions.ts';
import { OP, PREFIX_FD, unsupportedFeature } from './opcodes.ts';
import { hex, invalid, unsupported } from './reader.ts';
import type { WasmReader } from './reader.ts';
import type { ReferenceTypes } from './references.ts';
import type { ValueType } from './types.ts';

/** The entry of an element segment that is null. */
const NULL_ENTRY = -1;

const ARITHMETIC = new Set<number>([OP.i32Add, OP.i32Sub, OP.i32Mul, OP.i64Add, OP.i64Sub, OP.i64Mul]);
const CONSTANTS = new Set<number>([OP.i32Const, OP.i64Const, OP.f32Const, OP.f64Const]);

/** What constant expressions may refer to, as far as it has been read. */
export interface ConstantContext {
  readonly references: ReferenceTypes;
  readonly types: { readonly length: number };
  readonly globals: readonly GlobalType[];
  /** Told of each `ref.func`; fails if the function does not exist. @returns the function's type index */
  readonly reference: (index: number, at: number) => number;
}

export class ConstantReader {
  readonly #r: WasmReader;
  readonly #context: ConstantContext;
  /** What the last expression was, if it was a single instruction that an element segment may hold. */
  #entry: number | null = null;

  constructor(r: WasmReader, context: ConstantContext) {
    this.#r = r;
    this.#context = context;
  }

  valueType(): ValueType {
    const { references, types } = this.#context;
    return references.read(this.#r, types.length);
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
    const { references } = this.#context;
    if (stack.length !== 1 || !references.matches(stack[0]!, type)) {
      const found = stack.map((one) => references.name(one)).join(' ');
      invalid(start, `type mismatch: a constant ${references.name(type)} is wanted, [${found}] is there`);
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
    const { references, globals, types } = this.#context;
    if (CONSTANTS.has(opcode)) {
      this.#skipConstant(immediateOf[opcode]!);
      stack.push(signatureOf[opcode]! >>> 24);
    } else if (opcode === OP.globalGet) {
      const index = r.u32();
      const global = globals[index];
      if (global === undefined) invalid(at, `unknown global ${index}`);
      if (global.mutable) invalid(at, 'constant expression required: the global is mutable');
      stack.push(global.type);
      this.#entry = -2 - index;
    } else if (opcode === OP.refNull) {
      stack.push(references.readHeap(r, types.length, true));
      this.#entry = NULL_ENTRY;
    } else if (opcode === OP.refFunc) {
      const index = r.u32();
      stack.push(references.toFunction(this.#context.reference(index, at)));
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
