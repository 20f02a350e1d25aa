/** Plain instructions for random code. */
import { OP, PREFIX_FD } from '../../wasm/opcodes.ts';
import { F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';

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
