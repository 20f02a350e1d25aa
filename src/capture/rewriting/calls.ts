/**
 * Instructions that can end in a safepoint of another function: calls, and those that become calls of helper functions.
 * Operands below their arguments are in spill locals by then, and the pc says which safepoint it is.
 */
import { typeOf } from '../../wasm/module.ts';
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { NO_TYPES } from '../../wasm/types.ts';
import type { TypeList, ValueType } from '../../wasm/types.ts';
import { Assembler } from '../code/assembler.ts';
import { bulkType, bulkUseAt, isSeldomLong } from '../analysis/bulk-uses.ts';
import { writeIsLong } from './bulk.ts';
import type { BulkUse } from '../analysis/bulk-uses.ts';
import type { Facts } from '../layout/facts.ts';
import { segmentUseAt } from '../analysis/graph.ts';
import { LoopRewriter } from './loops.ts';
import type { CodeTarget } from './target.ts';
import { isSafepoint, waitType, waitUseAt } from '../analysis/wait-uses.ts';

/** What the rewriter of bodies must know about the functions that it meets. */
export type CallFacts = Pick<Facts, 'capturable' | 'capturableTypes' | 'entryPolls' | 'bulkPiece'>;

export abstract class CallRewriter extends LoopRewriter {
  protected readonly facts: CallFacts;

  constructor(module: Module, facts: CallFacts, target: CodeTarget) {
    super(module, target);
    this.facts = facts;
  }

  /** `call`, `call_indirect` or `call_ref`. */
  protected call(opcode: number): void {
    const { walker, facts, module } = this;
    const { immediate } = walker;
    const indirect = opcode !== OP.call;
    const isSite = indirect ? facts.capturableTypes[immediate] === 1 : facts.capturable[immediate] === 1;
    if (!isSite) {
      this.#writeCall(opcode);
      return;
    }
    const type = indirect ? module.types[immediate]! : typeOf(module, immediate);
    let args: ArrayLike<ValueType> = type.params;
    if (opcode === OP.callRef) args = [...type.params, module.references.type(immediate, true)];
    else if (indirect) args = [...type.params, module.tables[walker.second]!.address];
    if (!this.#callAsSite(args, type.results)) this.#writeCall(opcode);
  }

  #writeCall(opcode: number): void {
    if (opcode === OP.callIndirect) this.indirectCall();
    if (opcode !== OP.call) return;
    const copy = this.copyOf(this.walker.immediate);
    if (copy === null) return this.reference(OP.call);
    this.copy(this.walker.start);
    this.callCopy(copy);
    this.replaced();
  }

  /** Prepares a call that is a site. @returns true if it has been written */
  #callAsSite(args: ArrayLike<ValueType>, results: TypeList): boolean {
    const site = this.#beginSite(args);
    if (this.callSite(site, results)) return true;
    this.setPc(site);
    return false;
  }

  /** Writes what is before the instruction, its operands in place. @returns the number of its site */
  #beginSite(args: ArrayLike<ValueType>): number {
    if (this.watermark < this.walker.low) this.spill(args);
    else this.copy(this.walker.start);
    return this.site();
  }

  /** A continuation begins its code at one site. @returns true if the call itself has been written */
  protected callSite(_site: number, _results: Uint8Array): boolean {
    return false;
  }

  /** The number of a copy of the function in the target, which is called here instead of the function. */
  protected copyOf(_index: number): number | null {
    return null;
  }

  /** For a `call_indirect` that the walker has just passed: a continuation may write something before or instead of it. */
  protected indirectCall(): void {}

  /** `call`, `return_call` or `ref.func` with the function's number in the target. */
  protected reference(opcode: number): void {
    const { walker, target } = this;
    const index = target.functionIndex(walker.immediate);
    if (index !== walker.immediate) this.#writeInstead(opcode, index);
  }

  /** A wait or a notify is a call of its helper. */
  protected wait(): void {
    const { walker, module } = this;
    const use = waitUseAt(walker);
    if (use === null) return;
    const { params, results } = waitType(module, use);
    if (isSafepoint(module, use) && this.#callAsSite(params, results)) return;
    this.#writeInstead(OP.call, this.target.waitHelper(use));
  }

  /** A bulk instruction, or one that drops a segment. */
  protected bulk(): void {
    const use = bulkUseAt(this.module, this.walker, this.facts.bulkPiece);
    if (use === null) return this.#segment();
    if (isSeldomLong(use, this.walker)) this.#seldomLong(use);
    else if (!this.#callAsSite(bulkType(this.module, use).params, NO_TYPES)) {
      this.#writeInstead(OP.call, this.target.bulkHelper(use));
    }
  }

  /** `if (length > piece) { pc = site; helper } else` the instruction, the first arm hinted to be cold. */
  #seldomLong(use: BulkUse): void {
    const { out, walker } = this;
    const { params, results } = bulkType(this.module, use);
    const site = this.#beginSite(params);
    if (this.callSite(site, results)) return;
    const length = params.length - 1;
    const type = params[length]!;
    const copied = this.added(this.temporaries, length, type);
    this.local(OP.localTee, copied);
    this.readLocal(copied);
    const { bytes, length: size } = writeIsLong(new Assembler(16), type, this.facts.bulkPiece);
    out.copy(bytes, 0, size);
    this.hints.push(out.length);
    out.u8(OP.if);
    this.target.types.writeBlockType(out, params, results);
    this.setPc(site);
    out.u8(OP.call);
    out.u32(this.target.bulkHelper(use));
    out.u8(OP.else);
    this.copy(walker.pos);
    out.u8(OP.end);
  }

  #segment(): void {
    const use = segmentUseAt(this.walker);
    const helper = use === null ? null : this.target.segmentHelper(use);
    if (helper !== null) this.#writeInstead(OP.call, helper);
  }

  /** In place of the instruction that has just been passed. */
  #writeInstead(opcode: number, index: number): void {
    this.copy(this.walker.start);
    this.out.u8(opcode);
    this.out.u32(index);
    this.replaced();
  }
}
