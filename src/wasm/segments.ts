/** Element and data segments (WebAssembly core specification, sections 3.4 and 5.5). */
import type { ConstantContext, ConstantReader } from './constants.ts';
import type { Addressed, DataSegment, ElementSegment, TableType } from './module.ts';
import { invalid } from './reader.ts';
import type { WasmReader } from './reader.ts';
import { HEAP } from './references.ts';
import { isNumeric } from './types.ts';

/** What segments may refer to. */
export interface SegmentContext extends Pick<ConstantContext, 'references' | 'reference'> {
  readonly constants: ConstantReader;
  readonly tables: readonly TableType[];
  readonly memories: readonly Addressed[];
}

export function readElement(
  r: WasmReader,
  { references, reference, constants, tables }: SegmentContext,
): ElementSegment {
  const at = r.pos;
  const flags = r.u32();
  if (flags > 7) invalid(at, `malformed elements segment kind ${flags}`);
  const mode = !(flags & 1) ? 'active' : flags & 2 ? 'declared' : 'passive';
  const table = mode === 'active' && flags & 2 ? r.u32() : 0;
  const tableType = tables[table];
  if (mode === 'active' && tableType === undefined) invalid(at, `unknown table ${table}`);
  const placement = mode === 'active' ? { target: table, offset: constants.read(tableType!.address) } : null;
  // Indices of functions are never null.
  let type = references.type(HEAP.func, (flags & 4) !== 0);
  if (flags & 3) {
    if (flags & 4) type = constants.valueType();
    else if (r.u8() !== 0) invalid(r.pos - 1, 'malformed element kind');
  }
  if (isNumeric(type)) invalid(at, 'malformed reference type of an element segment');
  if (mode === 'active' && !references.matches(type, tableType!.element))
    invalid(at, 'type mismatch between segment and table');
  const entries = new Int32Array(r.count());
  for (let i = 0; i < entries.length; i++) {
    if (flags & 4) entries[i] = constants.readReference(type);
    else {
      const index = r.u32();
      reference(index, r.pos);
      entries[i] = index;
    }
  }
  return { mode, placement, type, entries };
}

export function readData(r: WasmReader, { constants, memories }: SegmentContext): DataSegment {
  const at = r.pos;
  const flags = r.u32();
  if (flags > 2) invalid(at, `malformed data segment kind ${flags}`);
  const target = flags === 2 ? r.u32() : 0;
  const memory = memories[target];
  if (flags !== 1 && memory === undefined) invalid(at, `unknown memory ${target}`);
  const placement = flags === 1 ? null : { target, offset: constants.read(memory!.address) };
  const size = r.u32();
  const start = r.pos;
  r.skip(size);
  return { placement, content: { start, end: r.pos } };
}
