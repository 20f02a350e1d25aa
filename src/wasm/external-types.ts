/** Types of tables, memories and globals as imports and sections give them (core specification, sections 3.2 and 5.3). */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { GlobalType, MemoryType, TableType } from './module.ts';
import { type WasmReader, hex, invalid, unsupported } from './reader.ts';
import { I32, I64, isNumeric } from './types.ts';
import type { ValueType } from './types.ts';

/** 64 KiB pages that addresses of a type reach, and entries of a table. */
const MAX_PAGES = { [I32]: 2 ** 16, [I64]: 2 ** 48 };
const MAX_ENTRIES = { [I32]: 2 ** 32 - 1, [I64]: 2 ** 64 };

function readLimits(r: WasmReader, what: 'memory' | 'table', most: Readonly<Record<number, number>>): MemoryType {
  const at = r.pos;
  const flags = r.u8();
  const shared = (flags & 0x02) !== 0;
  if (flags & 0x08) unsupported(at, 'custom page sizes');
  if (flags & ~0x07) invalid(at, `malformed limits flags ${hex(flags)}`);
  if (shared && !(flags & 1)) invalid(at, `shared ${what} must have maximum`);
  const address = flags & 0x04 ? I64 : I32;
  const size = (): number => (address === I64 ? r.u64() : r.u32());
  const minimum = size();
  const maximum = flags & 1 ? size() : null;
  const limit = most[address]!;
  if (minimum > limit || (maximum ?? 0) > limit) invalid(at, `${what} size must be at most ${limit}`);
  if (maximum !== null && maximum < minimum) invalid(at, 'size minimum must not be greater than maximum');
  return { minimum, maximum, address, shared };
}

/** @throws GodwitError `invalid_module` or `unsupported_feature` */
export function readMemoryType(r: WasmReader): MemoryType {
  return readLimits(r, 'memory', MAX_PAGES);
}

/**
 * @param readType reads a value type where the reader stands
 * @throws GodwitError `invalid_module` or `unsupported_feature`
 */
export function readTableType(r: WasmReader, readType: () => ValueType): TableType {
  const at = r.pos;
  const element = readType();
  if (isNumeric(element)) invalid(at, 'malformed reference type of a table');
  const limitsAt = r.pos;
  const { shared, ...limits } = readLimits(r, 'table', MAX_ENTRIES);
  if (shared) unsupported(limitsAt, 'shared-everything threads (a shared table)');
  return { element, ...limits, init: null };
}

/**
 * @param readType reads a value type where the reader stands
 * @throws GodwitError `invalid_module` or `unsupported_feature`
 */
export function readGlobalType(r: WasmReader, readType: () => ValueType): GlobalType {
  const type = readType();
  const at = r.pos;
  const flag = r.u8();
  if (flag & 0x02) unsupported(at, 'shared-everything threads (a shared global)');
  if (flag > 1) invalid(at, 'malformed mutability');
  return { type, mutable: flag === 1 };
}

/**
 * @param maxima how large each table of a module may become; null: as V8 lets it
 * @throws GodwitError `limit` if all of them together may become too large
 */
export function requireFewEntries(maxima: readonly (number | null)[]): void {
  const most = maxima.reduce<number>((sum, maximum) => sum + Math.min(maximum ?? Infinity, LIMITS.tableEntries), 0);
  if (most <= LIMITS.allTableEntries) return;
  const example = `${maxima.length} tables may have ${most} entries in all; ${LIMITS.allTableEntries} are the most`;
  throw new GodwitError('limit', `${example}: give them a maximum`);
}
