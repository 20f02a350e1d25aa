/** The names of instructions in the text format (WebAssembly core specification, "Index of Instructions"). */
import { PREFIX_FC, PREFIX_FD, PREFIX_FE } from './opcodes.ts';

/** Names of neighbours, from the opcode on; `-` is a reserved number. */
const RUNS: readonly (readonly [number, string])[] = [
  [0x00, 'unreachable nop block loop if else try catch throw rethrow throw_ref end br br_if br_table return'],
  [0x10, 'call call_indirect return_call return_call_indirect call_ref return_call_ref - - delegate catch_all'],
  [0x1a, 'drop select select - - try_table'],
  [0x20, 'local.get local.set local.tee global.get global.set table.get table.set'],
  [0x28, 'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u'],
  [0x30, 'i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u'],
  [0x36, 'i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32'],
  [0x3f, 'memory.size memory.grow i32.const i64.const f32.const f64.const'],
  [0x45, `i32.eqz ${of('i32', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u')}`],
  [0x50, `i64.eqz ${of('i64', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u')}`],
  [0x5b, of('f32', 'eq ne lt gt le ge')],
  [0x61, of('f64', 'eq ne lt gt le ge')],
  [0x67, of('i32', 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr')],
  [0x79, of('i64', 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr')],
  [0x8b, of('f32', 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign')],
  [0x99, of('f64', 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign')],
  [0xa7, of('i32', 'wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u')],
  [0xac, of('i64', 'extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u')],
  [0xb2, of('f32', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64')],
  [0xb7, of('f64', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32')],
  [0xbc, 'i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64'],
  [0xc0, 'i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s'],
  [0xd0, 'ref.null ref.is_null ref.func ref.eq ref.as_non_null br_on_null br_on_non_null'],
  [PREFIX_FC, of('i32', 'trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u')],
  [PREFIX_FC + 4, of('i64', 'trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u')],
  [PREFIX_FC + 8, 'memory.init data.drop memory.copy memory.fill table.init elem.drop table.copy table.grow'],
  [PREFIX_FC + 16, 'table.size table.fill'],
  [
    PREFIX_FD,
    'v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u',
  ],
  [PREFIX_FD + 7, 'v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store v128.const'],
  [
    PREFIX_FD + 13,
    'i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat',
  ],
  [PREFIX_FD + 21, 'i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane'],
  [
    PREFIX_FD + 24,
    'i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane i32x4.extract_lane i32x4.replace_lane',
  ],
  [PREFIX_FD + 29, 'i64x2.extract_lane i64x2.replace_lane f32x4.extract_lane f32x4.replace_lane'],
  [PREFIX_FD + 33, 'f64x2.extract_lane f64x2.replace_lane'],
  [PREFIX_FD + 35, of('i8x16', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u')],
  [PREFIX_FD + 45, of('i16x8', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u')],
  [PREFIX_FD + 55, of('i32x4', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u')],
  [PREFIX_FD + 65, of('f32x4', 'eq ne lt gt le ge')],
  [PREFIX_FD + 71, of('f64x2', 'eq ne lt gt le ge')],
  [PREFIX_FD + 77, of('v128', 'not and andnot or xor bitselect any_true load8_lane load16_lane load32_lane')],
  [PREFIX_FD + 87, of('v128', 'load64_lane store8_lane store16_lane store32_lane store64_lane load32_zero')],
  [PREFIX_FD + 93, 'v128.load64_zero f32x4.demote_f64x2_zero f64x2.promote_low_f32x4'],
  [PREFIX_FD + 96, of('i8x16', 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u')],
  [PREFIX_FD + 103, of('f32x4', 'ceil floor trunc nearest')],
  [PREFIX_FD + 107, of('i8x16', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u')],
  [PREFIX_FD + 116, 'f64x2.ceil f64x2.floor i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u f64x2.trunc i8x16.avgr_u'],
  [PREFIX_FD + 124, of('i16x8', 'extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u')],
  [PREFIX_FD + 126, of('i32x4', 'extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u')],
  [PREFIX_FD + 128, of('i16x8', 'abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u')],
  [PREFIX_FD + 135, of('i16x8', 'extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u')],
  [PREFIX_FD + 139, of('i16x8', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u')],
  [PREFIX_FD + 148, 'f64x2.nearest i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u - i16x8.avgr_u'],
  [PREFIX_FD + 156, of('i16x8', 'extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u')],
  [PREFIX_FD + 160, 'i32x4.abs i32x4.neg - i32x4.all_true i32x4.bitmask'],
  [PREFIX_FD + 167, of('i32x4', 'extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u')],
  [PREFIX_FD + 171, 'i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add - - i32x4.sub - - - i32x4.mul i32x4.min_s'],
  [PREFIX_FD + 183, 'i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s'],
  [PREFIX_FD + 188, of('i32x4', 'extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u')],
  [PREFIX_FD + 192, 'i64x2.abs i64x2.neg - i64x2.all_true i64x2.bitmask'],
  [PREFIX_FD + 199, of('i64x2', 'extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u')],
  [PREFIX_FD + 203, 'i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add - - i64x2.sub - - - i64x2.mul'],
  [PREFIX_FD + 214, of('i64x2', 'eq ne lt_s gt_s le_s ge_s')],
  [PREFIX_FD + 220, of('i64x2', 'extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u')],
  [PREFIX_FD + 224, 'f32x4.abs f32x4.neg - f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max'],
  [PREFIX_FD + 234, 'f32x4.pmin f32x4.pmax f64x2.abs f64x2.neg - f64x2.sqrt f64x2.add f64x2.sub f64x2.mul f64x2.div'],
  [PREFIX_FD + 244, 'f64x2.min f64x2.max f64x2.pmin f64x2.pmax'],
  [PREFIX_FD + 248, of('i32x4', 'trunc_sat_f32x4_s trunc_sat_f32x4_u')],
  [PREFIX_FD + 250, of('f32x4', 'convert_i32x4_s convert_i32x4_u')],
  [PREFIX_FD + 252, of('i32x4', 'trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero')],
  [PREFIX_FD + 254, of('f64x2', 'convert_low_i32x4_s convert_low_i32x4_u')],
  [PREFIX_FD + 0x100, 'i8x16.relaxed_swizzle'],
  [PREFIX_FD + 0x101, of('i32x4', 'relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u')],
  [PREFIX_FD + 0x103, of('i32x4', 'relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero')],
  [PREFIX_FD + 0x105, 'f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd'],
  [PREFIX_FD + 0x109, 'i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect'],
  [PREFIX_FD + 0x10c, 'i64x2.relaxed_laneselect f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min'],
  [PREFIX_FD + 0x110, 'f64x2.relaxed_max i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s'],
  [PREFIX_FD + 0x113, 'i32x4.relaxed_dot_i8x16_i7x16_add_s'],
  [PREFIX_FE, 'memory.atomic.notify memory.atomic.wait32 memory.atomic.wait64 atomic.fence'],
  [PREFIX_FE + 0x10, 'i32.atomic.load i64.atomic.load i32.atomic.load8_u i32.atomic.load16_u'],
  [PREFIX_FE + 0x14, of('i64', 'atomic.load8_u atomic.load16_u atomic.load32_u')],
  [PREFIX_FE + 0x17, 'i32.atomic.store i64.atomic.store i32.atomic.store8 i32.atomic.store16'],
  [PREFIX_FE + 0x1b, of('i64', 'atomic.store8 atomic.store16 atomic.store32')],
  ...['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg'].map(
    (change, i) => [PREFIX_FE + 0x1e + 7 * i, changes(change)] as const,
  ),
];

/** The atomic changes of one kind, by their widths. */
function changes(change: string): string {
  return ['i32 ', 'i64 ', 'i32 8', 'i32 16', 'i64 8', 'i64 16', 'i64 32']
    .map((width) => width.split(' '))
    .map(([type, bits]) => `${type}.atomic.rmw${bits}.${change}${bits === '' ? '' : '_u'}`)
    .join(' ');
}

/** The operations of one shape: its name before each. */
function of(shape: string, operations: string): string {
  return operations
    .split(' ')
    .map((operation) => `${shape}.${operation}`)
    .join(' ');
}

const names = new Map<number, string>();
for (const [first, run] of RUNS) {
  run.split(' ').forEach((name, i) => {
    if (name !== '-') names.set(first + i, name);
  });
}

/** @returns the name of an instruction by its number of opcodes.ts, undefined if there is none */
export function mnemonic(opcode: number): string | undefined {
  return names.get(opcode);
}
