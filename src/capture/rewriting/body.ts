/**
 * Rewrites the body of one function: sites get their pc and spills, loop heads and some entries a poll, and the whole
 * gets the handler that saves the frame (docs: the design of the engine, section 2). Everything else is copied in
 * ranges, so the code keeps its order, and its label depths but for the older form of exception handling (tries.ts).
 *
 * What the code relies on:
 * - A value on the operand stack below a site's arguments is in its spill local when the site is reached. Values
 *   below a block can only be reached before the block begins, so they are spilled there. `watermark` is the height up
 *   to which the operands are in their spill locals.
 * - Sites are numbered in the order of the original code, unreachable code left out (it is dropped).
 * - Which locals are saved and which locals are added is only known at the end, so the locals and the handler are
 *   written last.
 */
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Module } from '../../wasm/module.ts';
import { OP, PREFIX_FC, PREFIX_FE } from '../../wasm/opcodes.ts';
import { EXNREF, I32 } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import { CallRewriter } from './calls.ts';
import type { CallFacts } from './calls.ts';
import { planSaving } from '../layout/frame.ts';
import type { FramePlan } from '../layout/frame.ts';
import { closeHandler, openHandler } from './handler.ts';
import type { CodeTarget } from './target.ts';
import { TryWriter } from './tries.ts';

/** Position of the spill locals for caught exceptions, by frame depth: far above any operand. */
export const CAUGHT: number = 1 << 20;

/** Where dead code ends within a construct. */
const CLAUSES: ReadonlySet<number> = new Set([OP.else, OP.catch, OP.catchAll]);

export class BodyRewriter extends CallRewriter {
  /** False for a function that is only patched. */
  protected wrapped = true;
  protected readonly tries: TryWriter;

  constructor(module: Module, facts: CallFacts, target: CodeTarget) {
    super(module, facts, target);
    this.tries = new TryWriter(module, this.out, target, this.labels, (frame) =>
      this.added(this.spills, CAUGHT + frame, EXNREF),
    );
  }

  /**
   * Writes the code of function `index` into {@link out} (cleared first). The function must be a defined one.
   * @returns the plan of its frame, null if none is ever saved and only references were changed
   */
  rewrite(index: number): FramePlan | null {
    this.begin(index);
    const { walker } = this;
    if (!this.wrapped) {
      this.#rewriteUnwrapped(index);
      return null;
    }
    this.openWrapper();
    if (this.facts.entryPolls[index] === 1) this.poll();
    this.walk(walker.step());
    this.copy(walker.start);
    if (this.sites === 0) {
      this.#rewriteUnwrapped(index);
      return null;
    }
    const plan = this.plan();
    this.closeWrapper(plan);
    return plan;
  }

  /** No frame of the function is ever saved: it is not capturable, or what can unwind is only tail-called by it. */
  #rewriteUnwrapped(index: number): void {
    this.begin(index);
    this.wrapped = false;
    this.extraLocals = [];
    this.walk(this.walker.step());
    this.copy(this.walker.start);
    this.out.u8(OP.end);
  }

  protected begin(index: number): void {
    this.enter(index);
    this.wrapped = this.facts.capturable[index] === 1;
    this.labels.enter();
    this.tries.begin(index);
  }

  /** Types of the locals that were added behind the function's own. */
  get addedLocals(): readonly ValueType[] {
    return this.extraLocals;
  }

  protected plan(): FramePlan {
    const { walker, ownLocals } = this;
    const { references } = this.module;
    const live = this.liveness.savedLocals().concat(Array.from(this.spills.values()));
    const locals = ownLocals + this.extraLocals.length;
    if (locals > LIMITS.functionLocals - LIMITS.continuationLocals) this.tooLarge(`${locals} locals`);
    return {
      ...planSaving(
        live,
        (local) =>
          references.nullable(local < ownLocals ? walker.locals[local]! : this.extraLocals[local - ownLocals]!),
        references,
      ),
      extraLocals: this.extraLocals,
      pcLocal: ownLocals,
      spills: this.spills,
      temporaries: this.temporaries,
      sites: this.sites,
      polls: this.polls,
    };
  }

  /** The body goes between this and {@link closeWrapper}. */
  protected openWrapper(): void {
    openHandler(this.out, this.target.types, this.target.unwindTag, this.walker.type.results);
  }

  protected closeWrapper(plan: FramePlan): void {
    closeHandler(this.out, (signature) => this.target.saveHelper(signature), this.walker.functionIndex, plan);
    this.out.u8(OP.end);
  }

  /** Handles instructions until the function's last `end` has been passed. */
  protected walk(more: boolean): void {
    const { walker } = this;
    while (more) {
      if (walker.low < this.watermark) this.watermark = walker.low;
      if (this.out.length > LIMITS.functionBytes) this.tooLarge(`more than ${LIMITS.functionBytes} bytes`);
      this.inLoop();
      if (this.instruction(walker.opcode)) {
        this.liveness.dead();
        this.copy(walker.pos);
        more = this.#passDead();
      } else more = walker.step();
    }
  }

  /** Drops unreachable code. @returns false if it reaches to the function's end */
  #passDead(): boolean {
    const { walker } = this;
    const { depth } = walker;
    let more: boolean;
    do {
      more = walker.step();
    } while (
      !((walker.opcode === OP.end || walker.opcode === OP.delegate) && walker.depth < depth) &&
      !(CLAUSES.has(walker.opcode) && walker.depth === depth)
    );
    this.copyFrom = walker.start;
    return more;
  }

  /** @returns true if what follows cannot be reached */
  protected instruction(opcode: number): boolean {
    const { walker } = this;
    switch (opcode) {
      case OP.localGet:
        this.liveness.read(walker.immediate);
        this.#notNull();
        return false;
      case OP.localTee:
        this.liveness.write(walker.immediate);
        this.#notNull();
        return false;
      case OP.localSet:
        this.liveness.write(walker.immediate);
        return false;
      case OP.block:
      case OP.loop:
      case OP.if:
      case OP.try:
      case OP.tryTable:
        this.open(opcode);
        return false;
      case OP.else:
        this.liveness.otherwise(walker.depth);
        this.otherwise();
        this.watermark = walker.frameBase[walker.depth]!;
        return false;
      case OP.catch:
      case OP.catchAll:
        this.liveness.handler(walker.depth);
        this.copy(walker.start);
        this.clause(walker.depth);
        this.replaced();
        this.watermark = walker.frameBase[walker.depth]!;
        return false;
      case OP.rethrow:
        this.copy(walker.start);
        this.tries.rethrow(walker.depth - walker.immediate);
        this.replaced();
        return true;
      case OP.throw:
      case OP.throwRef:
        return true;
      case OP.delegate:
      case OP.end: {
        const kind = walker.frameOpcode[walker.depth + 1]!;
        this.liveness.close(walker.depth + 1, kind === OP.loop ? 'loop' : kind === OP.if ? 'if' : 'block');
        this.close();
        return false;
      }
      case OP.br:
      case OP.brIf:
      case OP.brOnNull:
      case OP.brOnNonNull:
        this.liveness.branch(walker.depth - walker.immediate);
        this.branch();
        return opcode === OP.br;
      case OP.brTable:
        this.eachTarget((label) => this.liveness.branch(walker.depth - label));
        this.branchTable();
        return true;
      case OP.return:
      case OP.unreachable:
        return true;
      case OP.call:
      case OP.callIndirect:
      case OP.callRef:
        this.call(opcode);
        return false;
      case OP.returnCall:
        this.reference(OP.returnCall);
        return true;
      case OP.returnCallIndirect:
      case OP.returnCallRef:
        return true;
      case OP.refFunc:
        this.reference(OP.refFunc);
        return false;
      default:
        this.learnSize();
        if (opcode >= PREFIX_FE) this.wait();
        else if (opcode >= PREFIX_FC) this.bulk();
        return false;
    }
  }

  protected open(opcode: number): void {
    const { walker } = this;
    const { depth } = walker;
    if (depth > LIMITS.nestedConstructs)
      this.tooLarge(`more than ${LIMITS.nestedConstructs} constructs within each other`);
    const params = walker.frameParams[depth]!;
    if (this.wrapped && this.watermark < walker.low) this.spill([...params, ...(opcode === OP.if ? [I32] : [])]);
    this.watermark = walker.low;
    this.liveness.open(depth, opcode === OP.if);
    this.opensAt(depth, opcode === OP.loop);
    if (opcode === OP.loop) {
      assert(this.wrapped, 'a function with a loop is capturable');
      this.openLoop(params);
    } else this.opened();
  }

  #openTry(opcode: number): void {
    const { walker, tries } = this;
    const { depth } = walker;
    const type = { params: walker.frameParams[depth]!, results: walker.frameResults[depth]! };
    this.copy(walker.start);
    if (opcode === OP.try) {
      tries.open(depth, walker.start, type, this.wrapped);
      this.replaced();
      return;
    }
    const clauses = walker.catchClauses(walker.start);
    for (const { label } of clauses) this.liveness.caught(depth - 1 - label);
    tries.tryTable(depth, clauses, type, this.wrapped);
    this.replaced();
  }

  /** Hooks for continuations. */
  protected override opened(): void {
    const { opcode, depth } = this.walker;
    if (opcode === OP.try || opcode === OP.tryTable) this.#openTry(opcode);
    else this.labels.open(depth);
  }
  protected otherwise(): void {}

  /** A clause of the older try at this frame depth begins. */
  protected clause(frame: number): void {
    this.tries.nextClause(frame);
  }

  /** @returns false if the frame is a loop and the walker has been put back to its start, to write it once more */
  protected close(): boolean {
    const { walker, labels } = this;
    this.watermark = Math.min(walker.low, this.watermark);
    const frame = walker.depth + 1;
    if (frame === 0) return true;
    if (walker.frameOpcode[frame] === OP.loop && this.closeLoop(frame)) return false;
    if (this.tries.isOpen(frame)) {
      this.copy(walker.start);
      this.tries.close(frame);
      this.replaced();
    } else labels.depth--;
    return true;
  }

  /** A local that cannot be null in the original can be here: the handler reads it, whether it has been set or not. */
  #notNull(): void {
    const { walker } = this;
    if (this.module.references.isDefaultable(walker.locals[walker.immediate]!)) return;
    this.copy(walker.pos);
    this.out.u8(OP.refAsNonNull);
  }
}
