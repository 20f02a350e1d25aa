/**
 * References in saved values. A reference cannot lie in memory, so it is put into an appended table of its kind, and
 * saved is its position there plus 1, or 0 for null. What the table holds is the host's to name: functions by their
 * index, exceptions by their content, objects of the host not at all.
 */
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, EXTERNREF, FUNCREF, I32, oneType } from '../../wasm/types.ts';
import type { TypeList, ValueType } from '../../wasm/types.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import type { ExceptionHelper, FixedHelper, Numbering, SavedReference } from '../layout/numbering.ts';

/** A function that is appended to the module. */
export interface AppendedFunction {
  readonly params: TypeList;
  readonly results: TypeList;
  readonly body: Uint8Array;
}

interface ReferenceKind {
  readonly table: SavedReference;
  /** The helper that puts a reference into the table, and the one that gets it out. */
  readonly push: FixedHelper | ExceptionHelper;
  readonly saved: FixedHelper | ExceptionHelper;
}

export const REFERENCE_HELPERS: ReadonlyMap<ValueType, ReferenceKind> = new Map([
  [FUNCREF, { table: 'functions', push: 'pushFunction', saved: 'savedFunction' }],
  [EXTERNREF, { table: 'externs', push: 'pushExtern', saved: 'savedExtern' }],
  [EXNREF, { table: 'exceptions', push: 'pushException', saved: 'savedException' }],
]);

/** Turns a reference on the stack into the number under which it is saved. */
export function asStored(code: Assembler, n: Numbering, type: ValueType): Assembler {
  const kind = REFERENCE_HELPERS.get(type);
  return kind === undefined ? code : code.op(OP.call, n.fixed(kind.push));
}

export function fromStored(code: Assembler, n: Numbering, type: ValueType): Assembler {
  const kind = REFERENCE_HELPERS.get(type);
  return kind === undefined ? code : code.op(OP.call, n.fixed(kind.saved));
}

/**
 * A reference as it was saved becomes one of its own type. What is saved may be forged: then this traps.
 * @param kind as what it was saved: `funcref`, `externref` or `exnref`; anything else is left as it is
 */
export function castFrom<T extends WasmWriter>(
  code: T,
  references: ReferenceTypes,
  kind: ValueType,
  type: ValueType,
): T {
  if (kind === type) return code;
  const nullable = references.isDefaultable(type);
  if (references.nullable(type) === kind) code.u8(OP.refAsNonNull);
  else if (kind === FUNCREF) {
    code.raw(...(nullable ? REF_CAST_NULL : REF_CAST));
    references.writeHeap(code, type);
  } else {
    // Below the others there is only null, and no instruction that all engines have leads there.
    code.u8(OP.drop);
    code.u8(OP.refNull);
    references.writeHeap(code, type);
    if (!nullable) code.u8(OP.refAsNonNull);
  }
  return code;
}

/** `ref.cast` to a type without null and with it. */
const REF_CAST = [0xfb, 22] as const;
const REF_CAST_NULL = [0xfb, 23] as const;

export function referenceHelpers(
  n: Numbering,
): Readonly<Record<'pushFunction' | 'pushExtern' | 'savedFunction' | 'savedExtern', AppendedFunction>> {
  return {
    pushFunction: pushReference(n, 'functions', FUNCREF),
    pushExtern: pushReference(n, 'externs', EXTERNREF),
    savedFunction: savedReference(n, 'functions', FUNCREF),
    savedExtern: savedReference(n, 'externs', EXTERNREF),
  };
}

/** push(reference): 0 for null; otherwise puts it into the table of saved references and returns its position + 1. */
export function pushReference(n: Numbering, name: SavedReference, type: ValueType): AppendedFunction {
  const [table, top] = [n.table(name), n.referenceTop(name)];
  const code = new Assembler();
  code.get(0).op(OP.refIsNull).raw(OP.if, 0x40);
  code.constant(0).op(OP.return).op(OP.end);
  code.op(OP.globalGet, top).op(OP.tableSize, table).op(OP.i32Eq).raw(OP.if, 0x40);
  code.op(OP.refNull, type).constant(1).op(OP.tableGrow, table).op(OP.drop).op(OP.end);
  code.op(OP.globalGet, top).get(0).op(OP.tableSet, table);
  code.op(OP.globalGet, top).constant(1).op(OP.i32Add).op(OP.globalSet, top);
  return { params: oneType(type), results: oneType(I32), body: code.op(OP.globalGet, top).body() };
}

export function savedReference(n: Numbering, table: SavedReference, type: ValueType): AppendedFunction {
  const code = new Assembler()
    .get(0)
    .op(OP.i32Eqz)
    .raw(OP.if, 0x40)
    .op(OP.refNull, type)
    .op(OP.return)
    .op(OP.end)
    .get(0)
    .constant(1)
    .op(OP.i32Sub)
    .op(OP.tableGet, n.table(table));
  return { params: oneType(I32), results: oneType(type), body: code.body() };
}
