/** Plain instructions for random code. */
import { IMMEDIATE, alignmentOf, immediateOf, signatureOf } from '../../wasm/instructions.ts';
import { OP, OPCODE_COUNT, PREFIX_FD, PREFIX_FE } from '../../wasm/opcodes.ts';
import { F32, F64, FUNCREF, I32, I64, UNKNOWN, V128 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import { Assembler } from '../code/assembler.ts';

/** A constant of the type that is made of this number; null for a reference, which must be one that can be null. */
export function constantOf(type: ValueType, value: number, references: ReferenceTypes): Uint8Array {
  const a = new Assembler();
  if (type === I32) a.constant(value);
  else if (type === I64) {
    a.u8(OP.i64Const);
    a.s64(BigInt(value) * 0x1_0000_0001n);
  } else if (type === F32) {
    a.u8(OP.f32Const);
    a.copy(new Uint8Array(Float32Array.of(value / 2).buffer));
  } else if (type === F64) {
    a.u8(OP.f64Const);
    a.copy(new Uint8Array(Float64Array.of(value / 4).buffer));
  } else if (type === V128) {
    a.op(OP.v128Const);
    a.copy(Uint8Array.from({ length: 16 }, (_, i) => value + i));
  } else {
    a.op(OP.refNull);
    references.writeHeap(a, type);
  }
  return a.done();
}

/** Plain instructions by result: [opcode, operands]. */
export const OPERATIONS: ReadonlyMap<ValueType, readonly (readonly [number, readonly ValueType[]])[]> = new Map([
  [
    I32,
    [
      [OP.i32Add, [I32, I32]],
      [OP.i32Sub, [I32, I32]],
      [OP.i32Mul, [I32, I32]],
      [0x73, [I32, I32]],
      [OP.i32Eqz, [I32]],
      [0xa7, [I64]],
      [0x53, [I64, I64]],
      [0x63, [F64, F64]],
      [0x6d, [I32, I32]],
      [PREFIX_FD + 27, [V128]],
      [OP.refIsNull, [FUNCREF]],
    ],
  ],
  [
    I64,
    [
      [OP.i64Add, [I64, I64]],
      [0x7e, [I64, I64]],
      [0xac, [I32]],
      [0x85, [I64, I64]],
      [0xc4, [I64]],
    ],
  ],
  [
    F32,
    [
      [0x92, [F32, F32]],
      [0x94, [F32, F32]],
      [0xb2, [I32]],
      [0xb6, [F64]],
    ],
  ],
  [
    F64,
    [
      [0xa0, [F64, F64]],
      [0xa1, [F64, F64]],
      [0xb7, [I32]],
      [0xbb, [F32]],
    ],
  ],
  [
    V128,
    [
      [PREFIX_FD + 17, [I32]],
      [PREFIX_FD + 174, [V128, V128]],
      [PREFIX_FD + 81, [V128, V128]],
      [PREFIX_FD + 18, [I64]],
    ],
  ],
]);

/** An atomic access: what it takes above the address, and what it leaves ({@link UNKNOWN} for nothing). */
export interface Atomic {
  readonly opcode: number;
  readonly alignment: number;
  readonly operands: readonly ValueType[];
  readonly result: ValueType;
}

function atomic(opcode: number): Atomic {
  const signature = signatureOf[opcode]!;
  const popped = [signature & 0xff, (signature >> 8) & 0xff, (signature >> 16) & 0xff].filter(
    (type) => type !== UNKNOWN,
  );
  const operands = popped.slice(0, -1).toReversed();
  return { opcode, alignment: alignmentOf[opcode]!, operands, result: signature >>> 24 };
}

const ATOMICS: readonly Atomic[] = Array.from({ length: OPCODE_COUNT - PREFIX_FE }, (_, sub) => PREFIX_FE + sub)
  .filter((opcode) => immediateOf[opcode] === IMMEDIATE.atomic)
  .map(atomic);

/** Waits stand for as many as all the others that leave an i32, since nothing else of them is a safepoint. */
const WAITS = ATOMICS.filter(({ opcode }) => opcode === OP.atomicWait32 || opcode === OP.atomicWait64);
const leaving = (type: ValueType): readonly Atomic[] => ATOMICS.filter(({ result }) => result === type);

/** By what they leave. */
export const ATOMIC_ACCESSES: ReadonlyMap<ValueType, readonly Atomic[]> = new Map([
  [I32, [...leaving(I32), ...Array.from({ length: 8 }, () => WAITS).flat()]],
  [I64, leaving(I64)],
  [UNKNOWN, leaving(UNKNOWN)],
]);
