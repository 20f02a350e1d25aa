/**
 * From the typed results of a call to guest memory, through the out-pointers of its WebAssembly arguments. All ranges
 * have been checked by `decodeArgs` before the call took effect, and memory never shrinks, so a range that is
 * outside here is a bug of ours (a RangeError of the view), not the guest's.
 */
import { assert } from '../base/assert.ts';
import type { Raw } from './decode.ts';
import type { Results, ResultKind, ResultTypes } from './kinds.ts';
import { EVENT, FDSTAT, FILESTAT, PRESTAT } from './layout.ts';
import { checkRange, guestView } from './memory.ts';
import { CALL_NAMES } from './preview1.ts';
import type { PREVIEW1, Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import type { Event } from './types.ts';

const WRITERS: { readonly [K in ResultKind]: (view: DataView, at: number, value: ResultTypes[K]) => void } = {
  size: (view, at, value) => view.setUint32(at, value, true),
  u16: (view, at, value) => view.setUint16(at, value, true),
  u64: (view, at, value) => view.setBigUint64(at, value, true),
  fd: (view, at, value) => view.setUint32(at, value, true),
  fdstat: FDSTAT.write,
  filestat: FILESTAT.write,
  prestat: PRESTAT.write,
};

/** Writes one result of any kind: `value` is of the type that ResultTypes gives for `kind`. */
export function writeResult<K extends ResultKind>(kind: K, view: DataView, at: number, value: ResultTypes[K]): void {
  WRITERS[kind](view, at, value);
}

type Encoder = (raw: readonly Raw[], view: DataView, results: object) => void;

/** The encoder of one call as JavaScript, for the reasons given in abi/decode.ts. */
function compile(name: Preview1Name): Encoder {
  const { params, results } = shapeOf(name);
  const events = params
    .filter((param) => param.kind === 'events')
    .map(({ index }) => `events(view, raw[${index}] >>> 0, results.events);`);
  const writes = results.map(({ name: result, index }, i) => `w${i}(view, raw[${index}] >>> 0, results.${result});`);
  const text = `return (raw, view, results) => { ${[...events, ...writes].join(' ')} };`;
  // oxlint-disable-next-line typescript/no-implied-eval -- see above
  const make = new Function('events', ...results.map((_, i) => `w${i}`), text) as (...used: unknown[]) => Encoder;
  return make(writeEvents, ...results.map(({ kind }) => WRITERS[kind]));
}

const COMPILED: ReadonlyMap<Preview1Name, Encoder> = new Map(CALL_NAMES.map((name) => [name, compile(name)]));

/**
 * Writes the results of a call that has succeeded.
 * @param raw the same arguments that `decodeArgs` was given
 * @param memory all of the guest's memory as it is now; it may have grown since
 */
export function encodeResults<N extends Preview1Name>(
  name: N,
  raw: readonly Raw[],
  memory: Uint8Array,
  results: Results<(typeof PREVIEW1)[N]>,
): void {
  const encoder = COMPILED.get(name);
  assert(encoder, `no encoder of ${name}`);
  encoder(raw, guestView(memory), results);
}

function writeEvents(view: DataView, at: number, events: readonly Event[]): void {
  for (const [i, event] of events.entries()) EVENT.write(view, at + i * EVENT.size, event);
}

/** What args_sizes_get and environ_sizes_get say: the strings' number, and their bytes with a NUL behind each. */
export function stringSizes(strings: readonly Uint8Array[]): { readonly count: number; readonly bytes: number } {
  let bytes = 0;
  for (const string of strings) bytes += string.length + 1;
  return { count: strings.length, bytes };
}

/**
 * Writes what args_get and environ_get give: the strings one after the other, each with a NUL behind it, and an array
 * of pointers to them.
 * @param pointers where the array goes @param bytes where the strings go
 * @throws ErrnoError `fault` if either does not fit into memory; nothing is written then
 */
export function writeStrings(
  memory: Uint8Array,
  pointers: number,
  bytes: number,
  strings: readonly Uint8Array[],
): void {
  const sizes = stringSizes(strings);
  checkRange(memory, pointers, sizes.count * POINTER_BYTES);
  checkRange(memory, bytes, sizes.bytes);
  const view = guestView(memory);
  let at = bytes;
  for (const [i, string] of strings.entries()) {
    view.setUint32(pointers + i * POINTER_BYTES, at, true);
    memory.set(string, at);
    memory[at + string.length] = 0;
    at += string.length + 1;
  }
}
const POINTER_BYTES = 4;
