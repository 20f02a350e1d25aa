/**
 * The numbers of the instructions (WebAssembly core specification, index of instructions). An instruction has one
 * number here: its byte, or, behind a prefix byte, `PREFIX_FC`, `PREFIX_FD` or `PREFIX_FE` plus its sub-opcode.
 */
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
  i32GeU: 0x4f,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32RemU: 0x70,
  i32And: 0x71,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  i64Eq: 0x51,
  i64GtU: 0x56,
  i64LeU: 0x58,
  i64GeU: 0x5a,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64Or: 0x84,
  i64Shl: 0x86,
  i64ShrU: 0x88,
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
