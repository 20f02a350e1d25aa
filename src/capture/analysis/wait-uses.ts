/**
 * Where modules wait and wake, as far as all of the engine has to agree on it: which instructions, what they are called by,
 * and the types of their helpers (waits.ts) and of the functions of the host that those call.
 */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { F64, I32, I64, NO_TYPES, oneType } from '../../wasm/types.ts';
import type { FunctionType, TypeList } from '../../wasm/types.ts';
import type { FunctionWalker } from '../../wasm/walker.ts';

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

/** By kind. */
export const WAIT_RULES: Readonly<Record<WaitKind, WaitRule>> = {
  wait32: { opcode: OP.atomicWait32, load: OP.i32AtomicLoad, operands: Uint8Array.of(I32, I64) },
  wait64: { opcode: OP.atomicWait64, load: OP.i64AtomicLoad, operands: Uint8Array.of(I64, I64) },
  notify: { opcode: OP.atomicNotify, load: OP.i32AtomicLoad, operands: Uint8Array.of(I32) },
};

const KIND_OF: ReadonlyMap<number, WaitKind> = new Map(WAIT_KINDS.map((kind) => [WAIT_RULES[kind].opcode, kind]));

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
  return { params: Uint8Array.of(memories[memory]!.address, ...WAIT_RULES[kind].operands), results: oneType(I32) };
}

/** The type of the host's function: the number of the memory, the address in bytes, and the other operands. */
export function hostType(name: HostFunction): FunctionType {
  if (name === 'poll' || name === 'forbiddenWait') return { params: NO_TYPES, results: NO_TYPES };
  return { params: Uint8Array.of(I32, F64, ...WAIT_RULES[name].operands), results: oneType(I32) };
}
