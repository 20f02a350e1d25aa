/**
 * Value types and function types. A value type is its byte in the binary format (WebAssembly core specification,
 * section 5.3), so that decoding, comparing and encoding need no conversion; reference types that take more than one
 * byte there have numbers of the module's own (references.ts).
 */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;
export const EXNREF = 0x69;
/** Before a heap type: the type of references to it, with and without null. */
export const NULLABLE_PREFIX = 0x63;
export const NON_NULL_PREFIX = 0x64;
/** The operand type "any" that unreachable code produces in the validation algorithm. Never in a binary. */
export const UNKNOWN = 0;

export type ValueType = number;

/** A list of value types, one byte each. */
export type TypeList = Uint8Array;

export interface FunctionType {
  readonly params: TypeList;
  readonly results: TypeList;
}

const NAMES = new Map<ValueType, string>([
  [I32, 'i32'],
  [I64, 'i64'],
  [F32, 'f32'],
  [F64, 'f64'],
  [V128, 'v128'],
  [FUNCREF, 'funcref'],
  [EXTERNREF, 'externref'],
  [EXNREF, 'exnref'],
  [UNKNOWN, 'unknown'],
]);

export function typeName(type: ValueType): string {
  return NAMES.get(type) ?? `type 0x${type.toString(16)}`;
}

/** Whether it is a type of numbers or vectors; all others are references. */
export function isNumeric(type: ValueType): boolean {
  return type >= V128 && type <= I32;
}

export const NO_TYPES: TypeList = new Uint8Array(0);

const single = Array.from({ length: 256 }, (_, type) => Uint8Array.of(type));

/** The list of exactly this type; the same object every time. */
export function oneType(type: ValueType): TypeList {
  return single[type] ?? NO_TYPES;
}

export function sameTypes(a: TypeList, b: TypeList): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
