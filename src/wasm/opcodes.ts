/**
 * The instructions as tables: immediate, operand types, result type (WebAssembly core specification, section 5.4 and
 * the index of instructions). An instruction has one number here: its byte, or, behind a prefix byte, `PREFIX_FC`,
 * `PREFIX_FD` or `PREFIX_FE` plus its sub-opcode.
 */
import { F32, F64, I32, I64, V128 } from './types.ts';
import type { ValueType } from './types.ts';

export const PREFIX_FC = 0x100;
export const PREFIX_FD = 0x120;
export const PREFIX_FE = 0x234;
/** One more than the highest number of an instruction. */
export const OPCODE_COUNT: number = PREFIX_FE + 0x4f;

/** By prefix byte: the numbers of the instructions behind it. */
export const PREFIXED: ReadonlyMap<number, { readonly first: number; readonly end: number }> = new Map([
  [0xfc, { first: PREFIX_FC, end: PREFIX_FD }],
  [0xfd, { first: PREFIX_FD, end: PREFIX_FE }],
  [0xfe, { first: PREFIX_FE, end: OPCODE_COUNT }],
]);

/** The instructions that the engine names. */
export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  callRef: 0x14,
  returnCallRef: 0x15,
  delegate: 0x18,
  catchAll: 0x19,
  tryTable: 0x1f,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  i32Load: 0x28,
  i32Store: 0x36,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32Ne: 0x47,
  i32LtU: 0x49,
  i32GtU: 0x4b,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32RemU: 0x70,
  i32And: 0x71,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  i64Eq: 0x51,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64Or: 0x84,
  i64Shl: 0x86,
  f64Add: 0xa0,
  i64ExtendI32U: 0xad,
  f64ConvertI32U: 0xb8,
  f64ConvertI64U: 0xba,
  refNull: 0xd0,
  refIsNull: 0xd1,
  refFunc: 0xd2,
  refAsNonNull: 0xd4,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
  memoryInit: PREFIX_FC + 8,
  dataDrop: PREFIX_FC + 9,
  memoryCopy: PREFIX_FC + 10,
  memoryFill: PREFIX_FC + 11,
  tableInit: PREFIX_FC + 12,
  elemDrop: PREFIX_FC + 13,
  tableCopy: PREFIX_FC + 14,
  tableGrow: PREFIX_FC + 15,
  tableSize: PREFIX_FC + 16,
  tableFill: PREFIX_FC + 17,
  v128Const: PREFIX_FD + 12,
  shuffle: PREFIX_FD + 13,
  atomicNotify: PREFIX_FE + 0,
  atomicWait32: PREFIX_FE + 1,
  atomicWait64: PREFIX_FE + 2,
  atomicFence: PREFIX_FE + 3,
  i32AtomicLoad: PREFIX_FE + 0x10,
  i64AtomicLoad: PREFIX_FE + 0x11,
} as const;

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

const FEATURES: readonly (readonly [string, readonly number[]])[] = [
  ['garbage collection', [0xd3, 0xfb]],
  ['wide arithmetic', [PREFIX_FC + 19, PREFIX_FC + 20, PREFIX_FC + 21, PREFIX_FC + 22]],
];

const featureOf = new Map(
  FEATURES.flatMap(([feature, opcodes]) => opcodes.map((opcode) => [opcode, feature] as const)),
);

/** The name of the feature that an instruction belongs to which the engine does not take, if it is a known one. */
export function unsupportedFeature(opcode: number): string | undefined {
  return featureOf.get(opcode);
}
