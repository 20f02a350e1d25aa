/**
 * Saved exceptions. One of the program's own tags is its tag and the values that it carries: it is taken apart at a
 * capture and made anew by a resume, which code cannot tell from the old one. An exception of a tag that the program
 * does not know, one of the host for example, is a reference to a host object and keeps the process where it is.
 *
 * Taken apart it lies at SAVE_BASE of the control memory: u32 tag, and the values as in a frame record.
 */
import { CATCH } from '../../wasm/exceptions.ts';
import { payloadOf } from '../../wasm/module.ts';
import type { Module, TableType } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, I32, I64, NO_TYPES, oneType } from '../../wasm/types.ts';
import type { TypeList } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { SAVE_BASE, savedSize } from '../layout/frame.ts';
import type { Numbering } from '../layout/numbering.ts';
import { asStored, castFrom, fromStored, pushReference, savedReference } from './references.ts';
import type { AppendedFunction } from './references.ts';
import type { TypeTable } from './target.ts';

const TAG_BYTES = 4;

/** Bytes of an exception with this tag when it is taken apart; null if it cannot be, since it carries exceptions. */
export function exceptionBytes(module: Module, tag: number): number | null {
  const payload = payloadOf(module, tag);
  if (payload.some((type) => module.references.top(type) === EXNREF)) return null;
  return payload.reduce((bytes, type) => bytes + savedSize(type), TAG_BYTES);
}

/** In the order of EXCEPTION_HELPERS. */
export function exceptionHelpers(module: Module, n: Numbering, types: TypeTable): AppendedFunction[] {
  const tags = module.tags.flatMap((_, tag) => (exceptionBytes(module, tag) === null ? [] : [tag]));
  return [
    pushReference(n, 'exceptions', EXNREF),
    savedReference(n, 'exceptions', EXNREF),
    takeException(module, n, types, tags),
    makeException(module, n, tags),
    saveEntry(module, n),
    restoreEntry(module, n),
  ];
}

/** Tables whose entries are exceptions: the JavaScript interface does not show those. */
function exceptionTables({ tables, references }: Module): { readonly table: number; readonly type: TableType }[] {
  return tables.flatMap((type, table) => (references.top(type.element) === EXNREF ? [{ table, type }] : []));
}

/** saveEntry(table, index): the number under which the entry is saved from now on, 0 for null. */
function saveEntry(module: Module, n: Numbering): AppendedFunction {
  const code = new Assembler();
  for (const { table, type } of exceptionTables(module)) {
    code.get(0).constant(table).op(OP.i32Eq).raw(OP.if, 0x40);
    asIndex(code.get(1), type).op(OP.tableGet, table);
    asStored(code, n, EXNREF).op(OP.return).op(OP.end);
  }
  return { params: Uint8Array.of(I32, I32), results: oneType(I32), body: code.constant(0).body() };
}

/** restoreEntry(table, index, number): the other way; the table grows if its size is the index. */
function restoreEntry(module: Module, n: Numbering): AppendedFunction {
  const code = new Assembler();
  for (const { table, type } of exceptionTables(module)) {
    const saved = (): Assembler => castFrom(fromStored(code.get(2), n, EXNREF), n.references, EXNREF, type.element);
    code.get(0).constant(table).op(OP.i32Eq).raw(OP.if, 0x40);
    asIndex(code.get(1), type).op(OP.tableSize, table);
    code.op(type.address === I64 ? OP.i64Eq : OP.i32Eq).raw(OP.if, 0x40);
    saved();
    asIndex(code.constant(1), type).op(OP.tableGrow, table).op(OP.drop).op(OP.end);
    asIndex(code.get(1), type);
    saved().op(OP.tableSet, table).op(OP.end);
  }
  return { params: Uint8Array.of(I32, I32, I32), results: NO_TYPES, body: code.body() };
}

function asIndex(code: Assembler, { address }: TableType): Assembler {
  return address === I64 ? code.op(OP.i64ExtendI32U) : code;
}

/** takeException(position): takes apart an exception of the table. @returns its bytes, -1 if that is not possible */
function takeException(module: Module, n: Numbering, types: TypeTable, tags: readonly number[]): AppendedFunction {
  const payloads = tags.map((tag) => payloadOf(module, tag));
  const locals = new ExceptionLocals(payloads);
  const code = new Assembler();
  // The clause of the i-th tag leads to the end of the i-th block; the outermost one is for all others.
  code.raw(OP.block, 0x40);
  for (const payload of payloads.toReversed()) {
    code.u8(OP.block);
    types.writeBlockType(code, NO_TYPES, payload);
  }
  code.raw(OP.tryTable, 0x40);
  code.u32(tags.length + 1);
  tags.forEach((tag, label) => {
    code.u8(CATCH.tag);
    code.u32(tag);
    code.u32(label);
  });
  code.u8(CATCH.all);
  code.u32(tags.length);
  code.get(0).op(OP.tableGet, n.table('exceptions')).op(OP.throwRef).op(OP.end).op(OP.unreachable);
  tags.forEach((tag, i) => {
    code.op(OP.end);
    const payload = payloads[i]!;
    for (let at = payload.length - 1; at >= 0; at--) code.op(OP.localSet, locals.at(payload, at));
    code.constant(0).constant(tag).store(I32, n.controlMemory, SAVE_BASE);
    let offset = SAVE_BASE + TAG_BYTES;
    payload.forEach((type, at) => {
      const kind = n.references.top(type);
      asStored(code.constant(0).get(locals.at(payload, at)), n, kind).store(kind, n.controlMemory, offset);
      offset += savedSize(kind);
    });
    code.constant(offset - SAVE_BASE).op(OP.return);
  });
  code.op(OP.end).constant(-1);
  return { params: oneType(I32), results: oneType(I32), body: code.body(locals.types, n.references) };
}

/** Locals for the values of one exception: as many of each type as some payload has. */
class ExceptionLocals {
  readonly types: TypeList;

  constructor(payloads: readonly TypeList[]) {
    const most = new Map<number, number>();
    for (const payload of payloads) {
      for (const type of payload) most.set(type, Math.max(most.get(type) ?? 0, countOf(payload, type, payload.length)));
    }
    this.types = Uint8Array.from([...most].flatMap(([type, count]) => Array.from({ length: count }, () => type)));
  }

  /** The local for a payload's value at this position; local 0 is the parameter. */
  at(payload: TypeList, position: number): number {
    const type = payload[position]!;
    return 1 + this.types.indexOf(type) + countOf(payload, type, position);
  }
}

function countOf(payload: TypeList, type: number, end: number): number {
  return payload.subarray(0, end).filter((other) => other === type).length;
}

/** makeException(position): puts the exception that is taken apart at SAVE_BASE into the table, which grows by one at most. */
function makeException(module: Module, n: Numbering, tags: readonly number[]): AppendedFunction {
  const table = n.table('exceptions');
  const code = new Assembler();
  code.get(0).op(OP.tableSize, table).op(OP.i32Eq).raw(OP.if, 0x40);
  code.op(OP.refNull, EXNREF).constant(1).op(OP.tableGrow, table).op(OP.drop).op(OP.end);
  code.get(0).raw(OP.block, EXNREF, OP.tryTable, 0x40, 1, CATCH.allRef, 0);
  for (const tag of tags) {
    code.constant(0).load(I32, n.controlMemory, SAVE_BASE).constant(tag).op(OP.i32Eq).raw(OP.if, 0x40);
    let offset = SAVE_BASE + TAG_BYTES;
    for (const type of payloadOf(module, tag)) {
      const kind = n.references.top(type);
      fromStored(code.constant(0).load(kind, n.controlMemory, offset), n, kind);
      castFrom(code, n.references, kind, type);
      offset += savedSize(kind);
    }
    code.op(OP.throw, tag).op(OP.end);
  }
  code.op(OP.end).op(OP.unreachable).op(OP.end).op(OP.tableSet, table);
  return { params: oneType(I32), results: NO_TYPES, body: code.body() };
}
