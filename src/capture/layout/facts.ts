/**
 * The facts that the rewriter leaves in the custom section `godwit` of the module, so that whoever runs the module
 * or makes continuations for it need not analyse the whole original again: which functions and types are capturable,
 * which helper functions were appended, and where. Read from a module that may be hostile.
 */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { GodwitError } from '../../base/errors.ts';
import { BULK_KINDS } from '../analysis/bulk-uses.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import { SAVED_TYPES } from './frame.ts';
import type { SaveSignature } from './frame.ts';
import type { SegmentUse } from '../analysis/graph.ts';
import { WAIT_KINDS } from '../analysis/wait-uses.ts';
import type { WaitUse } from '../analysis/wait-uses.ts';

/** Counted up with every change of what the rewriter writes: cached modules and images of other versions are refused. */
export const ENGINE_VERSION = 42;

/** Name of the custom section, of the import module and prefix of the engine's exports. */
export const GODWIT = 'godwit';

const SEGMENT_KINDS: readonly SegmentUse['kind'][] = ['memory.init', 'data.drop', 'table.init', 'elem.drop'];

export interface Facts {
  /** Bytes of the original module: a cheap sign of a mix-up. */
  readonly originalBytes: number;
  readonly capturable: Uint8Array;
  readonly capturableTypes: Uint8Array;
  readonly entryPolls: Uint8Array;
  readonly changedTables: Uint8Array;
  /** Whether code handles exceptions, so that a frame can hold one. */
  readonly exceptions: boolean;
  readonly segmentUses: readonly SegmentUse[];
  readonly waitUses: readonly WaitUse[];
  readonly bulkUses: readonly BulkUse[];
  /** The most bytes that a bulk instruction does at once. */
  readonly bulkPiece: number;
  readonly saveHelpers: readonly SaveSignature[];
}

function writeBits(w: ByteWriter, flags: Uint8Array): void {
  w.u32(flags.length);
  for (let i = 0; i < flags.length; i += 8) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) byte |= (flags[i + bit] ?? 0) << bit;
    w.u8(byte);
  }
}

function readBits(r: ByteReader): Uint8Array {
  const count = r.u32();
  const packed = r.raw(Math.ceil(count / 8));
  return Uint8Array.from({ length: count }, (_, i) => (packed[i >> 3]! >> (i & 7)) & 1);
}

export function encodeFacts(facts: Facts): Uint8Array {
  const w = new ByteWriter(facts.capturable.length / 4 + 1024);
  w.u32(ENGINE_VERSION);
  w.u32(facts.originalBytes);
  writeBits(w, facts.capturable);
  writeBits(w, facts.capturableTypes);
  writeBits(w, facts.entryPolls);
  writeBits(w, facts.changedTables);
  w.u8(facts.exceptions ? 1 : 0);
  w.u32(facts.segmentUses.length);
  for (const { kind, segment, target } of facts.segmentUses) {
    w.u8(SEGMENT_KINDS.indexOf(kind));
    w.u32(segment);
    w.u32(target);
  }
  w.u32(facts.waitUses.length);
  for (const { kind, memory, offset } of facts.waitUses) {
    w.u8(WAIT_KINDS.indexOf(kind));
    w.u32(memory);
    w.f64(offset);
  }
  w.u32(facts.bulkPiece);
  w.u32(facts.bulkUses.length);
  for (const { kind, memory, source } of facts.bulkUses) {
    w.u8(BULK_KINDS.indexOf(kind));
    w.u32(memory);
    w.u32(source);
  }
  w.u32(facts.saveHelpers.length);
  // There are many, and nearly all take nothing but the first type or two, in one call: short ones.
  for (const { counts, before } of facts.saveHelpers) {
    const used = counts.findLastIndex((count) => count > 0) + 1;
    w.u8(used);
    for (const count of counts.slice(0, used)) w.u8(count);
    w.u8(before === null ? 0 : before === 0 ? 1 : 2);
    if (before !== null && before > 0) w.u32(before);
  }
  return w.done();
}

/** @throws GodwitError `version_mismatch` if another engine wrote the section, `corrupt` if it is not a section of ours */
export function decodeFacts(bytes: Uint8Array): Facts {
  const r = new ByteReader(bytes);
  const version = r.u32();
  if (version !== ENGINE_VERSION) {
    throw new GodwitError(
      'version_mismatch',
      `the module was rewritten by engine ${version}; this is engine ${ENGINE_VERSION}`,
    );
  }
  const originalBytes = r.u32();
  const capturable = readBits(r);
  const capturableTypes = readBits(r);
  const entryPolls = readBits(r);
  const changedTables = readBits(r);
  const exceptions = r.u8() === 1;
  const segmentUses = Array.from({ length: boundedCount(r, 9) }, () => {
    const kind = SEGMENT_KINDS[r.u8()];
    if (kind === undefined) throw new GodwitError('corrupt', 'unknown segment use in a rewritten module');
    return { kind, segment: r.u32(), target: r.u32() };
  });
  const waitUses = Array.from({ length: boundedCount(r, 13) }, () => {
    const kind = WAIT_KINDS[r.u8()];
    if (kind === undefined) throw new GodwitError('corrupt', 'unknown wait in a rewritten module');
    return { kind, memory: r.u32(), offset: r.f64() };
  });
  const bulkPiece = r.u32();
  const bulkUses = Array.from({ length: boundedCount(r, 9) }, () => {
    const kind = BULK_KINDS[r.u8()];
    if (kind === undefined) throw new GodwitError('corrupt', 'unknown bulk instruction in a rewritten module');
    return { kind, memory: r.u32(), source: r.u32() };
  });
  const saveHelpers = Array.from({ length: boundedCount(r, 2) }, () => {
    const used = r.u8();
    const counts = SAVED_TYPES.map((_, i) => (i < used ? r.u8() : 0));
    const ending = r.u8();
    if (used > counts.length || ending > 2)
      throw new GodwitError('corrupt', 'unknown save helper in a rewritten module');
    return { counts, before: ending === 0 ? null : ending === 1 ? 0 : r.u32() };
  });
  return {
    originalBytes,
    capturable,
    capturableTypes,
    entryPolls,
    changedTables,
    exceptions,
    segmentUses,
    waitUses,
    bulkUses,
    bulkPiece,
    saveHelpers,
  };
}

function boundedCount(r: ByteReader, entryBytes: number): number {
  const count = r.u32();
  if (count * entryBytes > r.remaining) throw new GodwitError('corrupt', 'a rewritten module with a false count');
  return count;
}
