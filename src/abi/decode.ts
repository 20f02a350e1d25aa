/**
 * From WebAssembly arguments and guest memory to the typed arguments of a call. Everything the guest can get wrong
 * about pointers, lengths and texts is found here, once, before the call has any effect; the out-pointers of its
 * results are checked too, so that a call which fails with `fault` has done nothing.
 *
 * Buffers come out as views of guest memory, so another thread of the guest may change their content at any time;
 * lengths, pointers, texts and subscriptions are read once and cannot change any more.
 *
 * Alignment is not insisted on: wasm loads and stores work at any address, and so do these.
 */
import { assert } from '../base/assert.ts';
import { decodeUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { ERRNO, ErrnoError } from './errno.ts';
import type { Args, ParamKind, ParamTypes, ResultKind } from './kinds.ts';
import { EVENT, FDSTAT, FILESTAT, IOVEC, PRESTAT, SUBSCRIPTION } from './layout.ts';
import { checkRange, guestView, slice } from './memory.ts';
import { CALL_NAMES } from './preview1.ts';
import type { PREVIEW1, Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import type { Subscription } from './types.ts';

/** A WebAssembly argument: i32 as a number of either sign, i64 as a bigint of either sign. */
export type Raw = number | bigint;

/** Bytes that each result takes in guest memory. */
export const RESULT_BYTES: { readonly [K in ResultKind]: number } = {
  size: 4,
  u16: 2,
  u64: 8,
  fd: 4,
  fdstat: FDSTAT.size,
  filestat: FILESTAT.size,
  prestat: PRESTAT.size,
};

/** All buffers of one call together: their number of bytes must fit into the u32 that the call returns. */
const MAX_TOTAL = 0xffff_ffff;

/**
 * Decodes one parameter.
 * @param index of its first WebAssembly argument
 * @param countIndex of the argument of kind `pollCount`, -1 if the call has none
 */
type Decoder<T> = (raw: readonly Raw[], index: number, memory: Uint8Array, countIndex: number) => T;

const DECODERS: { readonly [K in ParamKind]: Decoder<ParamTypes[K]> } = {
  u8: (raw, index) => narrow(raw, index, 0xff),
  u16: (raw, index) => narrow(raw, index, 0xffff),
  u32: u32At,
  u64: (raw, index) => BigInt.asUintN(64, i64At(raw, index)),
  s64: (raw, index) => BigInt.asIntN(64, i64At(raw, index)),
  fd: u32At,
  path: pathAt,
  inBuffers: buffersAt,
  outBuffers: buffersAt,
  outBytes: (raw, index, memory) => slice(memory, u32At(raw, index), u32At(raw, index + 1)),
  stringPointers: u32At,
  stringBytes: u32At,
  subscriptions: subscriptionsAt,
  events(raw, index, memory, countIndex) {
    checkRange(memory, u32At(raw, index), pollCountAt(raw, countIndex) * EVENT.size);
    return undefined;
  },
  pollCount: pollCountAt,
};

type AnyDecoder = (raw: readonly Raw[], memory: Uint8Array) => object;

/**
 * The decoder of one call, as JavaScript written from the table: an object literal with the call's own names is ten
 * times as fast as filling an object name by name, and every system call of every guest comes through here. What goes
 * into the text are names and numbers of the table, nothing from outside.
 */
function compile(name: Preview1Name): AnyDecoder {
  const { params, results } = shapeOf(name);
  const countIndex = params.find((param) => param.kind === 'pollCount')?.index ?? -1;
  const fields = params.map(({ name: param, index }, i) => `${param}: d${i}(raw, ${index}, memory, ${countIndex})`);
  const checks = results.map(({ kind, index }) => `check(memory, raw[${index}] >>> 0, ${RESULT_BYTES[kind]});`);
  const text = `return (raw, memory) => { const args = { ${fields.join(', ')} }; ${checks.join(' ')} return args; };`;
  // oxlint-disable-next-line typescript/no-implied-eval -- see above
  const make = new Function('check', ...params.map((_, i) => `d${i}`), text) as (...used: unknown[]) => AnyDecoder;
  return make(checkRange, ...params.map(({ kind }) => DECODERS[kind]));
}

const COMPILED: ReadonlyMap<Preview1Name, AnyDecoder> = new Map(CALL_NAMES.map((name) => [name, compile(name)]));

/**
 * The arguments of a call.
 * @param raw the WebAssembly arguments, of the types that `signatureOf(name)` says
 * @param memory all of the guest's memory as it is now: a view of the buffer after its last growth. Best always the
 *   same Uint8Array until the next growth
 * @throws ErrnoError `fault` for what lies outside memory, `inval` for too many or too large buffers, numbers too
 *   large for their type and subscriptions of unknown kind, `nametoolong` and `ilseq` for texts that are too long or
 *   not UTF-8, `inval` for texts with NUL
 */
export function decodeArgs<N extends Preview1Name>(
  name: N,
  raw: readonly Raw[],
  memory: Uint8Array,
): Args<(typeof PREVIEW1)[N]> {
  const decoder = COMPILED.get(name);
  assert(decoder, `no decoder of ${name}`);
  // Each parameter was decoded by the decoder of its kind, which is what Args says.
  return decoder(raw, memory) as Args<(typeof PREVIEW1)[N]>;
}

/** The unsigned value of an i32 argument. */
function u32At(raw: readonly Raw[], index: number): number {
  const value = raw[index];
  assert(typeof value === 'number', 'an i32 argument is a number');
  return value >>> 0;
}

function i64At(raw: readonly Raw[], index: number): bigint {
  const value = raw[index];
  assert(typeof value === 'bigint', 'an i64 argument is a bigint');
  return value;
}

/** witx integers below 32 bits travel as i32: a value that does not fit is the caller's error. */
function narrow(raw: readonly Raw[], index: number, max: number): number {
  const value = u32At(raw, index);
  if (value > max) throw new ErrnoError(ERRNO.inval);
  return value;
}

function pathAt(raw: readonly Raw[], index: number, memory: Uint8Array): string {
  const length = u32At(raw, index + 1);
  const bytes = slice(memory, u32At(raw, index), length);
  if (length > LIMITS.pathBytes) throw new ErrnoError(ERRNO.nametoolong);
  return decodePath(bytes);
}

/**
 * A path or link text.
 * @throws ErrnoError `ilseq` if it is not UTF-8, `inval` if it contains NUL
 */
export function decodePath(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch {
    throw new ErrnoError(ERRNO.ilseq);
  }
  if (text.includes('\0')) throw new ErrnoError(ERRNO.inval);
  return text;
}

function buffersAt(raw: readonly Raw[], index: number, memory: Uint8Array): readonly Uint8Array[] {
  const pointer = u32At(raw, index);
  const count = u32At(raw, index + 1);
  if (count > LIMITS.ioVectors) throw new ErrnoError(ERRNO.inval);
  checkRange(memory, pointer, count * IOVEC.size);
  const view = guestView(memory);
  const buffers: Uint8Array[] = [];
  let total = 0;
  for (let at = pointer, end = pointer + count * IOVEC.size; at < end; at += IOVEC.size) {
    const length = view.getUint32(at + LENGTH_AT, true);
    const buffer = slice(memory, view.getUint32(at, true), length);
    total += length;
    // Empty ones are checked like the others and left out: no one has to think of them again.
    if (length > 0) buffers.push(buffer);
  }
  if (total > MAX_TOTAL) throw new ErrnoError(ERRNO.inval);
  return buffers;
}
const LENGTH_AT = 4;

/** POSIX lets poll wait on nothing; preview 1 does not: it is `inval`, as in wasmtime. */
function pollCountAt(raw: readonly Raw[], index: number): number {
  const count = u32At(raw, index);
  if (count === 0 || count > LIMITS.pollSubscriptions) throw new ErrnoError(ERRNO.inval);
  return count;
}

function subscriptionsAt(
  raw: readonly Raw[],
  index: number,
  memory: Uint8Array,
  countIndex: number,
): readonly Subscription[] {
  const pointer = u32At(raw, index);
  const count = pollCountAt(raw, countIndex);
  checkRange(memory, pointer, count * SUBSCRIPTION.size);
  const view = guestView(memory);
  const found: Subscription[] = [];
  for (let i = 0; i < count; i++) {
    const subscription = SUBSCRIPTION.read(view, pointer + i * SUBSCRIPTION.size);
    if (subscription === null) throw new ErrnoError(ERRNO.inval);
    found.push(subscription);
  }
  return found;
}
