/**
 * Bulk instructions on memories that can be long: `memory.fill`, `memory.copy` and `memory.init`. V8 looks at nothing
 * while it carries one out, so one of more than a *piece* becomes a call of a helper function, one for each instruction
 * and its immediates. A helper does a piece, looks whether someone wants it to stop, and so on; it has a frame with its
 * arguments, which always say what is left, and is called again by the resume.
 *
 * As the specification wants it, all of the range is checked before any of it is written: a helper does pieces of what
 * is in bounds only (memories never shrink), and what is left, or traps, is the original instruction. A copy goes to
 * where its source is not needed any more, so from the end if its destination is behind its source.
 *
 * Instructions on tables stay as they are: a capture saves tables that code can change entry by entry, which takes no
 * less time than an instruction on all of them.
 */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, I64, oneType } from '../../wasm/types.ts';
import type { FunctionType, ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { bulkType } from '../analysis/bulk-uses.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import type { Numbering } from '../layout/numbering.ts';
import { writePoll } from './polls.ts';
import type { AppendedFunction } from './references.ts';
import type { TypeTable } from './target.ts';
import { guardedCall } from './waits.ts';

/** Writes whether the length on the stack is more than a piece. */
export function writeIsLong(code: Assembler, length: ValueType, piece: number): Assembler {
  return writeLength(code, length, piece).op(length === I64 ? OP.i64GtU : OP.i32GtU);
}

function writeLength(code: Assembler, type: ValueType, length: number): Assembler {
  if (type !== I64) return code.constant(length);
  code.u8(OP.i64Const);
  code.s64(BigInt(length));
  return code;
}

/** Parameters of a helper. */
const TO = 0;
const FROM = 1;
const LENGTH = 2;

/**
 * The helper for one use. It knows the sizes of memories that other threads may grow (growing.ts): its caller has compared
 * them just before, and what is called again by a resume has found its range in bounds already, which is all that it asks.
 */
export function bulkHelper(module: Module, n: Numbering, types: TypeTable, use: BulkUse): AppendedFunction {
  const type = bulkType(module, use);
  const length = type.params[LENGTH]!;
  const { bulkPiece: piece } = n;
  const code = new Assembler();
  guardedCall(code, n, types, type, n.bulkHelper(use), () => {
    code.raw(OP.block, 0x40);
    writeIsInBounds(code, module, use);
    code.op(OP.i32Eqz).op(OP.brIf, 0).raw(OP.loop, 0x40);
    writeIsLong(code.get(LENGTH), length, piece).op(OP.i32Eqz).op(OP.brIf, 1);
    writePiece(code, type, use, piece);
    // Behind the piece, so that every resume gets on.
    writePoll(code, { controlMemory: n.controlMemory, poll: n.fixed('poll') }, () => {});
    code.op(OP.br, 0).op(OP.end).op(OP.end);
    writeInstruction(code.get(TO).get(FROM).get(LENGTH), use);
  });
  return { ...type, body: code.body(oneType(I32)) };
}

function writeInstruction(code: Assembler, { kind, memory, source }: BulkUse): Assembler {
  if (kind === 'memory.fill') return code.op(OP.memoryFill, memory);
  if (kind === 'memory.copy') return code.op(OP.memoryCopy, memory, source);
  return code.op(OP.memoryInit, source, memory);
}

/** Does one piece, and sets the parameters to what is left. */
function writePiece(code: Assembler, { params }: FunctionType, use: BulkUse, piece: number): void {
  const write = (): void => {
    writeInstruction(writeLength(code, params[LENGTH]!, piece), use);
  };
  const move = (local: number, add: boolean): void => {
    const type = params[local]!;
    const [adding, subtracting] = type === I64 ? [OP.i64Add, OP.i64Sub] : [OP.i32Add, OP.i32Sub];
    writeLength(code.get(local), type, piece).op(add ? adding : subtracting);
    code.op(OP.localSet, local);
  };
  const forwards = (): void => {
    code.get(TO).get(FROM);
    write();
    move(TO, true);
    if (use.kind !== 'memory.fill') move(FROM, true);
    move(LENGTH, false);
  };
  // Two memories may be one that was imported twice.
  if (use.kind !== 'memory.copy' || params[TO] !== params[FROM]) return forwards();
  const [greater, add] = params[TO] === I64 ? [OP.i64GtU, OP.i64Add] : [OP.i32GtU, OP.i32Add];
  code.get(TO).get(FROM).op(greater).raw(OP.if, 0x40);
  move(LENGTH, false);
  for (const local of [TO, FROM]) code.get(local).get(LENGTH).op(add);
  write();
  code.op(OP.else);
  forwards();
  code.op(OP.end);
}

/** Writes whether the whole range can be read and written, in 64 bits: no sum of two addresses is too large for them. */
function writeIsInBounds(code: Assembler, module: Module, use: BulkUse): void {
  const { params } = bulkType(module, use);
  const get = (local: number): Assembler => {
    code.get(local);
    return params[local] === I64 ? code : code.op(OP.i64ExtendI32U);
  };
  const inMemory = (index: number, at: number): void => {
    const size = (): Assembler => {
      code.op(OP.memorySize, index);
      if (module.memories[index]!.address !== I64) code.op(OP.i64ExtendI32U);
      return code.op(OP.i64Const, 16).op(OP.i64Shl);
    };
    // The subtraction counts only if the length is at most the size.
    get(LENGTH);
    size().op(OP.i64LeU);
    get(at);
    size();
    get(LENGTH).op(OP.i64Sub).op(OP.i64LeU).op(OP.i32And);
  };
  inMemory(use.memory, TO);
  if (use.kind === 'memory.fill') return;
  if (use.kind === 'memory.copy') inMemory(use.source, FROM);
  else writeIsInSegment(code, module, use);
  code.op(OP.i32And);
}

/** One that was dropped is empty by then: the first piece traps as the instruction does, before anything is written. */
function writeIsInSegment(code: Assembler, { datas }: Module, { source }: BulkUse): void {
  const { start, end } = datas[source]!.content;
  code.get(FROM).op(OP.i64ExtendI32U).get(LENGTH).op(OP.i64ExtendI32U).op(OP.i64Add);
  writeLength(code, I64, end - start).op(OP.i64LeU);
}
