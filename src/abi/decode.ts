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
import { checkRange, slice, viewOf } from './memory.ts';
import type { PREVIEW1, Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import type { Subscription } from './types.ts';

/** A WebAssembly argument: i32 as a number of either sign, i64 as a bigint of either sign. */
export type Raw = number | bigint;

/** One call as the guest made it. */
interface Incoming {
  readonly name: Preview1Name;
  readonly raw: readonly Raw[];
  readonly memory: Uint8Array;
}

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

const DECODERS: { readonly [K in ParamKind]: (call: Incoming, index: number) => ParamTypes[K] } = {
  u8: (call, index) => narrow(call, index, 0xff),
  u16: (call, index) => narrow(call, index, 0xffff),
  u32: u32At,
  u64: (call, index) => BigInt.asUintN(64, i64At(call, index)),
  s64: (call, index) => BigInt.asIntN(64, i64At(call, index)),
  fd: u32At,
  path: pathAt,
  inBuffers: buffersAt,
  outBuffers: buffersAt,
  outBytes: (call, index) => slice(call.memory, u32At(call, index), u32At(call, index + 1)),
  stringPointers: u32At,
  stringBytes: u32At,
  subscriptions: subscriptionsAt,
  events(call, index) {
    checkRange(call.memory, u32At(call, index), pollCount(call) * EVENT.size);
    return undefined;
  },
  pollCount,
};

/**
 * The arguments of a call.
 * @param raw the WebAssembly arguments, of the types that `signatureOf(name)` says
 * @param memory all of the guest's memory as it is now: a view of the buffer after its last growth
 * @throws ErrnoError `fault` for what lies outside memory, `inval` for too many or too large buffers, numbers too
 *   large for their type and subscriptions of unknown kind, `nametoolong` and `ilseq` for texts that are too long or
 *   not UTF-8, `inval` for texts with NUL
 */
export function decodeArgs<N extends Preview1Name>(
  name: N,
  raw: readonly Raw[],
  memory: Uint8Array,
): Args<(typeof PREVIEW1)[N]> {
  const call: Incoming = { name, raw, memory };
  const { params, results } = shapeOf(name);
  const args: Record<string, unknown> = {};
  for (const { name: param, kind, index } of params) args[param] = DECODERS[kind](call, index);
  for (const { kind, index } of results) checkRange(memory, u32At(call, index), RESULT_BYTES[kind]);
  // Each parameter was decoded by the decoder of its kind, which is what Args says.
  return args as Args<(typeof PREVIEW1)[N]>;
}

/** The unsigned value of an i32 argument. */
export function u32At(call: { readonly raw: readonly Raw[] }, index: number): number {
  const value = call.raw[index];
  assert(typeof value === 'number', 'an i32 argument is a number');
  return value >>> 0;
}

function i64At(call: Incoming, index: number): bigint {
  const value = call.raw[index];
  assert(typeof value === 'bigint', 'an i64 argument is a bigint');
  return value;
}

/** witx integers below 32 bits travel as i32: a value that does not fit is the caller's error. */
function narrow(call: Incoming, index: number, max: number): number {
  const value = u32At(call, index);
  if (value > max) throw new ErrnoError(ERRNO.inval);
  return value;
}

function pathAt(call: Incoming, index: number): string {
  const length = u32At(call, index + 1);
  const bytes = slice(call.memory, u32At(call, index), length);
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

function buffersAt({ raw, memory }: Incoming, index: number): readonly Uint8Array[] {
  const pointer = u32At({ raw }, index);
  const count = u32At({ raw }, index + 1);
  if (count > LIMITS.ioVectors) throw new ErrnoError(ERRNO.inval);
  checkRange(memory, pointer, count * IOVEC.size);
  const view = viewOf(memory);
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
function pollCount(call: Incoming): number {
  const place = shapeOf(call.name).params.find((param) => param.kind === 'pollCount');
  assert(place, 'a call with subscriptions or events has their number as well');
  const count = u32At(call, place.index);
  if (count === 0 || count > LIMITS.pollSubscriptions) throw new ErrnoError(ERRNO.inval);
  return count;
}

function subscriptionsAt(call: Incoming, index: number): readonly Subscription[] {
  const pointer = u32At(call, index);
  const count = pollCount(call);
  checkRange(call.memory, pointer, count * SUBSCRIPTION.size);
  const view = viewOf(call.memory);
  const found: Subscription[] = [];
  for (let i = 0; i < count; i++) {
    const subscription = SUBSCRIPTION.read(view, pointer + i * SUBSCRIPTION.size);
    if (subscription === null) throw new ErrnoError(ERRNO.inval);
    found.push(subscription);
  }
  return found;
}
