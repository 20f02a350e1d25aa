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
import type { Module } from '../../wasm/module.ts';
import { alignmentOf } from '../../wasm/instructions.ts';
import { OP } from '../../wasm/opcodes.ts';
import type { ReferenceTypes } from '../../wasm/references.ts';
import { I32, I64, oneType } from '../../wasm/types.ts';
import type { FunctionType, TypeList, ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { accessed, isGrowing, writeLearnSize } from '../code/growing.ts';
import { closeHandler, openHandler } from './handler.ts';
import { planSaving } from '../layout/frame.ts';
import type { FramePlan } from '../layout/frame.ts';
import type { Numbering } from '../layout/numbering.ts';
import type { AppendedFunction } from './references.ts';
import type { TypeTable } from './target.ts';
import { HOST_FUNCTIONS, WAIT_RULES, hostType, isSafepoint, waitType } from '../analysis/wait-uses.ts';
import type { HostFunction, WaitUse } from '../analysis/wait-uses.ts';

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
    WAIT_RULES[kind].operands.forEach((_, i) => code.get(1 + i));
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
  const { opcode, load } = WAIT_RULES[kind];
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
