/**
 * Waiting and waking: `memory.atomic.wait32`, `wait64` and `notify` (threads proposal, "Wait and Notify operators").
 * Who sleeps in V8's own queue can neither be captured nor be put back, so these instructions become calls of helper
 * functions, one for each instruction, memory and offset. A helper checks the address by a load that traps as the
 * original would, and asks the host (machine.ts, `Waiting`). A wait on a shared memory is a safepoint like the call
 * of an import: its helper has a frame with its arguments, and is called again by the resume.
 *
 * Every memory of a rewritten module is shared. To one that was not, nobody can wait: that is a trap, and there is
 * nobody to wake.
 */
import type { Module } from '../wasm/module.ts';
import { alignmentOf } from '../wasm/instructions.ts';
import { OP } from '../wasm/opcodes.ts';
import type { ReferenceTypes } from '../wasm/references.ts';
import { F64, I32, I64, NO_TYPES, oneType } from '../wasm/types.ts';
import type { FunctionType, TypeList, ValueType } from '../wasm/types.ts';
import type { FunctionWalker } from '../wasm/walker.ts';
import { Assembler } from './assembler.ts';
import { accessed, isGrowing, writeLearnSize } from './growing.ts';
import { closeHandler, openHandler } from './handler.ts';
import { planSaving } from './frame.ts';
import type { FramePlan } from './frame.ts';
import type { Numbering } from './numbering.ts';
import type { AppendedFunction } from './references.ts';
import type { TypeTable } from './target.ts';

export const WAIT_KINDS = ['wait32', 'wait64', 'notify'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** One instruction with its immediates. */
export interface WaitUse {
  readonly kind: WaitKind;
  readonly memory: number;
  /** From 2^53 on the nearest number: no memory reaches so far. */
  readonly offset: number;
}

/** What the table of the host's functions holds, in its order; only `poll` in modules that neither wait nor wake. */
export const HOST_FUNCTIONS = ['poll', ...WAIT_KINDS, 'forbiddenWait'] as const;
export type HostFunction = (typeof HOST_FUNCTIONS)[number];

interface WaitRule {
  readonly opcode: number;
  /** The load of the same size. */
  readonly load: number;
  /** The operands above the address. */
  readonly operands: TypeList;
}

const RULES: Readonly<Record<WaitKind, WaitRule>> = {
  wait32: { opcode: OP.atomicWait32, load: OP.i32AtomicLoad, operands: Uint8Array.of(I32, I64) },
  wait64: { opcode: OP.atomicWait64, load: OP.i64AtomicLoad, operands: Uint8Array.of(I64, I64) },
  notify: { opcode: OP.atomicNotify, load: OP.i32AtomicLoad, operands: Uint8Array.of(I32) },
};

const KIND_OF: ReadonlyMap<number, WaitKind> = new Map(WAIT_KINDS.map((kind) => [RULES[kind].opcode, kind]));

/** The use at the instruction that the walker has just passed; null if it is another instruction. */
export function waitUseAt({ opcode, accessMemory, accessOffset }: FunctionWalker): WaitUse | null {
  const kind = KIND_OF.get(opcode);
  return kind === undefined ? null : { kind, memory: accessMemory, offset: accessOffset };
}

export function waitKey({ kind, memory, offset }: WaitUse): string {
  return `${kind} ${memory} ${offset}`;
}

/** Whether the thread can be captured there. */
export function isSafepoint({ memories }: Module, { kind, memory }: WaitUse): boolean {
  return kind !== 'notify' && memories[memory]!.shared;
}

/** The type of the helper: that of the instruction. */
export function waitType({ memories }: Module, { kind, memory }: WaitUse): FunctionType {
  return { params: Uint8Array.of(memories[memory]!.address, ...RULES[kind].operands), results: oneType(I32) };
}

/** The type of the host's function: the number of the memory, the address in bytes, and the other operands. */
export function hostType(name: HostFunction): FunctionType {
  if (name === 'poll' || name === 'forbiddenWait') return { params: NO_TYPES, results: NO_TYPES };
  return { params: Uint8Array.of(I32, F64, ...RULES[name].operands), results: oneType(I32) };
}

/** The plan of the frame of a function that does nothing but call something with its parameters: those, and a pc of 0. */
export function callerPlan(params: TypeList, references: ReferenceTypes): FramePlan {
  const locals = Array.from(params, (_, local) => local);
  return {
    ...planSaving(locals, (local) => params[local]!, references),
    extraLocals: [I32],
    pcLocal: params.length,
    spills: new Map(),
    temporaries: new Map(),
    sites: 1,
    polls: new Set(),
  };
}

/**
 * Writes code that calls something, and saves the frame of {@link callerPlan} if that unwinds.
 * @param index the function's number in frame records
 * @param call writes the call with its arguments
 */
export function guardedCall(
  code: Assembler,
  n: Numbering,
  types: TypeTable,
  { params, results }: FunctionType,
  index: number,
  call: () => void,
): void {
  const plan = callerPlan(params, n.references);
  openHandler(code, types, n.unwindTag, results);
  call();
  closeHandler(code, (signature) => n.saveHelper(signature), index, plan);
}

/** The helper for one use. */
export function waitHelper(module: Module, n: Numbering, types: TypeTable, use: WaitUse): AppendedFunction {
  const { kind, memory } = use;
  const type = waitType(module, use);
  const { address, shared } = module.memories[memory]!;
  const code = new Assembler();
  writeCheck(code, module, use);
  const askHost = (): void => {
    code.constant(memory);
    writeAddress(code, address, use.offset);
    RULES[kind].operands.forEach((_, i) => code.get(1 + i));
    writeHostCall(code, n, types, kind);
  };
  if (isSafepoint(module, use)) guardedCall(code, n, types, type, n.waitHelper(use), askHost);
  else if (kind !== 'notify') writeHostCall(code.constant(0), n, types, 'forbiddenWait');
  else if (shared) askHost();
  else code.constant(0);
  return { ...type, body: code.body(oneType(I32)) };
}

/** Traps if the address is none of the memory, or not a multiple of the access's size. */
function writeCheck(code: Assembler, module: Module, use: WaitUse): void {
  const { kind, memory, offset } = use;
  const { opcode, load } = RULES[kind];
  const { params } = waitType(module, use);
  if (isGrowing(module.memories[memory]!)) {
    writeLearnSize(code, module, accessed(memory, offset), params, (operand) => operand);
  }
  code.get(0).op(load, 0x40 | alignmentOf[opcode]!, memory);
  code.u64(Math.min(offset, Number.MAX_SAFE_INTEGER));
  code.op(OP.drop);
}

/** The checked address is below 2^53, and goes to the host as a number. */
function writeAddress(code: Assembler, address: ValueType, offset: number): void {
  code.get(0).op(address === I64 ? OP.f64ConvertI64U : OP.f64ConvertI32U);
  if (offset > 0) code.real(offset).op(OP.f64Add);
}

/** Asks a function of the host, whose arguments are on the stack. */
export function writeHostCall(code: Assembler, n: Numbering, types: TypeTable, name: HostFunction): void {
  const { params, results } = hostType(name);
  code.constant(HOST_FUNCTIONS.indexOf(name)).op(OP.callIndirect, types.index(params, results), n.table('host'));
}
