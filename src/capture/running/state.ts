/**
 * What of a stopped thread is not in linear memory: which root call was running, its frames, globals, tables, and
 * the function references among them, by function index. Encoded:
 *
 *   u32 engine version; root: u8 0 (start function) or 1 (export), and for 1 its name (u32 length, UTF-8);
 *   u32 length and bytes of the frame records (frame.ts), innermost first;
 *   u32 length and bytes of the mutable globals, in their order, each as in a frame record;
 *   u32 count and i32 function indices of the saved references;
 *   u32 count of saved exceptions, for each: u32 length and bytes (exceptions.ts);
 *   u32 count of tables that code can change, for each: u32 table, u32 length, i32 function index, or
 *   position among the exceptions in a table of those, or -1 for null.
 */
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { ENGINE_VERSION } from '../layout/facts.ts';

/** What was called from outside: the module's start function, or an export (`_start`). */
export type Root = { readonly type: 'start' } | { readonly type: 'export'; readonly name: string };

export interface TableContent {
  readonly table: number;
  /** Function indices of the original module, or positions in the list of exceptions; -1 for null. */
  readonly entries: Int32Array;
}

export interface MachineState {
  readonly root: Root;
  readonly frames: Uint8Array<ArrayBuffer>;
  readonly globals: Uint8Array<ArrayBuffer>;
  /** Function indices of the references in frames and globals. */
  readonly references: Int32Array;
  /** Exceptions in frames and globals, taken apart; null for one that only this instance knows. */
  readonly exceptions: readonly (Uint8Array<ArrayBuffer> | null)[];
  readonly tables: readonly TableContent[];
  /**
   * True if a frame, global or table holds a reference that only this instance knows (an externref, a function or an
   * exception of the host), see {@link staysBecause}.
   */
  readonly hostReference: boolean;
}

/** Why a state is not encoded; the machine that captured it can resume it all the same. Names of stay reasons. */
const STAYS = {
  host_reference: 'the program holds a reference to a host object',
  deep_stack: `its saved stack takes more than ${LIMITS.savedStackBytes / 2 ** 20} MiB`,
} as const;

/** Why the state can be resumed by the machine that captured it, but not encoded; null if it can be. */
export function staysBecause({ hostReference, frames }: MachineState): keyof typeof STAYS | null {
  if (hostReference) return 'host_reference';
  return frames.length > LIMITS.savedStackBytes ? 'deep_stack' : null;
}

/** @throws GodwitError `cannot_move` if it stays, see {@link staysBecause} */
export function encodeState(state: MachineState): Uint8Array<ArrayBuffer> {
  const reason = staysBecause(state);
  if (reason !== null) throw new GodwitError('cannot_move', `${reason}: ${STAYS[reason]}`);
  const w = new ByteWriter(state.frames.length + state.globals.length + 256);
  w.u32(ENGINE_VERSION);
  const sized = (bytes: Uint8Array): void => {
    w.u32(bytes.length);
    w.raw(bytes);
  };
  const indices = (list: Int32Array): void => {
    w.u32(list.length);
    for (const index of list) w.u32(index >>> 0);
  };
  if (state.root.type === 'start') w.u8(0);
  else {
    w.u8(1);
    sized(encodeUtf8(state.root.name));
  }
  sized(state.frames);
  sized(state.globals);
  indices(state.references);
  w.u32(state.exceptions.length);
  for (const exception of state.exceptions) sized(exception ?? new Uint8Array(0));
  w.u32(state.tables.length);
  for (const { table, entries } of state.tables) {
    w.u32(table);
    indices(entries);
  }
  return w.done();
}

/**
 * Reads what {@link encodeState} wrote. The content is checked against the program only by a resume.
 * @throws GodwitError `version_mismatch` or `corrupt`
 */
export function decodeState(bytes: Uint8Array): MachineState {
  try {
    return readState(new ByteReader(bytes));
  } catch (error) {
    if (!(error instanceof GodwitError) || error.code !== 'protocol') throw error;
    throw new GodwitError('corrupt', `a state that ends too early: ${error.message}`, { cause: error });
  }
}

function readState(r: ByteReader): MachineState {
  const version = r.u32();
  if (version !== ENGINE_VERSION) {
    throw new GodwitError('version_mismatch', `the state is of engine ${version}; this is engine ${ENGINE_VERSION}`);
  }
  const sized = (most: number): Uint8Array<ArrayBuffer> => {
    const size = r.u32();
    if (size > most) throw new GodwitError('corrupt', `a state with a part of ${size} bytes`);
    return Uint8Array.from(r.raw(size));
  };
  const indices = (least: number): Int32Array => {
    const count = r.u32();
    if (count * 4 > r.remaining) throw new GodwitError('corrupt', `a state with ${count} references`);
    return Int32Array.from({ length: count }, () => {
      const index = r.u32() | 0;
      // Below are the marks of references that only the instance knows, which no encoded state has.
      if (index < least) throw new GodwitError('corrupt', `a state with function ${index}`);
      return index;
    });
  };
  const kind = r.u8();
  if (kind > 1) throw new GodwitError('corrupt', `a state with root ${kind}`);
  const root: Root = kind === 0 ? { type: 'start' } : { type: 'export', name: rootName(sized(LIMITS.stringBytes)) };
  const frames = sized(LIMITS.savedStackBytes);
  const globals = sized(LIMITS.savedStackBytes);
  const references = indices(0);
  const exceptionCount = r.u32();
  if (exceptionCount > LIMITS.listEntries)
    throw new GodwitError('corrupt', `a state with ${exceptionCount} exceptions`);
  const exceptions = Array.from({ length: exceptionCount }, () => sized(LIMITS.savedStackBytes));
  const count = r.u32();
  if (count > LIMITS.listEntries) throw new GodwitError('corrupt', `a state with ${count} tables`);
  const tables = Array.from({ length: count }, () => ({ table: r.u32(), entries: indices(-1) }));
  if (r.remaining > 0) throw new GodwitError('corrupt', `a state with ${r.remaining} bytes too many`);
  return { root, frames, globals, references, exceptions, tables, hostReference: false };
}

function rootName(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw new GodwitError('corrupt', 'a state with a malformed name');
  }
}
