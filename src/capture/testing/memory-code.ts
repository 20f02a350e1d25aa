/** Random code that uses memories: addresses, atomic accesses and instructions on many bytes. */
import { OP } from '../../wasm/opcodes.ts';
import { I32 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { Assembler } from '../code/assembler.ts';
import { ATOMIC_ACCESSES } from './operations.ts';
import type { Writing } from './writing.ts';

const MEMORY_MASK = 0xfff0;

/** One of the module's memories. */
export function pickMemory({ choices, module }: Writing): number {
  return choices.below(module.memories.length);
}

/** A constant of an address type. @param wide of 64 bits */
export function writeAddressed(code: Assembler, wide: boolean, value: number): Assembler {
  if (!wide) return code.constant(value);
  code.u8(OP.i64Const);
  code.s64(BigInt(value));
  return code;
}

/** An address inside of the memory. */
export function writeAddress({ code, module, value }: Writing, memory: number): void {
  value(I32);
  code.constant(MEMORY_MASK).op(OP.i32And);
  if (module.memories[memory]!) code.op(OP.i64ExtendI32U);
}

/** An atomic access that leaves this; a wait ends at once, for want of other threads. @param leaf writes a value instead */
export function writeAtomic(at: Writing, type: ValueType, leaf: () => void): void {
  const { code, choices, module, value } = at;
  const access = choices.pick(ATOMIC_ACCESSES.get(type)!);
  const waits = access.opcode === OP.atomicWait32 || access.opcode === OP.atomicWait64;
  const memory = pickMemory(at);
  if (waits && !module.shared[memory]! && choices.below(8) > 0) {
    leaf();
    return;
  }
  writeAddress(at, memory);
  access.operands.forEach((operand, i) => {
    if (waits && i === 1) code.op(OP.i64Const, choices.below(64));
    else value(operand);
  });
  const offset = (choices.below(12) << access.alignment) + (choices.below(40) === 39 ? 1 : 0);
  code.op(access.opcode, 0x40 | access.alignment, memory, offset);
  if (choices.below(8) === 7) code.op(OP.atomicFence, 0);
}

/** The length of a bulk instruction, as a constant or not. @param most all bits of it set; seldom it is more */
function writeLength({ code, choices, value }: Writing, wide: boolean, most: number): void {
  const kind = choices.below(3);
  if (kind < 2) {
    writeAddressed(code, wide, kind === 0 ? 5 : choices.below(most + 1));
    return;
  }
  value(I32);
  if (choices.below(16) < 15) code.constant(most).op(OP.i32And);
  if (wide) code.op(OP.i64ExtendI32U);
}

/** An instruction on a range of memory, or on the size of one. */
export function writeBulk(at: Writing): void {
  const { code, choices, module, value } = at;
  const kind = choices.below(5);
  if (kind === 0) {
    const memory = pickMemory(at);
    writeAddress(at, memory);
    code.constant(3);
    writeLength(at, false, 15);
    code.op(OP.memoryInit, 1, memory);
  } else if (kind === 1) code.op(OP.dataDrop, 1);
  else if (kind === 2) {
    const [to, from] = [pickMemory(at), pickMemory(at)];
    writeAddress(at, to);
    writeAddress(at, from);
    writeLength(at, module.memories[to]! && module.memories[from]!, 63);
    code.op(OP.memoryCopy, to, from);
  } else if (kind === 3) {
    const memory = pickMemory(at);
    writeAddress(at, memory);
    value(I32);
    writeLength(at, module.memories[memory]!, 63);
    code.op(OP.memoryFill, memory);
  } else {
    const memory = pickMemory(at);
    writeAddressed(code, module.memories[memory]!, 1).op(OP.memoryGrow, memory).op(OP.drop);
  }
}
