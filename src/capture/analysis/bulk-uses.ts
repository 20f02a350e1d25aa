/**
 * Which bulk instructions can be long, as far as all of the engine has to agree on it: what they are called by, and the types
 * of their helpers (bulk.ts).
 */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, I64, NO_TYPES } from '../../wasm/types.ts';
import type { FunctionType } from '../../wasm/types.ts';
import type { FunctionWalker } from '../../wasm/walker.ts';

export const BULK_KINDS = ['memory.fill', 'memory.copy', 'memory.init'] as const;
export type BulkKind = (typeof BULK_KINDS)[number];

/** An instruction that can be longer than a piece. */
export interface BulkUse {
  readonly kind: BulkKind;
  /** The memory that is written. */
  readonly memory: number;
  /** The memory that a copy reads, the segment of an init, otherwise 0. */
  readonly source: number;
}

/**
 * Bytes of a piece. On pages that are touched for the first time it takes up to 0.07 ms to fill and 0.1 ms to copy, on others
 * a tenth of that; pieces of 64 KiB to 4 MiB and whole instructions take the same time by the byte.
 */
export const BULK_PIECE: number = 1 << 17;

const KIND_OF: ReadonlyMap<number, BulkKind> = new Map([
  [OP.memoryFill, 'memory.fill'],
  [OP.memoryCopy, 'memory.copy'],
  [OP.memoryInit, 'memory.init'],
]);

/**
 * The use at the instruction that the walker has just passed.
 * @param piece bytes
 * @returns null if it is another instruction, or one that is never longer than a piece
 */
export function bulkUseAt({ datas }: Module, walker: FunctionWalker, piece: number): BulkUse | null {
  const { opcode, immediate, second, length } = walker;
  const kind = KIND_OF.get(opcode);
  if (kind === undefined || (length !== null && length <= piece)) return null;
  if (kind === 'memory.fill') return { kind, memory: immediate, source: 0 };
  if (kind === 'memory.copy') return { kind, memory: immediate, source: second };
  const { placement, content } = datas[immediate]!;
  // What is placed at the beginning is dropped by then.
  const most = placement === null ? content.end - content.start : 0;
  return most <= piece ? null : { kind, memory: second, source: immediate };
}

/**
 * Whether a use is longer than a piece only now and then, so that its length has to be looked at. Segments that are longer than one
 * are too rare to look.
 */
export function isSeldomLong({ kind }: BulkUse, { length }: FunctionWalker): boolean {
  return kind !== 'memory.init' && length === null;
}

/** Whether the module has what the use names. */
export function isUseOf({ memories, datas }: Module, { kind, memory, source }: BulkUse): boolean {
  return memory < memories.length && source < (kind === 'memory.init' ? datas : memories).length;
}

export function bulkKey({ kind, memory, source }: BulkUse): string {
  return `${kind} ${memory} ${source}`;
}

/** The type of the helper: that of the instruction, with destination, source or value, and length. */
export function bulkType({ memories }: Module, { kind, memory, source }: BulkUse): FunctionType {
  const { address } = memories[memory]!;
  if (kind === 'memory.init') return { params: Uint8Array.of(address, I32, I32), results: NO_TYPES };
  if (kind === 'memory.fill') return { params: Uint8Array.of(address, I32, address), results: NO_TYPES };
  const from = memories[source]!.address;
  return { params: Uint8Array.of(address, from, address === I64 ? from : I32), results: NO_TYPES };
}
