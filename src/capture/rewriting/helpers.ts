/** The functions that the rewriter appends to a module, in the order of {@link Numbering}. */
import type { Module } from '../../wasm/module.ts';
import { typeOf } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, NO_TYPES } from '../../wasm/types.ts';
import type { TypeList } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { bulkHelper } from './bulk.ts';
import { NO_ROOM, SAVE_BASE, TRAILER_BYTES, savedSize, savedTypes } from '../layout/frame.ts';
import type { SaveSignature } from '../layout/frame.ts';
import type { SegmentUse } from '../analysis/graph.ts';
import { FUNCTIONS_PER_CHUNK } from '../layout/numbering.ts';
import type { FixedHelper, Numbering } from '../layout/numbering.ts';
import { exceptionHelpers } from './exceptions.ts';
import { asStored, castFrom, fromStored, referenceHelpers } from './references.ts';
import type { AppendedFunction } from './references.ts';
import type { TypeTable } from './target.ts';
import { guardedCall, waitHelper, writeHostCall } from './waits.ts';

const ONE_I32: TypeList = Uint8Array.of(I32);

/** In the order of their numbers. One after the other: the wrapper of an import can be hundreds of times as long as the import. */
export function* appendedFunctions(module: Module, n: Numbering, types: TypeTable): Generator<AppendedFunction> {
  for (let index = 0; index < n.imports; index++) yield wrapper(module, n, types, index);
  const segments = n.segmentUses.map((use) => segmentHelper(module, n, use));
  const waits = n.waitUses.map((use) => waitHelper(module, n, types, use));
  const bulks = n.bulkUses.map((use) => bulkHelper(module, n, types, use));
  const saving = n.saveSignatures.map((signature) => saveHelper(n, signature));
  // The number of functions is known only here; `place` reaches all of them.
  yield* fixedHelpers(module, n, types);
  for (const helpers of [segments, waits, bulks, saving]) yield* helpers;
}

function wrapper(module: Module, n: Numbering, types: TypeTable, index: number): AppendedFunction {
  const { params, results } = typeOf(module, index);
  const code = new Assembler();
  guardedCall(code, n, types, { params, results }, index, () => {
    for (let i = 0; i < params.length; i++) code.get(i);
    code.op(OP.call, index);
  });
  return { params, results, body: code.body(ONE_I32) };
}

function fixedHelpers(module: Module, n: Numbering, types: TypeTable): AppendedFunction[] {
  const { pushFunction, pushExtern, savedFunction, savedExtern } = referenceHelpers(n);
  const helpers: Readonly<Record<FixedHelper, AppendedFunction>> = {
    poll: { params: NO_TYPES, results: NO_TYPES, body: poll(n, types) },
    reserve: { params: ONE_I32, results: ONE_I32, body: reserve(n) },
    place: { params: ONE_I32, results: NO_TYPES, body: place(n) },
    initTables: { params: NO_TYPES, results: NO_TYPES, body: initTables(module) },
    initMemory: { params: NO_TYPES, results: NO_TYPES, body: initMemory(module) },
    settle: { params: NO_TYPES, results: NO_TYPES, body: settle(module, n) },
    saveGlobals: { params: NO_TYPES, results: NO_TYPES, body: saveGlobals(n) },
    restoreGlobals: { params: NO_TYPES, results: NO_TYPES, body: restoreGlobals(n) },
    pushFunction,
    pushExtern,
    savedFunction,
    savedExtern,
  };
  return [...Object.values(helpers), ...(n.exceptions ? exceptionHelpers(module, n, types) : [])];
}

function poll(n: Numbering, types: TypeTable): Uint8Array {
  const code = new Assembler();
  writeHostCall(code, n, types, 'poll');
  return code.body();
}

/**
 * reserve(bytes): makes room at the end of the save area, which grows as needed, and returns the address. If it cannot grow,
 * that is a trap: no code of the program may see what is left of its stack.
 */
function reserve(n: Numbering): Uint8Array {
  const code = new Assembler();
  code.op(OP.globalGet, n.savePointer).get(0).op(OP.i32Add).op(OP.localTee, 1);
  code.op(OP.memorySize, n.controlMemory).constant(16).op(OP.i32Shl).op(OP.i32GtU).raw(OP.if, 0x40);
  code.constant(1).op(OP.memoryGrow, n.controlMemory).constant(-1).op(OP.i32Eq).raw(OP.if, 0x40);
  code.constant(NO_ROOM).op(OP.globalSet, n.savePointer).op(OP.unreachable).op(OP.end).op(OP.end);
  code.op(OP.globalGet, n.savePointer).get(1).op(OP.globalSet, n.savePointer);
  return code.body(ONE_I32);
}

/** place(i): puts function i into the scratch table. One passive segment holds the functions of one chunk. */
function place(n: Numbering): Uint8Array {
  const chunks = Math.ceil(n.functionCount / FUNCTIONS_PER_CHUNK);
  const code = new Assembler();
  for (let i = 0; i < chunks; i++) code.raw(OP.block, 0x40);
  code
    .get(0)
    .constant(Math.log2(FUNCTIONS_PER_CHUNK))
    .op(OP.i32ShrU)
    .op(OP.brTable, chunks - 1);
  for (let i = 0; i < chunks; i++) code.u32(i);
  for (let i = 0; i < chunks; i++) {
    code.op(OP.end).constant(0).get(0);
    code.constant(FUNCTIONS_PER_CHUNK - 1).op(OP.i32And);
    code
      .constant(1)
      .op(OP.tableInit, n.firstChunk + i, n.table('scratch'))
      .op(OP.return);
  }
  return code.body();
}

/** What instantiation of the original would do with its active element segments. */
function initTables(module: Module): Uint8Array {
  const code = new Assembler();
  module.elements.forEach(({ placement, entries }, index) => {
    if (placement === null) return;
    code.copy(module.bytes, placement.offset.start, placement.offset.end);
    code.constant(0).constant(entries.length).op(OP.tableInit, index, placement.target).op(OP.elemDrop, index);
  });
  return code.body();
}

function initMemory(module: Module): Uint8Array {
  const code = new Assembler();
  module.datas.forEach(({ placement, content }, index) => {
    if (placement === null) return;
    code.copy(module.bytes, placement.offset.start, placement.offset.end);
    code
      .constant(0)
      .constant(content.end - content.start)
      .op(OP.memoryInit, index, placement.target)
      .op(OP.dataDrop, index);
  });
  return code.body();
}

/** After a resume: drops the segments that had been dropped, active ones and those that the code dropped. */
function settle(module: Module, n: Numbering): Uint8Array {
  const code = new Assembler();
  module.datas.forEach(({ placement }, index) => {
    if (placement !== null) code.op(OP.dataDrop, index);
  });
  for (const use of n.drops) {
    code.op(OP.globalGet, n.dropFlag(use)).raw(OP.if, 0x40);
    code.op(use.kind === 'data.drop' ? OP.dataDrop : OP.elemDrop, use.segment).op(OP.end);
  }
  return code.body();
}

function saveGlobals(n: Numbering): Uint8Array {
  const code = new Assembler();
  let offset = SAVE_BASE;
  for (const { index, kind } of n.stateGlobals) {
    code.constant(0).op(OP.globalGet, index);
    asStored(code, n, kind).store(kind, n.controlMemory, offset);
    offset += savedSize(kind);
  }
  return code.body();
}

function restoreGlobals(n: Numbering): Uint8Array {
  const code = new Assembler();
  let offset = SAVE_BASE;
  for (const { index, type, kind } of n.stateGlobals) {
    code.constant(0).load(kind, n.controlMemory, offset);
    fromStored(code, n, kind);
    castFrom(code, n.references, kind, type).op(OP.globalSet, index);
    offset += savedSize(kind);
  }
  return code.body();
}

/** What the helper for a segment takes: the operands of the instruction. */
export function segmentParams({ memories, tables }: Module, { kind, target }: SegmentUse): TypeList {
  if (kind === 'data.drop' || kind === 'elem.drop') return NO_TYPES;
  const { address } = (kind === 'memory.init' ? memories : tables)[target]!;
  return Uint8Array.of(address, I32, I32);
}

function segmentHelper(module: Module, n: Numbering, use: SegmentUse): AppendedFunction {
  const code = new Assembler();
  const { kind, segment, target } = use;
  if (kind === 'data.drop' || kind === 'elem.drop') {
    code.constant(1).op(OP.globalSet, n.dropFlag(use));
    code.op(kind === 'data.drop' ? OP.dataDrop : OP.elemDrop, segment);
    return { params: NO_TYPES, results: NO_TYPES, body: code.body() };
  }
  code.get(0).get(1).get(2);
  if (kind === 'memory.init') code.op(OP.memoryInit, segment, target);
  else code.op(OP.tableInit, segment, target);
  return { params: segmentParams(module, use), results: NO_TYPES, body: code.body() };
}

/** A helper takes its values and, if it ends a record, the pc and the function's index. */
export function saveParams(signature: SaveSignature): TypeList {
  return Uint8Array.from([...savedTypes(signature), ...(signature.before === null ? [] : [I32, I32])]);
}

/** Appends its values, and the record's trailer if it ends one, to the save area. */
function saveHelper(n: Numbering, signature: SaveSignature): AppendedFunction {
  const { before } = signature;
  const values = savedTypes(signature);
  const params = saveParams(signature);
  const bytes = values.reduce((sum, type) => sum + savedSize(type), 0) + (before === null ? 0 : TRAILER_BYTES);
  const base = params.length;
  const code = new Assembler();
  // One helper for all: with its code in each of them a small program would be a hundredth larger.
  code.constant(bytes).op(OP.call, n.fixed('reserve')).op(OP.localSet, base);
  let offset = 0;
  values.forEach((type, local) => {
    asStored(code.get(base).get(local), n, type).store(type, n.controlMemory, offset);
    offset += savedSize(type);
  });
  if (before !== null) {
    const [pc, index] = [values.length, values.length + 1];
    code.get(base).get(index).store(I32, n.controlMemory, offset);
    code
      .get(base)
      .get(pc)
      .store(I32, n.controlMemory, offset + 4);
    for (const [i, word] of [before + bytes, 0].entries()) {
      code
        .get(base)
        .constant(word)
        .store(I32, n.controlMemory, offset + 8 + 4 * i);
    }
  }
  return { params, results: NO_TYPES, body: code.body(ONE_I32) };
}
