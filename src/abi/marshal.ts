/**
 * A home call as bytes: the request that the guest's node sends and the reply of the home node. Both are made and
 * read by the kinds in the table alone; no call has code of its own here.
 *
 * Request: call number (u8), then each parameter in the table's order. In-buffers travel with it as one run of bytes,
 * of out-buffers only the room. Reply: errno (u16); if that is 0, the results in the table's order, then what each
 * out-buffer was filled with, then the events. Reads and writes are cut to LIMITS.homeCallBytes, as POSIX allows.
 *
 * How much of an out-buffer was filled is what the call's result `count` says. A call without `count`
 * (fd_prestat_dir_name) may leave any of its room as it was, so there the room's old content travels to home and the
 * whole of it comes back.
 *
 * Both directions are hostile: a peer's bytes are checked against the table, the limits and, for a reply, the room
 * that the request gave.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, encodeUtf8 } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { decodeArgs, decodePath, RESULT_BYTES } from './decode.ts';
import type { Raw } from './decode.ts';
import { encodeResults, writeResult } from './encode.ts';
import { ERRNO, ErrnoError, toErrno } from './errno.ts';
import type { Errno } from './errno.ts';
import type { Args, ParamKind, ParamTypes, ResultKind, Results, ResultTypes } from './kinds.ts';
import { EVENT, FDSTAT, FILESTAT, PRESTAT, SUBSCRIPTION } from './layout.ts';
import { gather, scatter, totalLength, viewOf } from './memory.ts';
import { CALL_NAMES, callIndex, PREVIEW1 } from './preview1.ts';
import type { Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import { isFileType } from './types.ts';
import type { Event, FileType, Subscription } from './types.ts';

type ArgsOf<N extends Preview1Name> = Args<(typeof PREVIEW1)[N]>;
type ResultsOf<N extends Preview1Name> = Results<(typeof PREVIEW1)[N]>;

/** How a call ended. */
export type Outcome<N extends Preview1Name> = { readonly errno: Errno } | { readonly results: ResultsOf<N> };

/** One call with its typed arguments: the discriminated union of all of them. */
export type TypedCall = { [N in Preview1Name]: { readonly name: N; readonly args: ArgsOf<N> } }[Preview1Name];

function refuse(message: string): never {
  throw new GodwitError('protocol', message);
}

interface ParamCodec<T> {
  write(writer: ByteWriter, value: T, counted: boolean): void;
  read(reader: ByteReader, counted: boolean): T;
}

const u32: ParamCodec<number> = { write: (w, value) => w.u32(value), read: (r) => r.u32() };
const nothing: ParamCodec<undefined> = { write() {}, read: () => undefined };
/** args_get and environ_get run where the guest is: their pointers mean nothing elsewhere. */
const neverAway: ParamCodec<number> = {
  write: () => assert(false, 'pointers do not travel'),
  read: () => refuse('pointers do not travel'),
};

const PARAM_CODECS: { readonly [K in ParamKind]: ParamCodec<ParamTypes[K]> } = {
  u8: { write: (w, value) => w.u8(value), read: (r) => r.u8() },
  u16: { write: (w, value) => w.u16(value), read: (r) => r.u16() },
  u32,
  fd: u32,
  u64: { write: (w, value) => w.u64(value), read: (r) => r.u64() },
  s64: { write: (w, value) => w.u64(BigInt.asUintN(64, value)), read: (r) => BigInt.asIntN(64, r.u64()) },
  path: {
    write: (w, value) => writeBytes(w, encodeUtf8(value)),
    read(r) {
      try {
        return decodePath(readBytes(r, LIMITS.pathBytes));
      } catch (error) {
        // The guest's node has checked the text before: whoever sends this does not keep to the protocol.
        return error instanceof ErrnoError ? refuse(`a path with ${error.message}`) : rethrow(error);
      }
    },
  },
  inBuffers: {
    write: (w, value) => writeBytes(w, gather(value, LIMITS.homeCallBytes)),
    read: (r) => nonEmpty(readBytes(r, LIMITS.homeCallBytes)),
  },
  outBuffers: {
    write: (w, value) => w.u32(roomOf(totalLength(value))),
    read: (r) => nonEmpty(new Uint8Array(readRoom(r))),
  },
  outBytes: {
    write(w, value, counted) {
      const room = roomOf(value.length);
      w.u32(room);
      if (!counted) w.raw(value.subarray(0, room));
    },
    read(r, counted) {
      const room = readRoom(r);
      return counted ? new Uint8Array(room) : r.raw(room).slice();
    },
  },
  stringPointers: neverAway,
  stringBytes: neverAway,
  subscriptions: {
    write(w, value) {
      w.u32(value.length);
      const bytes = new Uint8Array(SUBSCRIPTION.size);
      for (const subscription of value) {
        SUBSCRIPTION.write(viewOf(bytes), 0, subscription);
        w.raw(bytes);
      }
    },
    read: readSubscriptions,
  },
  events: nothing,
  pollCount: u32,
};

const roomOf = (length: number): number => Math.min(length, LIMITS.homeCallBytes);
const nonEmpty = (bytes: Uint8Array): readonly Uint8Array[] => (bytes.length === 0 ? [] : [bytes]);

function rethrow(error: unknown): never {
  throw error;
}

function writeBytes(w: ByteWriter, bytes: Uint8Array): void {
  w.u32(bytes.length);
  w.raw(bytes);
}

function readBytes(r: ByteReader, limit: number): Uint8Array {
  const length = r.u32();
  if (length > limit) refuse(`${length} bytes where ${limit} are allowed`);
  return r.raw(length);
}

function readRoom(r: ByteReader): number {
  const room = r.u32();
  return room > LIMITS.homeCallBytes ? refuse(`room for ${room} bytes`) : room;
}

function readSubscriptions(r: ByteReader): readonly Subscription[] {
  const count = r.u32();
  if (count === 0 || count > LIMITS.pollSubscriptions) refuse(`${count} subscriptions`);
  const found: Subscription[] = [];
  for (let i = 0; i < count; i++) {
    const subscription = SUBSCRIPTION.read(viewOf(r.raw(SUBSCRIPTION.size)), 0);
    found.push(subscription ?? refuse('a subscription of unknown kind'));
  }
  return found;
}

/**
 * The request for a call, at the guest's side.
 * @param args what `decodeArgs` gave; the content of in-buffers is read now
 */
export function encodeRequest<N extends Preview1Name>(name: N, args: ArgsOf<N>): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u8(callIndex(name));
  const { counted } = traitsOf(name);
  const values = args as Readonly<Record<string, ParamTypes[ParamKind]>>;
  for (const { name: param, kind } of shapeOf(name).params) {
    codecOf(kind).write(writer, values[param], counted);
  }
  return writer.done();
}

/**
 * The call that a request asks for, at home. Buffers are views of `bytes` (in) or fresh and zero (out).
 * @throws GodwitError `protocol` if the bytes are not a request
 */
export function decodeRequest(bytes: Uint8Array): TypedCall {
  const reader = new ByteReader(bytes);
  const name = CALL_NAMES[reader.u8()] ?? refuse('no such call');
  if (PREVIEW1[name].runs === 'here') refuse(`${name} is not a home call`);
  const { counted } = traitsOf(name);
  const args: Record<string, unknown> = {};
  for (const { name: param, kind } of shapeOf(name).params) args[param] = codecOf(kind).read(reader, counted);
  if (reader.remaining !== 0) refuse(`${reader.remaining} bytes are left over behind ${name}`);
  const { subscriptions, capacity } = args;
  if (Array.isArray(subscriptions) && subscriptions.length !== capacity) refuse('subscriptions and room differ');
  // Each parameter was read by the codec of its kind, which is what Args says.
  return { name, args } as unknown as TypedCall;
}

/** A codec whose values are of the kind's type: the callers take both from the same place in the table. */
function codecOf(kind: ParamKind): ParamCodec<unknown> {
  return PARAM_CODECS[kind];
}

/** What of a call's shape is asked for each time. */
interface Traits {
  /** Whether the result `count` says how far the call's out-buffers are filled. */
  readonly counted: boolean;
  readonly events: boolean;
  /** The parameters that are out-buffers. */
  readonly out: readonly { readonly name: string; readonly kind: 'outBuffers' | 'outBytes' }[];
}

const TRAITS: ReadonlyMap<Preview1Name, Traits> = new Map(
  CALL_NAMES.map((name) => {
    const { params } = shapeOf(name);
    const out = params.flatMap(({ name: param, kind }) =>
      kind === 'outBuffers' || kind === 'outBytes' ? [{ name: param, kind }] : [],
    );
    const counted = 'count' in PREVIEW1[name].results;
    return [name, { counted, events: params.some(({ kind }) => kind === 'events'), out }];
  }),
);

function traitsOf(name: Preview1Name): Traits {
  const traits = TRAITS.get(name);
  assert(traits, `no traits of ${name}`);
  return traits;
}

/** The out-buffers of a call, in the table's order. */
function outBuffersOf({ out }: Traits, args: object): readonly (readonly Uint8Array[])[] {
  const values = args as Readonly<Record<string, unknown>>;
  return out.map(({ name, kind }) =>
    kind === 'outBuffers' ? (values[name] as readonly Uint8Array[]) : [values[name] as Uint8Array],
  );
}

/**
 * The reply to a request, at home.
 * @param args what `decodeRequest` gave: its out-buffers, now filled, travel back
 */
export function encodeReply<N extends Preview1Name>(
  name: N,
  args: ArgsOf<N>,
  outcome: Outcome<N>,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  if ('errno' in outcome) {
    writer.u16(outcome.errno);
    return writer.done();
  }
  writer.u16(0);
  const traits = traitsOf(name);
  const values = outcome.results as Readonly<Record<string, ResultTypes[ResultKind]>> & { events?: readonly Event[] };
  for (const { name: result, kind } of shapeOf(name).results) {
    const value = values[result];
    assert(value !== undefined, `${name} has returned no ${result}`);
    writer.record(RESULT_BYTES[kind], (view, at) => writeResult(kind, view, at, value));
  }
  const filled = traits.counted ? Number(values['count']) : LIMITS.homeCallBytes;
  for (const buffers of outBuffersOf(traits, args)) writeBytes(writer, gather(buffers, filled));
  if (traits.events) {
    const events = values.events ?? [];
    writer.u32(events.length);
    for (const event of events) writer.record(EVENT.size, (view, at) => EVENT.write(view, at, event));
  }
  return writer.done();
}

const RESULT_READERS: { readonly [K in ResultKind]: (view: DataView) => ResultTypes[K] } = {
  size: (view) => view.getUint32(0, true),
  u16: (view) => view.getUint16(0, true),
  u64: (view) => view.getBigUint64(0, true),
  fd: (view) => view.getUint32(0, true),
  fdstat: (view) => typed(FDSTAT.read(view, 0)),
  filestat: (view) => typed(FILESTAT.read(view, 0)),
  prestat: (view) => PRESTAT.read(view, 0),
};

function typed<T extends { readonly filetype: FileType }>(value: T): T {
  return isFileType(value.filetype) ? value : refuse('no such file type');
}

/**
 * A reply's outcome, with the out-buffers of `args` filled. Nothing is written before all has been checked.
 * @throws GodwitError `protocol` if the bytes are not a reply to this call
 */
export function decodeReply<N extends Preview1Name>(name: N, args: ArgsOf<N>, bytes: Uint8Array): Outcome<N> {
  const reader = new ByteReader(bytes);
  const status = reader.u16();
  if (status !== 0) {
    if (reader.remaining !== 0) refuse('an error with results');
    return { errno: toErrno(status) ?? refuse(`no such errno: ${status}`) };
  }
  const traits = traitsOf(name);
  const results: Record<string, unknown> = {};
  for (const { name: result, kind } of shapeOf(name).results) {
    results[result] = RESULT_READERS[kind](reader.view(RESULT_BYTES[kind]));
  }
  const fills: { readonly content: Uint8Array; readonly into: readonly Uint8Array[] }[] = [];
  for (const into of outBuffersOf(traits, args)) {
    const room = roomOf(totalLength(into));
    const content = readBytes(reader, room);
    if (content.length !== (traits.counted ? results['count'] : room)) refuse(`${name} has miscounted its bytes`);
    fills.push({ content, into });
  }
  if (traits.events) results['events'] = readEvents(reader, results['count'], args);
  if (reader.remaining !== 0) refuse(`${reader.remaining} bytes are left over behind the reply to ${name}`);
  for (const { content, into } of fills) scatter(content, into);
  return { results: results as ResultsOf<N> };
}

function readEvents(r: ByteReader, counted: unknown, args: object): readonly Event[] {
  const count = r.u32();
  const room = 'capacity' in args ? args.capacity : 0;
  if (count !== counted || typeof room !== 'number' || count > room) refuse(`${count} events`);
  const events: Event[] = [];
  for (let i = 0; i < count; i++) events.push(EVENT.read(viewOf(r.raw(EVENT.size)), 0));
  return events;
}

/**
 * Takes a reply to the guest's memory, through the arguments of the call as the guest made it. The guest may have
 * moved or grown since the request.
 * @returns the errno for the guest, 0 for success
 * @throws GodwitError `protocol` if the bytes are not a reply to this call
 */
export function applyReply(name: Preview1Name, raw: readonly Raw[], memory: Uint8Array, bytes: Uint8Array): number {
  try {
    const args = decodeArgs(name, raw, memory);
    const outcome = decodeReply(name, args, bytes);
    if ('errno' in outcome) return outcome.errno;
    checkCut(name, args, outcome.results);
    encodeResults(name, raw, memory, outcome.results);
    return 0;
  } catch (error) {
    // Another thread of the guest has spoilt the arguments behind the call's back.
    if (error instanceof ErrnoError) return error.errno;
    throw error;
  }
}

/**
 * fd_readdir says by a buffer that is not full that the directory ends there. A buffer that only the limit has cut
 * would say so falsely, and entries would be lost in silence; hence an error for whoever reads a directory of more
 * than that in one call.
 */
function checkCut(name: Preview1Name, args: object, results: object): void {
  const traits = traitsOf(name);
  if (!traits.out.some(({ kind }) => kind === 'outBytes')) return;
  const cut = outBuffersOf(traits, args).some((into) => totalLength(into) > LIMITS.homeCallBytes);
  if (cut && 'count' in results && results.count === LIMITS.homeCallBytes) {
    throw new ErrnoError(ERRNO.nobufs);
  }
}
