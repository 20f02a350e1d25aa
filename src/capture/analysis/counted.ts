/**
 * Counted loops, the form in which LLVM leaves most innermost loops: the last instructions of the body add a constant to
 * a local and branch back until it has reached a bound.
 *
 *     local.get i   i32.const step   i32.add   local.tee i   <bound>   i32.ne   br_if 0   end
 *
 * The bound is a constant or a local that the loop does not write; it may also stand before `local.get i`; and it is 0
 * if bound and `i32.ne` are missing. How many rounds are left is then known at the loop's head.
 */
import { IMMEDIATE, immediateOf } from '../../wasm/instructions.ts';
import { OP } from '../../wasm/opcodes.ts';
import type { FunctionWalker } from '../../wasm/walker.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { waitUseAt } from './wait-uses.ts';

export interface Bound {
  readonly kind: 'local' | 'constant';
  /** The local's number, or the constant. */
  readonly value: number;
}

export interface CountedLoop {
  /** The local that counts. */
  readonly counter: number;
  /** What each round adds to it: not 0, at most {@link MOST_STEP} in either direction. */
  readonly step: number;
  readonly bound: Bound;
  /** Offset of the instruction that pushes the bound; null if the counter itself is tested. */
  readonly boundAt: number | null;
  /** Offset of the branch back. */
  readonly branchAt: number;
  /** How many rounds may pass between two polls: at least 1. */
  readonly rounds: number;
}

/**
 * How much code may pass between two polls, in bytes of the original: some tens of microseconds in optimised code, some
 * milliseconds where each round misses the cache or touches a page for the first time.
 */
const STRETCH_BYTES = 1 << 18;

/** A loop with a larger body is left alone: there its poll is a small part, and the body is written twice. */
const MOST_BYTES = 512;

/** So that the distance of many rounds is still far below 2^31. */
const MOST_STEP = 4096;

/**
 * Instructions with rules of their own that a counted loop may hold, besides those that are known by their signature alone:
 * they take a short time, or leave the loop. All others it may not, so that one that comes to the engine cannot be
 * forgotten here. Calls, bulk instructions and giving a memory more pages take a time that the size of the loop does not
 * tell; `memory.size` may become a `memory.grow` (growing.ts); `br_table` and the clauses of tries may lead back to the
 * loop's head by many ways. Loops inside are safepoints.
 */
const PLAIN: ReadonlySet<number> = new Set([
  OP.unreachable,
  OP.block,
  OP.if,
  OP.else,
  OP.end,
  OP.br,
  OP.brIf,
  OP.brOnNull,
  OP.brOnNonNull,
  OP.return,
  OP.returnCall,
  OP.returnCallIndirect,
  OP.returnCallRef,
  OP.throw,
  OP.throwRef,
  OP.drop,
  OP.select,
  OP.selectTyped,
  OP.localGet,
  OP.localSet,
  OP.localTee,
  OP.globalGet,
  OP.globalSet,
  OP.tableGet,
  OP.tableSet,
  OP.refNull,
  OP.refIsNull,
  OP.refFunc,
  OP.refAsNonNull,
]);

/** Those of them that may lead back to the loop's head, by the label that is their immediate. */
const BRANCHES: ReadonlySet<number> = new Set([OP.br, OP.brIf, OP.brOnNull, OP.brOnNonNull]);

/** For the instruction that the walker has just passed. */
function isPlain(walker: FunctionWalker): boolean {
  const { opcode } = walker;
  if (immediateOf[opcode] === IMMEDIATE.special) return PLAIN.has(opcode);
  // Waiting and waking are calls of helpers, though they have a signature.
  return waitUseAt(walker) === null;
}

interface Instruction {
  readonly opcode: number;
  readonly immediate: number;
  readonly at: number;
}

/** The tail of the longest form. */
const TAIL = 7;

/**
 * Reads the loop whose `end` the walker has just passed once more; the walker is then where it was.
 * @returns what its rounds are counted by, or null if it is no such loop
 */
export function countedLoop(walker: FunctionWalker): CountedLoop | null {
  const loop = walker.depth + 1;
  const size = walker.start - walker.frameStart[loop]!;
  if (size > MOST_BYTES || walker.frameParams[loop]!.length > 0) return null;
  const tail: Instruction[] = [];
  const written: number[] = [];
  let back = 0;
  let plain = true;
  walker.rewindToLoop();
  walker.step();
  do {
    walker.step();
    const { opcode, immediate, depth, start: at } = walker;
    if (opcode === OP.localSet || opcode === OP.localTee) written.push(immediate);
    else if (!isPlain(walker)) plain = false;
    else if (BRANCHES.has(opcode) && depth - immediate === loop) back++;
    if (opcode !== OP.end || depth >= loop) tail.push({ opcode, immediate, at });
    if (tail.length > TAIL) tail.shift();
  } while (walker.depth >= loop);
  return plain && back === 1 ? match(tail, written, Math.floor(STRETCH_BYTES / size)) : null;
}

function match(tail: readonly Instruction[], written: readonly number[], rounds: number): CountedLoop | null {
  const branch = tail.at(-1);
  if (branch?.opcode !== OP.brIf || branch.immediate !== 0) return null;
  const compares = tail.at(-2)?.opcode === OP.i32Ne;
  // local.get i, i32.const step, i32.add, local.tee i: behind it the bound, or before it, or none.
  for (const [end, bound] of compares
    ? ([
        [-3, -3],
        [-2, -7],
      ] as const)
    : ([[-1, null]] as const)) {
    const found = counter(tail.slice(0, end), written);
    const limit = bound === null ? { kind: 'constant' as const, value: 0 } : boundOf(tail.at(bound), written);
    if (found === null || limit === null) continue;
    return { ...found, bound: limit, boundAt: bound === null ? null : tail.at(bound)!.at, branchAt: branch.at, rounds };
  }
  return null;
}

function counter(
  tail: readonly Instruction[],
  written: readonly number[],
): Pick<CountedLoop, 'counter' | 'step'> | null {
  const [get, constant, add, tee] = tail.slice(-4);
  if (get?.opcode !== OP.localGet || constant?.opcode !== OP.i32Const) return null;
  if (add?.opcode !== OP.i32Add || tee?.opcode !== OP.localTee || tee.immediate !== get.immediate) return null;
  if (written.filter((local) => local === get.immediate).length !== 1) return null;
  const step = constant.immediate;
  return step === 0 || Math.abs(step) > MOST_STEP ? null : { counter: get.immediate, step };
}

function boundOf(instruction: Instruction | undefined, written: readonly number[]): Bound | null {
  if (instruction?.opcode === OP.i32Const) return { kind: 'constant', value: instruction.immediate };
  if (instruction?.opcode !== OP.localGet || written.includes(instruction.immediate)) return null;
  return { kind: 'local', value: instruction.immediate };
}

/**
 * Pushes whether the bound is at most `rounds` rounds away and is met exactly.
 * @param scratch an i32 local, written
 */
export function pushEndsSoon(out: WasmWriter, { counter, step, bound, rounds }: CountedLoop, scratch: number): void {
  const size = Math.abs(step);
  const [from, to] = step > 0 ? [local(counter), bound] : [bound, local(counter)];
  const code = new Assembler(64);
  push(code, to);
  push(code, from);
  // A distance of 0 is one of all 2^32 numbers.
  code
    .op(OP.i32Sub)
    .op(OP.localTee, scratch)
    .constant(1)
    .op(OP.i32Sub)
    .constant(rounds * size)
    .op(OP.i32LtU);
  if (size > 1) code.get(scratch).constant(size).op(OP.i32RemU).op(OP.i32Eqz).op(OP.i32And);
  out.copy(code.bytes, 0, code.length);
}

/** Sets the local `end` to the end of the next stretch: the bound, or if that is too far away as far as may be. */
export function setStretch(out: WasmWriter, loop: CountedLoop, end: number): void {
  const code = new Assembler(128);
  push(code, loop.bound);
  code
    .get(loop.counter)
    .constant(loop.rounds * loop.step)
    .op(OP.i32Add);
  pushEndsSoon(code, loop, end);
  code.op(OP.select).op(OP.localSet, end);
  out.copy(code.bytes, 0, code.length);
}

/** Pushes whether the counter has not reached the bound yet. */
export function pushUnfinished(out: WasmWriter, { counter, bound }: CountedLoop): void {
  const code = new Assembler(16).get(counter);
  push(code, bound);
  code.op(OP.i32Ne);
  out.copy(code.bytes, 0, code.length);
}

function local(value: number): Bound {
  return { kind: 'local', value };
}

function push(code: Assembler, { kind, value }: Bound): void {
  if (kind === 'local') code.get(value);
  else code.constant(value);
}
