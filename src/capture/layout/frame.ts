/**
 * What a function keeps in a frame record, and where. A record lies in the save area of the control memory:
 *
 *   values of the saved locals, in the plan's order, packed without gaps;
 *   u32 function index in the original module; u32 pc; u32 size of the whole record; a u32 that is overwritten by a
 *   resume with the number of the frame's continuation in the table of continuations.
 *
 * i32 and f32 take 4 bytes, i64 and f64 8, v128 16; a reference takes 4: 0 for null, otherwise its position in the
 * table of saved references, plus 1. Records lie innermost first, so a resume takes them from the end.
 */
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../wasm/types.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import type { ValueType } from '../../wasm/types.ts';

/** Bytes at the start of the control memory that belong to the host; the attention word (i32) is at offset 0. */
const HOST_BYTES = 1024;
/** Where the first record begins. */
export const SAVE_BASE: number = HOST_BYTES;
/** The save pointer behind a trap for want of room: records are missing, so there is nothing to go on from. */
export const NO_ROOM = -1;
/** Bytes of function index, pc, size and continuation number behind the values. */
export const TRAILER_BYTES = 16;
/** Values that one helper call saves; a longer frame takes several. V8 allows 1000 parameters. */
const VALUES_PER_CALL = 48;

/** The order in which values are saved: few different helpers come out of it. */
export const SAVED_TYPES: readonly ValueType[] = [I32, I64, F32, F64, V128, FUNCREF, EXTERNREF, EXNREF];

/** Bytes that a value of the type takes; all references take the same. */
export function savedSize(type: ValueType): number {
  if (type === V128) return 16;
  return type === I64 || type === F64 ? 8 : 4;
}

/**
 * How many values of each of {@link SAVED_TYPES} a helper takes, and, if it ends the record, how many bytes of it other
 * helpers have saved before; else null. So a helper knows the size of a record, and no function has to tell it.
 */
export interface SaveSignature {
  readonly counts: readonly number[];
  readonly before: number | null;
}

export function signatureKey({ counts, before }: SaveSignature): string {
  return `${counts.join()}${before === null ? '+' : `.${before}`}`;
}

/** What a helper's parameters are saved as, without those that end a record. */
export function savedTypes({ counts }: SaveSignature): ValueType[] {
  return SAVED_TYPES.flatMap((type, i) => Array.from({ length: counts[i]! }, () => type));
}

/** One call of a save helper. */
export interface SaveCall {
  readonly signature: SaveSignature;
  readonly locals: readonly number[];
}

/** A local in a frame record. */
export interface SavedLocal {
  readonly local: number;
  readonly type: ValueType;
  /** The one of {@link SAVED_TYPES} as which it is saved. */
  readonly kind: ValueType;
}

/** Everything about a function's frame that its rewritten code and its continuations must agree on. */
export interface FramePlan {
  /** Types of the locals that the rewriter adds behind the function's own. */
  readonly extraLocals: readonly ValueType[];
  /** The local that holds the number of the site, the first of the added ones. */
  readonly pcLocal: number;
  /** Where the operand at a stack position is kept: local by `position * 256 + type`. */
  readonly spills: ReadonlyMap<number, number>;
  /** Scratch locals for the arguments above spilled operands, with the same kind of key. */
  readonly temporaries: ReadonlyMap<number, number>;
  /** Locals in the order of saving, with their types. */
  readonly saved: readonly SavedLocal[];
  readonly calls: readonly SaveCall[];
  /** Bytes of a record, trailer included. */
  readonly frameBytes: number;
  /** Number of sites in the function, and which of them are polls. */
  readonly sites: number;
  readonly polls: ReadonlySet<number>;
}

/** Orders the saved locals and divides them among helper calls. */
export function planSaving(
  locals: readonly number[],
  typeOf: (local: number) => ValueType,
  references: ReferenceTypes,
): Pick<FramePlan, 'saved' | 'calls' | 'frameBytes'> {
  const saved = SAVED_TYPES.flatMap((kind) =>
    locals.flatMap((local) => {
      const type = typeOf(local);
      return references.top(type) === kind ? [{ local, type, kind }] : [];
    }),
  );
  const calls: SaveCall[] = [];
  let bytes = 0;
  for (let at = 0; at === 0 || at < saved.length; at += VALUES_PER_CALL) {
    const part = saved.slice(at, at + VALUES_PER_CALL);
    const counts = SAVED_TYPES.map((type) => part.filter(({ kind }) => kind === type).length);
    const ends = at + VALUES_PER_CALL >= saved.length;
    calls.push({ signature: { counts, before: ends ? bytes : null }, locals: part.map(({ local }) => local) });
    bytes += part.reduce((sum, { type }) => sum + savedSize(type), 0);
  }
  return { saved, calls, frameBytes: bytes + TRAILER_BYTES };
}
