/**
 * Memories that other threads may grow: shared ones that are not of their largest size from the beginning.
 *
 * V8 keeps the size of a memory in every thread. A thread that grows it changes its own; the others change theirs when
 * V8 next looks for interrupts in them: at the entry of most functions, in loops of optimised code, and now and then in
 * those of baseline code. Until then what V8 compares with the size itself is wrong in them: bulk instructions, waiting
 * and waking, atomic accesses in baseline code, and `memory.size`. Plain accesses are not: behind a memory are pages that
 * nobody may touch. So a thread that uses an address right after another one has allocated it and handed it over, by
 * an atomic store or a lock, traps by chance: with V8 14.6 and before, in programs of pthreads that allocate, once in twenty
 * runs under load. V8's issues are 529880019 and 533026477, corrected in September 2026 ("Atomic memory.size and dynamic
 * bounds checks for shared memory"); all of this can go when every Node that Godwit runs on has that.
 *
 * Here each such instruction has a comparison with the same size before it. If that is too small, a `memory.grow` by 0
 * follows, which makes the thread's size what it is by now, and then the instruction traps rightly or not at all.
 * Nothing of it lives on to a safepoint.
 */
import type { MemoryType, Module } from '../../wasm/module.ts';
import { signatureOf } from '../../wasm/instructions.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, I64 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { FunctionWalker } from '../../wasm/walker.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { SpillingCopier } from './spilling.ts';

/** Bytes of a memory that an instruction touches. Operands are numbered from the one that is deepest on the stack. */
export interface Touched {
  readonly memory: number;
  /** The operand that is their address. */
  readonly address: number;
  /** The operand that is their number; or how far from the address they begin, and they lie on one page. */
  readonly extent: { readonly length: number } | { readonly offset: number };
}

/** An instruction that touches memories which may have grown. */
export interface Touching {
  readonly operands: readonly ValueType[];
  readonly touched: readonly Touched[];
}

/** Whether the memory can have grown without this thread having done it. */
export function isGrowing({ shared, minimum, maximum }: MemoryType): boolean {
  return shared && (maximum === null || maximum > minimum);
}

/** Whether the instruction that the walker has just passed is one that V8 compares with a size that may be wrong. */
export function comparesSize(module: Module, walker: FunctionWalker): boolean {
  return asksSize(module, walker) || touchingAt(module, walker) !== null;
}

function asksSize({ memories }: Module, { opcode, immediate }: FunctionWalker): boolean {
  return opcode === OP.memorySize && isGrowing(memories[immediate]!);
}

/** For the instruction that the walker has just passed; not for waiting and waking, whose helpers see to it. */
function touchingAt(module: Module, walker: FunctionWalker): Touching | null {
  const { opcode } = walker;
  if (opcode > OP.atomicFence) return growingOf(module, atomicAccess(module, walker));
  return opcode >= OP.memoryInit && opcode <= OP.memoryFill ? growingOf(module, bulkAccess(module, walker)) : null;
}

function growingOf({ memories }: Module, { operands, touched }: Touching): Touching | null {
  const growing = touched.filter(({ memory }) => isGrowing(memories[memory]!));
  return growing.length === 0 ? null : { operands, touched: growing };
}

function bytes(memory: number, address: number): Touched {
  return { memory, address, extent: { length: 2 } };
}

function bulkAccess({ memories }: Module, { opcode, immediate, second }: FunctionWalker): Touching {
  const type = (memory: number): ValueType => memories[memory]!.address;
  switch (opcode) {
    case OP.memoryInit:
      return { operands: [type(second), I32, I32], touched: [bytes(second, 0)] };
    case OP.memoryFill:
      return { operands: [type(immediate), I32, type(immediate)], touched: [bytes(immediate, 0)] };
    case OP.memoryCopy: {
      const length = type(immediate) === I64 ? type(second) : I32;
      const operands = [type(immediate), type(second), length];
      return { operands, touched: [bytes(immediate, 0), bytes(second, 1)] };
    }
    // Between them stands `data.drop`.
    default:
      return { operands: [], touched: [] };
  }
}

function atomicAccess({ memories }: Module, { opcode, accessMemory, accessOffset }: FunctionWalker): Touching {
  const signature = signatureOf[opcode]!;
  // Its bytes are types from the top of the stack on; the deepest one is the address.
  const popped = [signature & 0xff, (signature >> 8) & 0xff, (signature >> 16) & 0xff].filter((type) => type !== 0);
  const operands = [memories[accessMemory]!.address, ...popped.slice(0, -1).toReversed()];
  return { operands, touched: [accessed(accessMemory, accessOffset)] };
}

/**
 * What an atomic instruction touches, its address the deepest operand: one that is not a multiple of the access's size,
 * so that it could lie on two pages, traps anyway.
 * @param offset up to 2^64
 */
export function accessed(memory: number, offset: number): Touched {
  return { memory, address: 0, extent: { offset } };
}

/**
 * Writes: if the bytes are not all in the memory as this thread knows it, the thread is to know it as it is now. A sum
 * that is too large for its type is of an address that is out of bounds anyway.
 * @param operands their types; each is in the local that `local` says
 * @returns the offset of the `if`, for a hint that it is not likely
 */
export function writeLearnSize(
  out: WasmWriter,
  { memories }: Module,
  { memory, address, extent }: Touched,
  operands: ArrayLike<ValueType>,
  local: (operand: number) => number,
): number {
  const type = memories[memory]!;
  out.u8(OP.localGet);
  out.u32(local(address));
  if ('offset' in extent) writeIsOutside(out, type, memory, extent.offset);
  else writeEndsOutside(out, type, memory, operands[extent.length]!, local(extent.length));
  const branch = out.length;
  out.raw(OP.if, 0x40);
  writeSizeNow(out, type, memory);
  out.raw(OP.drop, OP.end);
  return branch;
}

/** Compares pages: of the address on the stack, and how many there are. */
function writeIsOutside(out: WasmWriter, { address }: MemoryType, memory: number, offset: number): void {
  const wide = address === I64;
  if (offset > 0) {
    out.u8(wide ? OP.i64Const : OP.i32Const);
    out.s64(wide ? BigInt(Math.min(offset, Number.MAX_SAFE_INTEGER)) : BigInt(offset | 0));
    out.u8(wide ? OP.i64Add : OP.i32Add);
  }
  if (wide) out.raw(OP.i64Const, 16, OP.i64ShrU, OP.memorySize);
  else out.raw(OP.i32Const, 16, OP.i32ShrU, OP.memorySize);
  out.u32(memory);
  out.u8(wide ? OP.i64GeU : OP.i32GeU);
}

/** Compares bytes, in 64 bits: the end of a range, whose address is on the stack, and the size. */
function writeEndsOutside(
  out: WasmWriter,
  { address }: MemoryType,
  memory: number,
  lengthType: ValueType,
  length: number,
): void {
  const extend = (type: ValueType): void => {
    if (type !== I64) out.u8(OP.i64ExtendI32U);
  };
  extend(address);
  out.u8(OP.localGet);
  out.u32(length);
  extend(lengthType);
  out.raw(OP.i64Add, OP.memorySize);
  out.u32(memory);
  extend(address);
  out.raw(OP.i64Const, 16, OP.i64Shl, OP.i64GtU);
}

/** `memory.grow` by nothing gives the size by the memory itself, where `memory.size` gives what the thread knows of it. */
function writeSizeNow(out: WasmWriter, { address }: MemoryType, memory: number): void {
  out.raw(address === I64 ? OP.i64Const : OP.i32Const, 0, OP.memoryGrow);
  out.u32(memory);
}

/** Code with memories that other threads may grow. */
export class GrowingCopier extends SpillingCopier {
  /** For the instruction that the walker has just passed: what it is compared with, or asks for, is right by then. */
  protected learnSize(): void {
    const { module, walker, out } = this;
    if (asksSize(module, walker)) {
      this.copy(walker.start);
      writeSizeNow(out, module.memories[walker.immediate]!, walker.immediate);
      this.replaced();
      return;
    }
    const found = touchingAt(module, walker);
    if (found === null) return;
    const { operands, touched } = found;
    this.copy(walker.start);
    const local = (operand: number): number => this.added(this.temporaries, operand, operands[operand]!);
    for (let i = operands.length - 1; i >= 0; i--) this.local(OP.localSet, local(i));
    for (const bytes of touched) this.hints.push(writeLearnSize(out, module, bytes, operands, local));
    operands.forEach((_, i) => this.readLocal(local(i)));
  }
}
