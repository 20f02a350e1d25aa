/**
 * What the engine knows of an instruction from its number alone, as tables: immediate, operand types, result type
 * (WebAssembly core specification, section 5.4 and the index of instructions).
 */
import { OP, OPCODE_COUNT, PREFIX_FC, PREFIX_FD, PREFIX_FE } from './opcodes.ts';
import { F32, F64, I32, I64, V128 } from './types.ts';
import type { ValueType } from './types.ts';

/** What follows the opcode. `special` instructions are handled one by one; the others by their signature alone. */
export const IMMEDIATE = {
  none: 0,
  special: 1,
  memory: 2,
  i32: 3,
  i64: 4,
  f32: 5,
  f64: 6,
  v128: 7,
  lanes16: 8,
  lane: 9,
  memoryLane: 10,
  atomic: 11,
  fence: 12,
  invalid: 13,
} as const;

/** By opcode: one of {@link IMMEDIATE}. */
export const immediateOf: Uint8Array = new Uint8Array(OPCODE_COUNT).fill(IMMEDIATE.invalid);

/**
 * By opcode: operand and result types of an instruction that has at most three of the former and one of the latter:
 * the types in the order of popping in bits 0..7, 8..15, 16..23, the result in bits 24..31, 0 for none.
 */
export const signatureOf: Int32Array = new Int32Array(OPCODE_COUNT);

/** By opcode: log2 of the natural alignment of a memory access. */
export const alignmentOf: Uint8Array = new Uint8Array(OPCODE_COUNT);

/** By opcode: how many lanes a lane index may choose from. */
export const lanesOf: Uint8Array = new Uint8Array(OPCODE_COUNT);

const LETTERS: Readonly<Record<string, ValueType>> = { i: I32, I: I64, f: F32, F: F64, v: V128 };

/** `ii:i` is two i32 to one; letters: i i32, I i64, f f32, F f64, v v128. */
function packed(signature: string): number {
  const [operands = '', result = ''] = signature.split(':');
  let bits = 0;
  Array.from(operands)
    .toReversed()
    .forEach((letter, i) => {
      bits |= LETTERS[letter]! << (8 * i);
    });
  return result === '' ? bits : bits | (LETTERS[result]! << 24);
}

function plain(from: number, to: number, signature: string): void {
  immediateOf.fill(IMMEDIATE.none, from, to + 1);
  signatureOf.fill(packed(signature), from, to + 1);
}

function withImmediate(opcode: number, immediate: number, signature: string): void {
  immediateOf[opcode] = immediate;
  signatureOf[opcode] = packed(signature);
}

function memory(opcode: number, alignment: number, signature: string): void {
  withImmediate(opcode, IMMEDIATE.memory, signature);
  alignmentOf[opcode] = alignment;
}

/** From the first opcode on: [first, last, signature]. */
type Range = readonly [number, number, string];

const NUMERIC: readonly Range[] = [
  [0x45, 0x45, 'i:i'], // i32.eqz
  [0x46, 0x4f, 'ii:i'], // i32 comparisons
  [0x50, 0x50, 'I:i'], // i64.eqz
  [0x51, 0x5a, 'II:i'], // i64 comparisons
  [0x5b, 0x60, 'ff:i'], // f32 comparisons
  [0x61, 0x66, 'FF:i'], // f64 comparisons
  [0x67, 0x69, 'i:i'], // i32 clz ctz popcnt
  [0x6a, 0x78, 'ii:i'], // i32 arithmetic
  [0x79, 0x7b, 'I:I'],
  [0x7c, 0x8a, 'II:I'], // i64 arithmetic
  [0x8b, 0x91, 'f:f'],
  [0x92, 0x98, 'ff:f'], // f32 arithmetic
  [0x99, 0x9f, 'F:F'],
  [0xa0, 0xa6, 'FF:F'], // f64 arithmetic
  [0xa7, 0xa7, 'I:i'], // i32.wrap_i64
  [0xa8, 0xa9, 'f:i'],
  [0xaa, 0xab, 'F:i'],
  [0xac, 0xad, 'i:I'],
  [0xae, 0xaf, 'f:I'],
  [0xb0, 0xb1, 'F:I'],
  [0xb2, 0xb3, 'i:f'],
  [0xb4, 0xb5, 'I:f'],
  [0xb6, 0xb6, 'F:f'],
  [0xb7, 0xb8, 'i:F'],
  [0xb9, 0xba, 'I:F'],
  [0xbb, 0xbb, 'f:F'],
  [0xbc, 0xbc, 'f:i'], // reinterpretations
  [0xbd, 0xbd, 'F:I'],
  [0xbe, 0xbe, 'i:f'],
  [0xbf, 0xbf, 'I:F'],
  [0xc0, 0xc1, 'i:i'], // sign extension
  [0xc2, 0xc4, 'I:I'],
  [PREFIX_FC + 0, PREFIX_FC + 1, 'f:i'], // saturating truncation
  [PREFIX_FC + 2, PREFIX_FC + 3, 'F:i'],
  [PREFIX_FC + 4, PREFIX_FC + 5, 'f:I'],
  [PREFIX_FC + 6, PREFIX_FC + 7, 'F:I'],
];

/** Sub-opcodes behind 0xfd without an immediate. The gaps are reserved numbers. */
const SIMD: readonly Range[] = [
  [14, 14, 'vv:v'], // swizzle
  [15, 17, 'i:v'], // splats
  [18, 18, 'I:v'],
  [19, 19, 'f:v'],
  [20, 20, 'F:v'],
  [35, 76, 'vv:v'], // comparisons
  [77, 77, 'v:v'], // not
  [78, 81, 'vv:v'],
  [82, 82, 'vvv:v'], // bitselect
  [83, 83, 'v:i'], // any_true
  [94, 98, 'v:v'], // demote, promote, i8x16 abs neg popcnt
  [99, 100, 'v:i'],
  [101, 102, 'vv:v'],
  [103, 106, 'v:v'], // f32x4 rounding
  [107, 109, 'vi:v'],
  [110, 115, 'vv:v'],
  [116, 117, 'v:v'], // f64x2 ceil floor
  [118, 121, 'vv:v'],
  [122, 122, 'v:v'], // f64x2.trunc
  [123, 123, 'vv:v'],
  [124, 129, 'v:v'],
  [130, 130, 'vv:v'],
  [131, 132, 'v:i'],
  [133, 134, 'vv:v'],
  [135, 138, 'v:v'],
  [139, 141, 'vi:v'],
  [142, 147, 'vv:v'],
  [148, 148, 'v:v'], // f64x2.nearest
  [149, 153, 'vv:v'],
  [155, 159, 'vv:v'],
  [160, 161, 'v:v'],
  [163, 164, 'v:i'],
  [167, 170, 'v:v'],
  [171, 173, 'vi:v'],
  [174, 174, 'vv:v'],
  [177, 177, 'vv:v'],
  [181, 186, 'vv:v'],
  [188, 191, 'vv:v'],
  [192, 193, 'v:v'],
  [195, 196, 'v:i'],
  [199, 202, 'v:v'],
  [203, 205, 'vi:v'],
  [206, 206, 'vv:v'],
  [209, 209, 'vv:v'],
  [213, 223, 'vv:v'],
  [224, 225, 'v:v'],
  [227, 227, 'v:v'],
  [228, 235, 'vv:v'],
  [236, 237, 'v:v'],
  [239, 239, 'v:v'],
  [240, 247, 'vv:v'],
  [248, 255, 'v:v'],
  [0x100, 0x100, 'vv:v'], // relaxed
  [0x101, 0x104, 'v:v'],
  [0x105, 0x10c, 'vvv:v'],
  [0x10d, 0x112, 'vv:v'],
  [0x113, 0x113, 'vvv:v'],
];

/** [opcode, log2 of alignment, signature] */
const MEMORY: readonly Range[] = [
  [0x28, 2, 'i:i'],
  [0x29, 3, 'i:I'],
  [0x2a, 2, 'i:f'],
  [0x2b, 3, 'i:F'],
  [0x2c, 0, 'i:i'],
  [0x2d, 0, 'i:i'],
  [0x2e, 1, 'i:i'],
  [0x2f, 1, 'i:i'],
  [0x30, 0, 'i:I'],
  [0x31, 0, 'i:I'],
  [0x32, 1, 'i:I'],
  [0x33, 1, 'i:I'],
  [0x34, 2, 'i:I'],
  [0x35, 2, 'i:I'],
  [0x36, 2, 'ii:'],
  [0x37, 3, 'iI:'],
  [0x38, 2, 'if:'],
  [0x39, 3, 'iF:'],
  [0x3a, 0, 'ii:'],
  [0x3b, 1, 'ii:'],
  [0x3c, 0, 'iI:'],
  [0x3d, 1, 'iI:'],
  [0x3e, 2, 'iI:'],
  [PREFIX_FD + 0, 4, 'i:v'],
  ...Array.from({ length: 6 }, (_, i): Range => [PREFIX_FD + 1 + i, 3, 'i:v']), // v128.load8x8_s to load32x2_u
  ...Array.from({ length: 4 }, (_, i): Range => [PREFIX_FD + 7 + i, i, 'i:v']), // v128.loadN_splat
  [PREFIX_FD + 11, 4, 'iv:'],
  [PREFIX_FD + 92, 2, 'i:v'],
  [PREFIX_FD + 93, 3, 'i:v'],
];

/** [sub-opcode, lanes, signature] */
const LANES: readonly Range[] = [
  [21, 16, 'v:i'],
  [22, 16, 'v:i'],
  [23, 16, 'vi:v'],
  [24, 8, 'v:i'],
  [25, 8, 'v:i'],
  [26, 8, 'vi:v'],
  [27, 4, 'v:i'],
  [28, 4, 'vi:v'],
  [29, 2, 'v:I'],
  [30, 2, 'vI:v'],
  [31, 4, 'v:f'],
  [32, 4, 'vf:v'],
  [33, 2, 'v:F'],
  [34, 2, 'vF:v'],
];

/** [sub-opcode, log2 of alignment, signature]: behind 0xfe, but for the seven kinds of read-modify-write. */
const ATOMIC: readonly Range[] = [
  [0x00, 2, 'ii:i'], // memory.atomic.notify
  [0x01, 2, 'iiI:i'], // memory.atomic.wait32
  [0x02, 3, 'iII:i'], // memory.atomic.wait64
  [0x10, 2, 'i:i'], // loads
  [0x11, 3, 'i:I'],
  [0x12, 0, 'i:i'],
  [0x13, 1, 'i:i'],
  [0x14, 0, 'i:I'],
  [0x15, 1, 'i:I'],
  [0x16, 2, 'i:I'],
  [0x17, 2, 'ii:'], // stores
  [0x18, 3, 'iI:'],
  [0x19, 0, 'ii:'],
  [0x1a, 1, 'ii:'],
  [0x1b, 0, 'iI:'],
  [0x1c, 1, 'iI:'],
  [0x1d, 2, 'iI:'],
];

/** Of each kind of read-modify-write in their order: log2 of alignment, and the type of the value. */
const WIDTHS: readonly (readonly [number, string])[] = [
  [2, 'i'],
  [3, 'I'],
  [0, 'i'],
  [1, 'i'],
  [0, 'I'],
  [1, 'I'],
  [2, 'I'],
];
/** Sub-opcodes of the first add, sub, and, or, xor and xchg; and of the first cmpxchg, which has one operand more. */
const READ_MODIFY_WRITE = [0x1e, 0x25, 0x2c, 0x33, 0x3a, 0x41];
const COMPARE_EXCHANGE = 0x48;

function atomic(sub: number, alignment: number, signature: string): void {
  memory(PREFIX_FE + sub, alignment, signature);
  immediateOf[PREFIX_FE + sub] = IMMEDIATE.atomic;
}

for (const [from, to, signature] of NUMERIC) plain(from, to, signature);
for (const [from, to, signature] of SIMD) plain(PREFIX_FD + from, PREFIX_FD + to, signature);
for (const [opcode, alignment, signature] of MEMORY) memory(opcode, alignment, signature);
for (const [sub, lanes, signature] of LANES) {
  withImmediate(PREFIX_FD + sub, IMMEDIATE.lane, signature);
  lanesOf[PREFIX_FD + sub] = lanes;
}
for (let i = 0; i < 4; i++) {
  // v128.loadN_lane and v128.storeN_lane
  for (const [first, signature] of [
    [84, 'iv:v'],
    [88, 'iv:'],
  ] as const) {
    memory(PREFIX_FD + first + i, i, signature);
    immediateOf[PREFIX_FD + first + i] = IMMEDIATE.memoryLane;
    lanesOf[PREFIX_FD + first + i] = 16 >> i;
  }
}
for (const [sub, alignment, signature] of ATOMIC) atomic(sub, alignment, signature);
WIDTHS.forEach(([alignment, value], i) => {
  for (const first of READ_MODIFY_WRITE) atomic(first + i, alignment, `i${value}:${value}`);
  atomic(COMPARE_EXCHANGE + i, alignment, `i${value}${value}:${value}`);
});
withImmediate(OP.atomicFence, IMMEDIATE.fence, ':');
plain(OP.nop, OP.nop, ':');
withImmediate(OP.i32Const, IMMEDIATE.i32, ':i');
withImmediate(OP.i64Const, IMMEDIATE.i64, ':I');
withImmediate(OP.f32Const, IMMEDIATE.f32, ':f');
withImmediate(OP.f64Const, IMMEDIATE.f64, ':F');
withImmediate(OP.v128Const, IMMEDIATE.v128, ':v');
withImmediate(OP.shuffle, IMMEDIATE.lanes16, 'vv:v');
for (const opcode of [
  OP.unreachable,
  OP.block,
  OP.loop,
  OP.if,
  OP.else,
  OP.end,
  OP.try,
  OP.catch,
  OP.throw,
  OP.rethrow,
  OP.throwRef,
  OP.delegate,
  OP.catchAll,
  OP.tryTable,
  OP.br,
  OP.brIf,
  OP.brTable,
  OP.return,
  OP.call,
  OP.callIndirect,
  OP.returnCall,
  OP.returnCallIndirect,
  OP.callRef,
  OP.returnCallRef,
  OP.refAsNonNull,
  OP.brOnNull,
  OP.brOnNonNull,
  OP.drop,
  OP.select,
  OP.selectTyped,
  OP.localGet,
  OP.localSet,
  OP.localTee,
  OP.globalGet,
  OP.globalSet,
  OP.tableGet,
  OP.tableSet,
  OP.memorySize,
  OP.memoryGrow,
  OP.refNull,
  OP.refIsNull,
  OP.refFunc,
  OP.memoryInit,
  OP.dataDrop,
  OP.memoryCopy,
  OP.memoryFill,
  OP.tableInit,
  OP.elemDrop,
  OP.tableCopy,
  OP.tableGrow,
  OP.tableSize,
  OP.tableFill,
]) {
  immediateOf[opcode] = IMMEDIATE.special;
}
