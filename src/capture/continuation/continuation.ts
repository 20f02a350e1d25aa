/**
 * Continuations: functions that take up another function's frame and run the rest of that function.
 *
 * The continuation of (function, site) restores the locals from the last frame record, lets the continuation of the
 * frame above finish the call at the site (a poll needs nothing more), and runs the rest of the function.
 * The rest is built from the original's structure: of each construct around the site only the part behind the site
 * is left; a loop around the site becomes
 *
 *     block $exit
 *       block $again
 *         <rest of the body; branches to the loop go to $again>
 *         br $exit
 *       end
 *       loop <whole body> end
 *     end
 *
 * so that after its partial round it is the original loop again. The code is rewritten like any other, with the same
 * sites and the same frame plan, so a continuation can be captured like the function that it continues.
 */
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, I32, NO_TYPES } from '../../wasm/types.ts';
import type { FunctionType, TypeList } from '../../wasm/types.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { Assembler } from '../code/assembler.ts';
import { BodyRewriter, CAUGHT } from '../rewriting/body.ts';
import type { CallFacts } from '../rewriting/calls.ts';
import type { Written } from '../code/copier.ts';
import { addedKey } from '../code/spilling.ts';
import { savedSize } from '../layout/frame.ts';
import type { FramePlan } from '../layout/frame.ts';
import type { Numbering } from '../layout/numbering.ts';
import type { ContinuationTarget } from './continuation-module.ts';
import type { Guess, IndirectCall, LoopCalls } from './loop-calls.ts';
import { REFERENCE_HELPERS, castFrom } from '../rewriting/references.ts';

/** Where the local for the entry of a table that is called stands among the temporaries. */
const CALLED_ENTRY = -2;

/** Writes the body of one continuation. */
export class ContinuationRewriter extends BodyRewriter {
  readonly #n: Numbering;
  readonly #link: ContinuationTarget;
  #plan: FramePlan | null = null;
  #wanted = -1;
  /** True until the wanted site has been reached; what is written before that is thrown away. */
  #seeking = false;
  /** By frame depth: the frame lies around the site and only its rest is being written. */
  readonly #partial: boolean[] = [];
  /** By frame depth: length of the code and of the hints before an arm of an `if` that is not wanted. */
  readonly #unwanted: (Written | undefined)[] = [];
  /** By frame depth: the whole loop is being written behind its partial round, `$exit` is open around it. */
  readonly #exits: boolean[] = [];
  /** Added locals that are needed at the site: with operands, and with what clauses around it have caught. */
  readonly #added = new Set<number>();

  readonly #calls: LoopCalls | null;

  constructor(
    module: Module,
    facts: CallFacts,
    target: ContinuationTarget,
    numbering: Numbering,
    calls: LoopCalls | null = null,
  ) {
    super(module, facts, target);
    this.#n = numbering;
    this.#link = target;
    this.#calls = calls;
  }

  /**
   * Writes the rest of function `index` behind site `site` into {@link out}.
   * @param plan the function's frame plan, from rewriting it normally
   */
  write(index: number, site: number, plan: FramePlan): void {
    this.begin(index);
    this.#plan = plan;
    this.#wanted = site;
    this.#seeking = true;
    this.verbatim = true;
    for (const list of [this.#partial, this.#unwanted, this.#exits]) list.length = 0;
    this.extraLocals = [...plan.extraLocals];
    this.spills = new Map(plan.spills);
    this.temporaries = new Map(plan.temporaries);
    if (this.facts.entryPolls[index] === 1) this.poll();
    this.walk(this.walker.step());
    assert(!this.#seeking, `function ${index} has no site ${site}`);
    assert(this.spills.size === plan.spills.size, 'a continuation saves the locals of its function only');
    this.copy(this.walker.start);
    this.closeWrapper(plan);
  }

  /** The saved locals that the rest of the function reads, all others being dead at the site. To be asked behind {@link write}. */
  get needed(): ReadonlySet<number> {
    return new Set([...this.liveness.savedLocals(), ...this.#added]);
  }

  /** The site is reached: what was written is dropped, the constructs around are opened, operands below `top` put back. */
  #start(top: number): void {
    const { out, walker } = this;
    this.#seeking = false;
    this.verbatim = false;
    out.length = 0;
    this.hints.length = 0;
    this.inlined.length = 0;
    // What is written before the rest of the function counts as the site.
    if (this.copies !== null) this.copies = [{ written: 0, original: walker.start, size: 0 }];
    // The pc local serves as the address: it is set again before anything can unwind.
    const plan = this.#plan!;
    restoreFrame(out, plan, this.#n, this.#link, plan.pcLocal, Number.POSITIVE_INFINITY);
    this.openWrapper();
    this.labels.enter();
    this.liveness.only(walker.depth);
    this.#added.clear();
    let operand = 0;
    for (let frame = 1; frame <= walker.depth; frame++) {
      operand = this.#pushOperands(operand, walker.frameBase[frame]!);
      this.#openPartial(frame);
    }
    this.#pushOperands(operand, top);
  }

  /** Puts saved operands back onto the stack. @returns `to` */
  #pushOperands(from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const type = this.walker.operands[at]!;
      this.#added.add(this.spillLocal(at, type));
      this.readSpilled(at, type);
    }
    return to;
  }

  /** Opens the construct at this frame depth of the original for its rest behind the site. */
  #openPartial(frame: number): void {
    const { walker, tries, labels } = this;
    const type = { params: NO_TYPES, results: walker.frameResults[frame]! };
    const start = walker.frameStart[frame]!;
    this.#partial[frame] = true;
    const caught = this.spills.get(addedKey(CAUGHT + frame, EXNREF));
    if (caught !== undefined) this.#added.add(caught);
    switch (walker.frameOpcode[frame]) {
      case OP.tryTable: {
        const clauses = walker.catchClauses(start);
        for (const { label } of clauses) this.liveness.caught(frame - 1 - label);
        return tries.tryTable(frame, clauses, type, true);
      }
      case OP.try:
        return tries.open(frame, start, type, true);
      case OP.loop:
        this.#openBlock(type.results);
        this.#openBlock(walker.frameParams[frame]!);
        break;
      default:
        tries.forget(frame);
        this.#openBlock(type.results);
    }
    labels.stand(frame);
  }

  #openBlock(results: TypeList): void {
    this.out.u8(OP.block);
    this.target.types.writeBlockType(this.out, NO_TYPES, results);
    this.labels.depth++;
  }

  protected override poll(): void {
    if (!this.#seeking || this.sites !== this.#wanted) {
      super.poll();
      return;
    }
    // The poll that was resumed is left out, so that every resume gets at least as far as to the next one.
    this.#start(this.walker.height);
    this.site();
    this.replaced();
  }

  protected override callSite(site: number, results: TypeList): boolean {
    if (!this.#seeking || site !== this.#wanted) return false;
    this.#start(this.walker.low);
    this.writePc(site);
    // The frame above has the last record now; the host has put the number of its continuation into the trailer.
    const { out } = this;
    out.u8(OP.globalGet);
    out.u32(this.#n.savePointer);
    this.constant(4);
    out.u8(OP.i32Sub);
    const load = new Assembler(8).load(I32, this.#n.controlMemory, 0);
    out.copy(load.bytes, 0, load.length);
    out.u8(OP.callIndirect);
    out.u32(this.target.types.index(NO_TYPES, this.module.references.tops(results)));
    out.u32(this.#link.continuationTable);
    this.#castResults(results);
    this.replaced();
    return true;
  }

  /** Whether what is being written can be carried out more than once: the rest of a round cannot. */
  #isRepeated(): boolean {
    // Constructs of which only the rest is written are around all others.
    const loop = this.loopAround(this.walker.depth);
    return loop !== -1 && this.#partial[loop] !== true;
  }

  protected override copyOf(index: number): number | null {
    return this.#calls !== null && !this.#seeking && this.#isRepeated() ? this.#calls.copyOf(index) : null;
  }

  protected override indirectCall(): void {
    if (this.#calls === null || this.#seeking || !this.#isRepeated()) return;
    const { start, immediate: type, second: table } = this.walker;
    const call = { offset: start, type, table };
    const noted = this.#calls.noted(call);
    const guesses = this.#calls.guesses(call);
    if (noted === null && guesses.length === 0) return;
    this.copy(start);
    const entry = this.added(this.temporaries, CALLED_ENTRY, I32);
    if (noted !== null) this.#note(noted, entry);
    if (guesses.length > 0) this.#guess(call, guesses, entry);
  }

  /** Sets the bit of the entry that is on the stack, and leaves it there. */
  #note(global: number, entry: number): void {
    const code = new Assembler(32).op(OP.localTee, entry).op(OP.globalGet, global).raw(OP.i64Const, 1);
    code.get(entry).op(OP.i64ExtendI32U).op(OP.i64Shl).op(OP.i64Or).op(OP.globalSet, global);
    this.out.copy(code.bytes, 0, code.length);
  }

  #guess({ type, table }: IndirectCall, guesses: readonly Guess[], entry: number): void {
    const { out } = this;
    this.local(OP.localSet, entry);
    for (const guess of guesses) {
      this.readLocal(entry);
      this.constant(guess.entry);
      out.raw(OP.i32Eq, OP.if);
      out.s32(type);
      this.callCopy(guess.copy);
      out.u8(OP.else);
    }
    this.readLocal(entry);
    out.u8(OP.callIndirect);
    out.u32(type);
    out.u32(table);
    for (let i = 0; i < guesses.length; i++) out.u8(OP.end);
    this.replaced();
  }

  /** Continuations return references of the most general types: the function above may have been left to another. */
  #castResults(results: TypeList): void {
    const { references } = this.module;
    const tops = references.tops(results);
    const temporary = (i: number): number => this.added(this.temporaries, i, tops[i]!);
    const first = results.findIndex((type, i) => type !== tops[i]);
    if (first === -1) return;
    for (let i = results.length - 1; i >= first; i--) this.local(OP.localSet, temporary(i));
    for (let i = first; i < results.length; i++) {
      this.readLocal(temporary(i));
      castFrom(this.out, references, tops[i]!, results[i]!);
    }
  }

  protected override opened(): void {
    super.opened();
    this.#partial[this.walker.depth] = false;
  }

  protected override otherwise(): void {
    const { depth } = this.walker;
    if (this.#seeking || this.#partial[depth] !== true) return;
    this.copy(this.walker.start);
    this.replaced();
    this.#dropArm(depth);
  }

  /** Behind the clause in which the site is, the others of its try can no longer be reached. */
  protected override clause(frame: number): void {
    if (this.tries.isOpen(frame)) super.clause(frame);
    else this.#dropArm(frame);
  }

  /** What is written from here to the end of the construct will be thrown away. */
  #dropArm(frame: number): void {
    this.#unwanted[frame] ??= this.written();
  }

  protected override close(): boolean {
    const { walker } = this;
    const frame = walker.depth + 1;
    if (!this.#seeking && this.#partial[frame] === true) {
      this.#partial[frame] = false;
      if (this.walker.frameOpcode[frame] === OP.loop) {
        this.#repeat(frame);
        return false;
      }
      this.#cutUnwanted(frame);
    }
    if (!super.close()) return false;
    if (this.#exits[frame] !== true) return true;
    this.#exits[frame] = false;
    this.liveness.left(frame);
    this.copy(walker.pos);
    this.out.u8(OP.end);
    this.labels.depth--;
    return true;
  }

  #cutUnwanted(frame: number): void {
    const unwanted = this.#unwanted[frame];
    if (unwanted === undefined) return;
    this.#unwanted[frame] = undefined;
    this.goBack(unwanted);
    this.copyFrom = this.walker.start;
  }

  /** The partial round of a loop ends: now the whole loop. */
  #repeat(frame: number): void {
    const { walker, out, labels } = this;
    this.copy(walker.start);
    // Each loop around the site is written twice: of many within each other, more than of the whole function.
    requireFunctionSize(out.length);
    out.raw(OP.br, 1, OP.end);
    labels.depth--;
    this.#exits[frame] = true;
    this.liveness.again(frame);
    this.sites = this.loops[frame]!.sites;
    walker.rewindToLoop();
    this.watermark = walker.frameBase[frame]!;
    this.replaced();
  }
}

/** @throws GodwitError `limit` for a continuation that V8 would not take */
export function requireFunctionSize(bytes: number): void {
  if (bytes > LIMITS.functionBytes) {
    throw new GodwitError('limit', 'what is left of a function is too large: loops are nested too deeply');
  }
}

/**
 * Takes the last record off the save area and the values of the locals below `locals` into them.
 * @param address a scratch i32 local
 */
function restoreFrame(
  out: WasmWriter,
  plan: FramePlan,
  n: Numbering,
  link: ContinuationTarget,
  address: number,
  locals: number,
): void {
  const code = new Assembler(256);
  code.op(OP.globalGet, n.savePointer).constant(plan.frameBytes).op(OP.i32Sub);
  code.op(OP.localTee, address).op(OP.globalSet, n.savePointer);
  let offset = 0;
  for (const { local, type, kind } of plan.saved) {
    if (local < locals) {
      code.get(address).load(kind, n.controlMemory, offset);
      const reference = REFERENCE_HELPERS.get(kind);
      if (reference !== undefined) code.op(OP.call, link.rewrittenFunction(n.fixed(reference.saved)));
      castFrom(code, n.references, kind, type).op(OP.localSet, local);
    }
    offset += savedSize(kind);
  }
  out.copy(code.bytes, 0, code.length);
}

/**
 * The continuation of the frame of an import's wrapper or of a helper that waits or does a bulk instruction: it is called
 * again with its saved arguments.
 * @param called its number in the continuation module
 */
export function recallBody(
  type: FunctionType,
  called: number,
  plan: FramePlan,
  n: Numbering,
  link: ContinuationTarget,
): Uint8Array {
  return recallCode(type, called, plan, n, link).body(Uint8Array.of(...type.params, I32), n.references);
}

/** The code of {@link recallBody}. */
export function recallCode(
  { params }: FunctionType,
  called: number,
  plan: FramePlan,
  n: Numbering,
  link: ContinuationTarget,
): Assembler {
  const code = new Assembler(256);
  restoreFrame(code, plan, n, link, params.length, params.length);
  params.forEach((_, local) => code.get(local));
  return code.op(OP.call, called);
}
