/**
 * The form of continuation modules. One imports memories, tables, globals and the tag of the rewritten module under their own
 * numbers; only functions are numbered anew: imports in the order of their first use, and the module's own behind them.
 */
import { assert } from '../../base/assert.ts';
import type { Module } from '../../wasm/module.ts';
import { writeModuleName } from '../../wasm/names.ts';
import { OP } from '../../wasm/opcodes.ts';
import { FUNCREF, I32, I64, NO_TYPES, oneType } from '../../wasm/types.ts';
import type { FunctionType, ValueType } from '../../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../../wasm/writer.ts';
import { bulkType } from '../analysis/bulk-uses.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import { writeMemoryImports, writeOwnTable, writeTable } from '../layout/entries.ts';
import { GODWIT } from '../layout/facts.ts';
import type { SaveSignature } from '../layout/frame.ts';
import type { SegmentUse } from '../analysis/graph.ts';
import { saveParams, segmentParams } from '../rewriting/helpers.ts';
import type { Numbering } from '../layout/numbering.ts';
import { REFERENCE_HELPERS } from '../rewriting/references.ts';
import { TypeTable } from '../rewriting/target.ts';
import type { CodeTarget } from '../rewriting/target.ts';
import { waitType } from '../analysis/wait-uses.ts';
import type { WaitUse } from '../analysis/wait-uses.ts';

/** Name under which a continuation module exports its function, and the globals in which it notes calls, with a number. */
export const CONTINUATION_EXPORT = 'c';
export const NOTE_EXPORT = 'n';

/** Code goes into a continuation module: functions are imports that come into being when they are asked for. */
export class ContinuationTarget implements CodeTarget {
  readonly types: TypeTable;
  readonly unwindTag: number;
  readonly controlMemory: number;
  readonly continuationTable: number;
  readonly #n: Numbering;
  readonly #numbers = new Map<number, number>();
  /** Functions of the rewritten module, in the order of their numbers here. */
  readonly functions: number[] = [];
  #complete = false;

  constructor(module: Module, numbering: Numbering) {
    this.types = new TypeTable(module);
    this.#n = numbering;
    this.unwindTag = numbering.unwindTag;
    this.controlMemory = numbering.controlMemory;
    this.continuationTable = numbering.firstTable;
  }

  /** The number here of a function of the rewritten module. */
  rewrittenFunction(index: number): number {
    const found = this.#numbers.get(index);
    if (found !== undefined) return found;
    assert(!this.#complete, 'a function that the same code has not named before');
    const number = this.functions.length;
    this.functions.push(index);
    this.#numbers.set(index, number);
    return number;
  }

  /** The code has been written once, so all imports are known. @returns the number of the first function that is none */
  complete(): number {
    this.#complete = true;
    return this.functions.length;
  }

  functionIndex(index: number): number {
    return this.rewrittenFunction(this.#n.wrapper(index));
  }

  get poll(): number {
    return this.rewrittenFunction(this.#n.fixed('poll'));
  }

  saveHelper(signature: SaveSignature): number {
    return this.rewrittenFunction(this.#n.saveHelper(signature));
  }

  segmentHelper(use: SegmentUse): number {
    return this.rewrittenFunction(this.#n.segmentHelper(use));
  }

  waitHelper(use: WaitUse): number {
    return this.rewrittenFunction(this.#n.waitHelper(use));
  }

  bulkHelper(use: BulkUse): number {
    return this.rewrittenFunction(this.#n.bulkHelper(use));
  }
}

/** A function of the continuation module itself. */
export interface OwnFunction {
  readonly type: number;
  /** Locals and code. */
  readonly body: WasmWriter;
  /** Offsets in the body of branches that are seldom taken, and of calls that are worth inlining. */
  readonly hints: readonly number[];
  readonly inlined: readonly number[];
}

/** Locals, then what was written: a body. @param offsets in the code, are moved along */
export function bodyWith(
  locals: WasmWriter,
  code: WasmWriter,
  hints: readonly number[],
  inlined: readonly number[],
): Omit<OwnFunction, 'type'> {
  const moved = (offset: number): number => offset + locals.length;
  const body = new WasmWriter(locals.length + code.length);
  body.copy(locals.bytes, 0, locals.length);
  body.copy(code.bytes, 0, code.length);
  return { body, hints: hints.map(moved), inlined: inlined.map(moved) };
}

export interface ContinuationForm {
  /** The name that V8 puts into stack entries. */
  readonly name: string;
  readonly target: ContinuationTarget;
  /** In the order of their numbers. */
  readonly own: readonly OwnFunction[];
  /** Which of them is exported. */
  readonly exported: number;
  /** How many globals note calls. */
  readonly notes: number;
}

/** @returns the module, and where in it the body of each of its own functions begins */
export function assembleContinuation(
  module: Module,
  n: Numbering,
  { name, target, own, exported, notes }: ContinuationForm,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly starts: readonly number[] } {
  const unwindType = target.types.index(NO_TYPES, NO_TYPES);
  const types = target.functions.map((index) => typeOfRewritten(module, n, index, target.types));
  const firstOwn = types.length;
  const out = new WasmWriter(own.reduce((bytes, { body }) => bytes + body.length, 4096));
  const section = (id: number, write: (s: WasmWriter) => void): void => {
    const content = new WasmWriter(256);
    write(content);
    out.section(id, content);
  };
  out.copy(PREAMBLE);
  target.types.writeSection(out);
  section(2, (s) => writeImports(s, module, n, types, unwindType));
  section(3, (s) => {
    s.u32(own.length);
    for (const { type } of own) s.u32(type);
  });
  if (notes > 0) {
    section(6, (s) => {
      s.u32(notes);
      for (let i = 0; i < notes; i++) s.raw(I64, 1, OP.i64Const, 0, OP.end);
    });
  }
  section(7, (s) => {
    s.u32(1 + notes);
    s.name(CONTINUATION_EXPORT);
    s.u8(0);
    s.u32(firstOwn + exported);
    for (let i = 0; i < notes; i++) {
      s.name(`${NOTE_EXPORT}${i}`);
      s.u8(3);
      s.u32(n.savePointer + 1 + i);
    }
  });
  // ref.func may only name declared functions.
  section(9, (s) => {
    s.raw(1, 3, 0);
    s.u32(types.length);
    types.forEach((_, index) => s.u32(index));
  });
  writeHints(out, 'metadata.code.branch_hint', firstOwn, own, 'hints', SELDOM);
  writeHints(out, 'metadata.code.instr_freq', firstOwn, own, 'inlined', OFTEN);
  const code = new WasmWriter(own.reduce((bytes, { body }) => bytes + body.length + 5, 8));
  code.u32(own.length);
  const ends = own.map(({ body }) => {
    code.u32(body.length);
    code.copy(body.bytes, 0, body.length);
    return code.length;
  });
  out.section(10, code);
  const codeStart = out.length - code.length;
  const starts = own.map(({ body }, i) => codeStart + ends[i]! - body.length);
  writeModuleName(out, name);
  return { bytes: out.done(), starts };
}

/** The hint of a branch that is not likely to be taken (branch hinting proposal). */
const SELDOM = 0;
/** The hint of an instruction that is carried out 2^10 times for each time that its function is called: 32 is once. */
const OFTEN = 42;

function writeHints(
  out: WasmWriter,
  name: string,
  firstOwn: number,
  own: readonly OwnFunction[],
  key: 'hints' | 'inlined',
  value: number,
): void {
  const hinted = own
    .map((owned, i) => ({ index: firstOwn + i, offsets: owned[key] }))
    .filter(({ offsets }) => offsets.length > 0);
  if (hinted.length === 0) return;
  const section = new WasmWriter(256);
  section.u32(hinted.length);
  for (const { index, offsets } of hinted) {
    section.u32(index);
    section.u32(offsets.length);
    for (const offset of offsets) {
      section.u32(offset);
      section.raw(1, value);
    }
  }
  out.custom(name, section);
}

function writeImports(
  s: WasmWriter,
  { memories, tables, globals, tags, references }: Module,
  n: Numbering,
  functions: readonly number[],
  unwindType: number,
): void {
  const stateGlobals = n.savePointer + 1;
  s.u32(functions.length + memories.length + 1 + tables.length + 1 + stateGlobals + tags.length + 1);
  const entry = (name: string, kind: number): void => {
    s.name(GODWIT);
    s.name(name);
    s.u8(kind);
  };
  functions.forEach((type, i) => {
    entry(`f${i}`, 0);
    s.u32(type);
  });
  tables.forEach((table, i) => {
    entry(`table${i}`, 1);
    writeTable(s, references, table);
  });
  entry('continuations', 1);
  writeOwnTable(s, references, FUNCREF, 0, null);
  writeMemoryImports(s, memories);
  for (let i = 0; i < stateGlobals; i++) {
    const { type, mutable } = globals[i] ?? { type: I32, mutable: true };
    entry(`global${i}`, 3);
    references.write(s, type);
    s.u8(mutable ? 1 : 0);
  }
  tags.forEach((type, i) => {
    entry(`tag${i}`, 4);
    s.u8(0);
    s.u32(type);
  });
  entry('unwind', 4);
  s.u8(0);
  s.u32(unwindType);
}

/** Type of a function of the rewritten module, as an index into the continuation module's types. */
function typeOfRewritten(module: Module, n: Numbering, index: number, types: TypeTable): number {
  if (index < n.firstWrapper) return module.functionTypes[index]!;
  if (index < n.firstFixed) return module.functionTypes[index - n.firstWrapper]!;
  const { params, results } = helperType(module, n, index);
  return types.index(params, results);
}

function helperType(module: Module, n: Numbering, index: number): FunctionType {
  if (index >= n.firstSaveHelper) {
    return { params: saveParams(n.saveSignatures[index - n.firstSaveHelper]!), results: NO_TYPES };
  }
  const wait = n.waitUse(index);
  if (wait !== undefined) return waitType(module, wait);
  const bulk = n.bulkUse(index);
  if (bulk !== undefined) return bulkType(module, bulk);
  if (index >= n.firstSegmentHelper) {
    return { params: segmentParams(module, n.segmentUses[index - n.firstSegmentHelper]!), results: NO_TYPES };
  }
  for (const [type, { saved }] of REFERENCE_HELPERS) {
    if (index === n.fixed(saved)) return { params: oneType(I32), results: oneType(type) };
  }
  return { params: NO_TYPES, results: NO_TYPES };
}

export function writeContinuationLocals(out: WasmWriter, { references }: Module, types: readonly ValueType[]): void {
  const runs: { type: number; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  out.u32(runs.length);
  for (const { type, count } of runs) {
    out.u32(count);
    references.write(out, type);
  }
}
