/**
 * Polls, and the loops at whose heads they stand. A poll in each round is too much for small loops, so a loop without
 * other safepoints is written twice:
 *
 * - A counted loop (counted.ts), as
 *       if <it ends soon>  poll  loop … end
 *       else  loop poll <end of the stretch>  loop <up to that end> … end  br_if <not done> end  end
 * - Another one, so that each second round has a poll:
 *       block $exit
 *         loop $head
 *           poll
 *           block $second  <body; branches to the loop go to $second>  br $exit  end
 *           <body>
 *         end
 *       end
 *   This also spares half of the checks that V8 makes at the head of a loop, for itself.
 *
 * Both polls of a counted loop are the same safepoint.
 */
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { I32, NO_TYPES } from '../../wasm/types.ts';
import type { TypeList } from '../../wasm/types.ts';
import { BranchCopier } from '../code/branches.ts';
import type { Written } from '../code/copier.ts';
import { countedLoop, pushEndsSoon, pushUnfinished, setStretch } from '../analysis/counted.ts';
import type { CountedLoop } from '../analysis/counted.ts';
import { Liveness } from '../analysis/liveness.ts';
import { writePoll } from './polls.ts';
import type { CodeTarget } from './target.ts';

/** Where the local for the end of a stretch stands among the temporaries, whose other keys are positions of operands. */
export const STRETCH_END = -1;

/**
 * How many bytes of loops that are not counted are written twice in one function. That is room for an interpreter's one
 * large loop, or some twenty small ones. The printing of numbers in a C library has more, and nobody waits for them.
 */
const MOST_TWICE_BYTES = 768;

/** What there was before a loop was written. */
interface LoopStart {
  readonly written: Written;
  readonly sites: number;
}

/** A loop that is being written in two parts, and which part it is. */
type Form =
  | { readonly type: 'whole' | 'stretches'; readonly frame: number; readonly loop: CountedLoop }
  /** `head` is the depth of the new loop's label. */
  | { readonly type: 'first' | 'second'; readonly frame: number; readonly head: number };

export abstract class LoopRewriter extends BranchCopier {
  protected readonly target: CodeTarget;
  /** How many safepoints there have been. */
  protected sites = 0;
  protected polls = new Set<number>();
  protected readonly liveness: Liveness = new Liveness();
  /** By frame depth. */
  protected readonly loops: LoopStart[] = [];
  /** By frame depth of a loop: the most that a continuation repeats of the loops inside, in bytes. */
  readonly #inside: number[] = [];
  /** By frame depth: that of the innermost loop there, -1 if there is none. */
  readonly #innermost: number[] = [-1];
  #repeated = 0;
  /** Set while the code that is written is thrown away. */
  protected verbatim = false;
  /** Code with a loop has been written, that is not thrown away. */
  protected loopWritten = false;
  /** A loop in two parts has no others inside. */
  #form: Form | null = null;
  /** Bytes that may still be written twice in this function. */
  #twice = 0;

  constructor(module: Module, target: CodeTarget) {
    super(module);
    this.target = target;
  }

  protected override enter(index: number): void {
    super.enter(index);
    this.#form = null;
    this.#twice = MOST_TWICE_BYTES;
    this.loopWritten = false;
    this.#repeated = 0;
    this.sites = 0;
    this.polls = new Set();
    this.liveness.enter(this.ownLocals);
  }

  /** Whether what has been written can run for long. */
  get hasLoops(): boolean {
    return this.loopWritten;
  }

  /** Bytes that a continuation can have besides the rest of the function: it repeats each loop around its site. */
  get mostRepeated(): number {
    return this.#repeated;
  }

  /** A construct of the original is opened. */
  protected abstract opened(): void;

  /** A construct at this frame depth begins. */
  protected opensAt(depth: number, isLoop: boolean): void {
    this.#innermost[depth] = isLoop ? depth : this.#innermost[depth - 1]!;
  }

  /** The frame depth of the innermost loop that the construct at a frame depth is in, or is itself; -1 if there is none. */
  protected loopAround(depth: number): number {
    return this.#innermost[depth]!;
  }

  /** Takes the next site's number. */
  protected site(): number {
    this.liveness.site();
    return this.sites++;
  }

  /** Before site `site` can unwind. The pc is 0 before it has been set, so where only site 0 comes it is left. */
  protected setPc(site: number): void {
    if (site > 0 || this.#isInLoop()) this.writePc(site);
  }

  protected writePc(site: number): void {
    this.constant(site);
    this.local(OP.localSet, this.ownLocals);
  }

  /** Others may come back to site 0. */
  #isInLoop(): boolean {
    const { depth, frameOpcode } = this.walker;
    for (let frame = depth; frame > 0; frame--) if (frameOpcode[frame] === OP.loop) return true;
    return false;
  }

  protected poll(): void {
    const site = this.site();
    this.polls.add(site);
    this.#writePoll(site);
  }

  #writePoll(site: number): void {
    this.hints.push(writePoll(this.out, this.target, () => this.setPc(site)));
  }

  /** For a `loop` that the walker has just passed. */
  protected openLoop(params: TypeList): void {
    const { walker } = this;
    const form = this.#form?.frame === walker.depth ? this.#form : null;
    this.loopWritten ||= !this.verbatim;
    this.copy(walker.start);
    if (form?.type === 'second') {
      this.replaced();
      this.labels.bind(form.frame, form.head);
      // Here too anything may lie behind the last poll, if not a poll itself.
      this.liveness.site();
      return;
    }
    this.loops[walker.depth] = { written: this.written(), sites: this.sites };
    this.#inside[walker.depth] = 0;
    if (form?.type === 'whole') this.#openWhole(form);
    if (form?.type === 'first') this.#openBlock(walker.frameResults[form.frame]!);
    this.opened();
    this.copy(walker.pos);
    if (params.length > 0) this.spillHere(walker.height, []);
    if (form?.type === 'whole') {
      this.liveness.site();
      return;
    }
    this.poll();
    if (form?.type === 'stretches') this.#openStretches(form);
    if (form?.type === 'first') {
      this.#form = { ...form, head: this.labels.depth };
      this.#openBlock(NO_TYPES);
      this.labels.stand(form.frame);
    }
  }

  #openWhole({ frame, loop }: Form & { readonly type: 'whole' | 'stretches' }): void {
    pushEndsSoon(this.out, loop, this.#stretchEnd());
    this.out.u8(OP.if);
    this.target.types.writeBlockType(this.out, NO_TYPES, this.walker.frameResults[frame]!);
    this.labels.depth++;
    // Where calls without loops bring a program to many such loops, one after the other, each still has a poll. It is
    // the same site as the head of the other part: the loop has not begun.
    this.#writePoll(this.sites);
  }

  /** The loop inside has the label that the loop had. */
  #openStretches({ frame, loop }: Form & { readonly type: 'whole' | 'stretches' }): void {
    setStretch(this.out, loop, this.#stretchEnd());
    this.out.u8(OP.loop);
    this.target.types.writeBlockType(this.out, NO_TYPES, this.walker.frameResults[frame]!);
    this.labels.open(frame);
  }

  #openBlock(results: TypeList): void {
    this.out.u8(OP.block);
    this.target.types.writeBlockType(this.out, NO_TYPES, results);
    this.labels.depth++;
  }

  #stretchEnd(): number {
    return this.added(this.temporaries, STRETCH_END, I32);
  }

  /** To be called before each instruction: in a stretch the counter is compared with the stretch's end. */
  protected inLoop(): void {
    if (this.#form?.type !== 'stretches') return;
    const { boundAt, branchAt } = this.#form.loop;
    const { walker } = this;
    if (walker.start === boundAt) {
      this.copy(walker.start);
      this.readLocal(this.#stretchEnd());
      this.replaced();
    } else if (walker.start === branchAt && boundAt === null) {
      this.copy(walker.start);
      this.readLocal(this.#stretchEnd());
      this.out.u8(OP.i32Ne);
    }
  }

  /**
   * For the `end` of a loop, which the walker has just passed.
   * @returns true if the walker has been put back to its start, to write it once more
   */
  protected closeLoop(frame: number): boolean {
    const again = this.#close(frame);
    if (!again) this.#measure(frame);
    return again;
  }

  #measure(frame: number): void {
    const { walker } = this;
    const uncopied = walker.pos - this.copyFrom;
    const bytes = this.out.length + uncopied - this.loops[frame]!.written.code + this.#inside[frame]!;
    const outer = this.loopAround(frame - 1);
    if (outer < 0) this.#repeated = Math.max(this.#repeated, bytes);
    else this.#inside[outer] = Math.max(this.#inside[outer]!, bytes);
  }

  #close(frame: number): boolean {
    const form = this.#form;
    if (form?.frame !== frame) return this.#again(frame);
    const { walker, out, labels } = this;
    switch (form.type) {
      case 'whole':
        this.copy(walker.pos);
        labels.depth--;
        out.u8(OP.else);
        this.#rewind({ ...form, type: 'stretches' });
        return true;
      case 'stretches':
        // The next stretch, until the counter has reached the bound.
        this.copy(walker.pos);
        pushUnfinished(out, form.loop);
        out.raw(OP.brIf, 0, OP.end, OP.end);
        labels.depth -= 2;
        break;
      case 'first':
        this.copy(walker.start);
        out.u8(OP.br);
        out.u32(labels.toDepth(form.head - 1));
        out.u8(OP.end);
        labels.depth--;
        this.#rewind({ ...form, type: 'second' });
        return true;
      case 'second':
        this.copy(walker.pos);
        out.u8(OP.end);
        labels.depth--;
    }
    this.#form = null;
    return false;
  }

  /** At the end of a loop: if it is to have two parts, takes back what was written and goes back to its start. */
  #again(frame: number): boolean {
    const { walker } = this;
    const start = this.loops[frame]!;
    if (this.verbatim || this.sites !== start.sites + 1 || walker.frameParams[frame]!.length > 0) return false;
    const loop = countedLoop(walker);
    if (loop === null) {
      const size = walker.start - walker.frameStart[frame]!;
      if (size > this.#twice) return false;
      this.#twice -= size;
    }
    this.goBack(start.written);
    this.sites = start.sites;
    this.labels.depth--;
    this.#rewind(loop === null ? { type: 'first', frame, head: 0 } : { type: 'whole', frame, loop });
    return true;
  }

  #rewind(form: Form): void {
    this.#form = form;
    this.walker.rewindToLoop();
    this.replaced();
    this.watermark = this.walker.frameBase[form.frame]!;
  }
}
