/**
 * The shape of every call as WebAssembly sees it, made from the table: which parameter of the imported function is
 * which, and the function's type, with which a module's imports are compared.
 */
import { assert } from '../base/assert.ts';
import type { CallSpec, ParamKind, ResultKind } from './kinds.ts';
import { PREVIEW1 } from './preview1.ts';
import type { Preview1Name } from './preview1.ts';

export type CoreType = 'i32' | 'i64';

export interface Signature {
  readonly params: readonly CoreType[];
  readonly results: readonly CoreType[];
}

/** A parameter or result of a call, and the position of its (first) WebAssembly parameter. */
export interface Place<K> {
  readonly name: string;
  readonly kind: K;
  readonly index: number;
}

export interface Shape {
  readonly params: readonly Place<ParamKind>[];
  /** Their WebAssembly parameters are the out-pointers. */
  readonly results: readonly Place<ResultKind>[];
  readonly signature: Signature;
}

/** The WebAssembly parameters that each kind takes. */
const CORE_TYPES: { readonly [K in ParamKind]: readonly CoreType[] } = {
  u8: ['i32'],
  u16: ['i32'],
  u32: ['i32'],
  u64: ['i64'],
  s64: ['i64'],
  fd: ['i32'],
  path: ['i32', 'i32'],
  inBuffers: ['i32', 'i32'],
  outBuffers: ['i32', 'i32'],
  outBytes: ['i32', 'i32'],
  stringPointers: ['i32'],
  stringBytes: ['i32'],
  subscriptions: ['i32'],
  events: ['i32'],
  pollCount: ['i32'],
};

function shape(name: Preview1Name): Shape {
  const spec: CallSpec = PREVIEW1[name];
  const types: CoreType[] = [];
  const params: Place<ParamKind>[] = [];
  for (const [param, kind] of Object.entries(spec.params)) {
    params.push({ name: param, kind, index: types.length });
    types.push(...CORE_TYPES[kind]);
  }
  const results: Place<ResultKind>[] = [];
  for (const [result, kind] of Object.entries(spec.results)) {
    results.push({ name: result, kind, index: types.length });
    types.push('i32');
  }
  // The one call that does not come back (witx: @witx noreturn), so it has no errno either.
  return { params, results, signature: { params: types, results: name === 'proc_exit' ? [] : ['i32'] } };
}

const SHAPES = Object.fromEntries(Object.keys(PREVIEW1).map((name) => [name, shape(name as Preview1Name)]));

/** The shape of a call: always the same object for the same name. */
export function shapeOf(name: Preview1Name): Shape {
  const found = SHAPES[name];
  assert(found, `no shape of ${name}`);
  return found;
}

/** The type that a module must import the call with. */
export function signatureOf(name: Preview1Name): Signature {
  return shapeOf(name).signature;
}
