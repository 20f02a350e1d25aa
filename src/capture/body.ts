/**
 * Rewrites the body of one function: sites get their pc and spills, loop heads and some entries a poll, and the whole
 * gets the handler that saves the frame (docs: the design of the engine, section 2). Everything else is copied in
 * ranges, so the code keeps its order and its label depths.
 *
 * What the code relies on:
 * - A value on the operand stack below a site's arguments is in its spill local when the site is reached. Values
 *   below a block can only be reached before the block begins, so they are spilled there. `watermark` is the height up
 *   to which the operands are in their spill locals.
 * - Sites are numbered in the order of the original code, unreachable code left out (it is dropped).
 * - Which locals are saved and which locals are added is only known at the end, so the locals and the handler are
 *   written last.
 */
import { assert } from '../base/assert.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Module } from '../wasm/module.ts';
import { OP, PREFIX_FC } from '../wasm/opcodes.ts';
import { EXNREF, I32, UNKNOWN } from '../wasm/types.ts';
import type { ValueType } from '../wasm/types.ts';
import { FunctionWalker } from '../wasm/walker.ts';
import { WasmWriter } from '../wasm/writer.ts';
import type { Facts } from './facts.ts';
import { planSaving } from './frame.ts';
import type { FramePlan } from './frame.ts';
import type { SegmentUse } from './graph.ts';
import { Liveness } from './liveness.ts';
import type { CodeTarget } from './target.ts';

/** What the rewriter of bodies must know about the functions that it meets. */
export type CallFacts = Pick<Facts, 'capturable' | 'capturableTypes' | 'entryPolls'>;

/** A piece of the original that was copied: `size` bytes from `original` to `written` (offset in the new body). */
export interface CopiedRange {
  readonly written: number;
  readonly original: number;
  readonly size: number;
}

const SEGMENT_INSTRUCTIONS: ReadonlyMap<number, SegmentUse['kind']> = new Map([
  [OP.memoryInit, 'memory.init'],
  [OP.dataDrop, 'data.drop'],
  [OP.tableInit, 'table.init'],
  [OP.elemDrop, 'elem.drop'],
]);

/** Label catch_ref of a try_table clause. */
const CATCH_REF = 0x01;

export class BodyRewriter {
  protected readonly module: Module;
  protected readonly facts: CallFacts;
  protected readonly target: CodeTarget;
  protected readonly walker: FunctionWalker;
  /** The code of the function without its locals. */
  readonly out: WasmWriter = new WasmWriter(4096);
  /** Offsets in `out` of the `if` of each poll. */
  readonly hints: number[] = [];
  /** Where copied code came from, if {@link recordCopies} was called. */
  copies: CopiedRange[] | null = null;

  /** Bytes of the original from here on are not written yet. */
  protected copyFrom = 0;
  protected watermark = 0;
  protected sites = 0;
  #polls = new Set<number>();
  /** False for a function that is only patched. */
  protected wrapped = true;
  readonly #liveness = new Liveness();
  /** Number of the function's own locals, and what was added behind them. */
  protected ownLocals = 0;
  protected extraLocals: ValueType[] = [];
  protected spills = new Map<number, number>();
  protected temporaries = new Map<number, number>();

  constructor(module: Module, facts: CallFacts, target: CodeTarget) {
    this.module = module;
    this.facts = facts;
    this.target = target;
    this.walker = new FunctionWalker(module);
  }

  /**
   * Writes the code of function `index` into {@link out} (cleared first). The function must be a defined one.
   * @returns the plan of its frame, null if the function is not capturable and only had references changed
   */
  rewrite(index: number): FramePlan | null {
    this.begin(index);
    const { walker, out } = this;
    if (!this.wrapped) {
      this.walk(walker.step());
      this.copy(walker.start);
      out.u8(OP.end);
      return null;
    }
    this.openWrapper();
    if (this.facts.entryPolls[index] === 1) this.poll();
    this.walk(walker.step());
    this.copy(walker.start);
    const plan = this.plan();
    this.closeWrapper(plan);
    return plan;
  }

  /** Keeps {@link copies} from now on, for mapping positions back to the original. */
  recordCopies(): void {
    this.copies = [];
  }

  protected begin(index: number): void {
    this.walker.enter(index);
    this.out.length = 0;
    this.hints.length = 0;
    if (this.copies !== null) this.copies = [];
    this.copyFrom = this.walker.pos;
    this.watermark = 0;
    this.sites = 0;
    this.#polls = new Set();
    this.wrapped = this.facts.capturable[index] === 1;
    this.ownLocals = this.walker.localCount;
    this.extraLocals = [I32];
    this.spills = new Map();
    this.temporaries = new Map();
    this.#liveness.enter(this.ownLocals);
  }

  /** Types of all locals, the function's own and the added ones. */
  localTypes(): ValueType[] {
    return [...this.walker.locals.subarray(0, this.ownLocals), ...this.extraLocals];
  }

  protected plan(): FramePlan {
    const { walker, ownLocals } = this;
    const live: number[] = [];
    for (let local = 0; local < ownLocals; local++) if (this.#liveness.saved[local] === 1) live.push(local);
    live.push(...this.spills.values());
    const locals = ownLocals + this.extraLocals.length;
    if (locals > LIMITS.functionLocals) {
      throw new GodwitError(
        'limit',
        `function ${walker.functionIndex} is too large to be made movable: ${locals} locals`,
      );
    }
    return {
      ...planSaving(live, (local) =>
        local < ownLocals ? walker.locals[local]! : this.extraLocals[local - ownLocals]!,
      ),
      extraLocals: this.extraLocals,
      pcLocal: ownLocals,
      spills: this.spills,
      temporaries: this.temporaries,
      sites: this.sites,
      polls: this.#polls,
    };
  }

  /** block (result exnref) / try_table (catch_ref unwind 0): the body goes inside. */
  protected openWrapper(): void {
    const { out, target, walker } = this;
    out.raw(OP.block, EXNREF, OP.tryTable);
    target.types.writeBlockType(out, walker.type.results);
    out.raw(1, CATCH_REF);
    out.u32(target.unwindTag);
    out.u8(0);
  }

  /** Behind the body: return its results; the handler saves the frame and throws on. */
  protected closeWrapper(plan: FramePlan): void {
    const { out, target } = this;
    out.raw(OP.end, OP.return, OP.end);
    for (const { signature, locals } of plan.calls) {
      for (const local of locals) this.#local(OP.localGet, local);
      if (signature.ends) {
        this.#local(OP.localGet, plan.pcLocal);
        this.constant(this.walker.functionIndex);
        this.constant(plan.frameBytes);
      }
      out.u8(OP.call);
      out.u32(target.saveHelper(signature));
    }
    out.raw(OP.throwRef, OP.end);
  }

  /** Copies the original up to `to`. */
  protected copy(to: number): void {
    if (to > this.copyFrom) {
      this.copies?.push({ written: this.out.length, original: this.copyFrom, size: to - this.copyFrom });
      this.out.copy(this.module.bytes, this.copyFrom, to);
    }
    this.copyFrom = to;
  }

  /** Passes over the instruction that the walker has just stepped over: something else was written for it. */
  protected replaced(): void {
    this.copyFrom = this.walker.pos;
  }

  protected constant(value: number): void {
    this.out.u8(OP.i32Const);
    this.out.s32(value);
  }

  #local(opcode: number, local: number): void {
    this.out.u8(opcode);
    this.out.u32(local);
  }

  protected readLocal(local: number): void {
    this.#local(OP.localGet, local);
  }

  protected setPc(site: number): void {
    this.constant(site);
    this.#local(OP.localSet, this.ownLocals);
  }

  /** Handles instructions until the function's last `end` has been passed. */
  protected walk(more: boolean): void {
    const { walker } = this;
    while (more) {
      if (walker.low < this.watermark) this.watermark = walker.low;
      if (this.instruction(walker.opcode)) {
        this.#liveness.dead();
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
      !(walker.opcode === OP.end && walker.depth < depth) &&
      !(walker.opcode === OP.else && walker.depth === depth)
    );
    this.copyFrom = walker.start;
    return more;
  }

  /** @returns true if what follows cannot be reached */
  protected instruction(opcode: number): boolean {
    const { walker } = this;
    switch (opcode) {
      case OP.localGet:
        this.#liveness.read(walker.immediate);
        return false;
      case OP.localSet:
      case OP.localTee:
        this.#liveness.write(walker.immediate);
        return false;
      case OP.block:
      case OP.loop:
      case OP.if:
        this.open(opcode);
        return false;
      case OP.else:
        this.#liveness.otherwise(walker.depth);
        this.otherwise();
        this.watermark = walker.frameBase[walker.depth]!;
        return false;
      case OP.end: {
        const kind = walker.frameOpcode[walker.depth + 1]!;
        this.#liveness.close(walker.depth + 1, kind === OP.loop ? 'loop' : kind === OP.if ? 'if' : 'block');
        this.close();
        return false;
      }
      case OP.br:
      case OP.brIf:
        this.#liveness.branch(walker.depth - walker.immediate);
        this.branch();
        return opcode === OP.br;
      case OP.brTable:
        this.branchTable();
        return true;
      case OP.return:
      case OP.unreachable:
        return true;
      case OP.call:
      case OP.callIndirect:
        this.#call(opcode === OP.callIndirect);
        return false;
      case OP.refFunc:
        this.#reference(OP.refFunc);
        return false;
      default:
        if (opcode >= PREFIX_FC) this.#segment(opcode);
        return false;
    }
  }

  protected open(opcode: number): void {
    const { walker } = this;
    const { depth } = walker;
    const params = walker.frameParams[depth]!;
    if (this.wrapped && this.watermark < walker.low) this.spill([...params, ...(opcode === OP.if ? [I32] : [])]);
    this.watermark = walker.low;
    this.opened();
    this.#liveness.open(depth, opcode === OP.if);
    if (opcode !== OP.loop) return;
    assert(this.wrapped, 'a function with a loop is capturable');
    this.copy(walker.pos);
    if (params.length > 0) this.#spillHere(walker.height, []);
    this.poll();
  }

  /** Hooks for continuations, whose label depths differ from the original's. */
  protected opened(): void {}
  protected otherwise(): void {}
  protected close(): void {
    this.watermark = Math.min(this.walker.low, this.watermark);
  }
  protected branch(): void {}

  protected branchTable(): void {
    this.eachTarget((label) => this.#liveness.branch(this.walker.depth - label));
  }

  /** The labels of the br_table that the walker has just passed, the default one last. */
  protected eachTarget(visit: (label: number) => void): number {
    const { walker } = this;
    const behind = walker.pos;
    walker.pos = walker.start + 1;
    const count = walker.u32();
    for (let i = 0; i <= count; i++) visit(walker.u32());
    walker.pos = behind;
    return count;
  }

  /** Takes the next site's number. @returns true if the code from here on is not wanted in the usual form */
  protected site(): number {
    this.#liveness.site();
    return this.sites++;
  }

  /**
   * `if (attention) { pc = site; poll(); unreachable }`, the arm hinted to be cold. The poll never returns here: with
   * a way back from the arm V8 gives up optimisations of the loop (sieve 1.25 against 1.06, sorting 1.18 against
   * 1.08). A host that only wants to look in is served by unwinding and resuming at once.
   */
  protected poll(): void {
    const { out, target } = this;
    const site = this.site();
    this.#polls.add(site);
    this.constant(0);
    out.u8(OP.i32Load);
    if (target.controlMemory === 0) out.u8(2);
    else {
      out.u8(2 | 0x40);
      out.u32(target.controlMemory);
    }
    out.u8(0);
    this.hints.push(out.length);
    out.raw(OP.if, 0x40);
    this.setPc(site);
    out.u8(OP.call);
    out.u32(target.poll);
    out.raw(OP.unreachable, OP.end);
  }

  #call(indirect: boolean): void {
    const { walker, facts } = this;
    const { immediate } = walker;
    const isSite = indirect ? facts.capturableTypes[immediate] === 1 : facts.capturable[immediate] === 1;
    if (!isSite) {
      if (!indirect) this.#reference(OP.call);
      return;
    }
    const type = indirect ? this.module.types[immediate]! : this.module.types[this.module.functionTypes[immediate]!]!;
    if (this.watermark < walker.low) this.spill(indirect ? [...type.params, I32] : [...type.params]);
    else this.copy(walker.start);
    const site = this.site();
    if (this.callSite(site, type.results)) return;
    this.setPc(site);
    if (!indirect) this.#reference(OP.call);
  }

  /** A continuation begins its code at one site. @returns true if the call itself has been written */
  protected callSite(_site: number, _results: Uint8Array): boolean {
    return false;
  }

  /** `call` or `ref.func` with the function's number in the target. */
  #reference(opcode: number): void {
    const { walker, target } = this;
    const index = target.functionIndex(walker.immediate);
    if (index === walker.immediate) return;
    this.copy(walker.start);
    this.out.u8(opcode);
    this.out.u32(index);
    this.replaced();
  }

  #segment(opcode: number): void {
    const kind = SEGMENT_INSTRUCTIONS.get(opcode);
    if (kind === undefined) return;
    const { walker } = this;
    const helper = this.target.segmentHelper({
      kind,
      segment: walker.immediate,
      table: opcode === OP.tableInit ? walker.second : 0,
    });
    if (helper === null) return;
    this.copy(walker.start);
    this.out.u8(OP.call);
    this.out.u32(helper);
    this.replaced();
  }

  /** Before the instruction just passed: puts the operands between `watermark` and its arguments into their spill locals. */
  protected spill(args: readonly ValueType[]): void {
    this.copy(this.walker.start);
    this.#spillHere(this.walker.low, args);
  }

  /** The operands from `watermark` to `top` go into spill locals and, like the `args` above them, back onto the stack. */
  #spillHere(top: number, args: readonly ValueType[]): void {
    const { walker, watermark } = this;
    for (let i = args.length - 1; i >= 0; i--) this.#local(OP.localSet, this.#added(this.temporaries, i, args[i]!));
    for (let at = top - 1; at > watermark; at--) this.#local(OP.localSet, this.spillLocal(at, walker.operands[at]!));
    this.#local(OP.localTee, this.spillLocal(watermark, walker.operands[watermark]!));
    for (let at = watermark + 1; at < top; at++) this.readLocal(this.spillLocal(at, walker.operands[at]!));
    for (let i = 0; i < args.length; i++) this.readLocal(this.#added(this.temporaries, i, args[i]!));
    this.watermark = top;
  }

  protected spillLocal(position: number, type: ValueType): number {
    assert(type !== UNKNOWN, 'operands of reachable code have a type');
    return this.#added(this.spills, position, type);
  }

  #added(locals: Map<number, number>, position: number, type: ValueType): number {
    const key = position * 256 + type;
    const found = locals.get(key);
    if (found !== undefined) return found;
    const local = this.ownLocals + this.extraLocals.length;
    this.extraLocals.push(type);
    locals.set(key, local);
    return local;
  }
}
