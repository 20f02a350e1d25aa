/**
 * What the engine makes of a function, for people: its safepoints, the layout of its frame, its code before and after,
 * and its continuations. All of it is made anew when it is asked for; running programs need none of it.
 */
import { GodwitError } from '../../base/errors.ts';
import { disassemble, instructionAt } from '../../wasm/disassemble.ts';
import type { Line, Namer } from '../../wasm/disassemble.ts';
import { typeOf } from '../../wasm/module.ts';
import type { Module } from '../../wasm/module.ts';
import { functionName, functionNamed } from '../../wasm/names.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import { BodyRewriter } from '../rewriting/body.ts';
import { bulkUseAt } from '../analysis/bulk-uses.ts';
import { ContinuationRewriter, recallCode } from '../continuation/continuation.ts';
import { DescribedNames } from './described-names.ts';
import { TRAILER_BYTES, savedSize } from '../layout/frame.ts';
import type { FramePlan } from '../layout/frame.ts';
import { analyse } from '../analysis/graph.ts';
import type { Graph } from '../analysis/graph.ts';
import { ContinuationTarget } from '../continuation/continuation-module.ts';
import { Numbering } from '../layout/numbering.ts';
import { MainTarget } from '../rewriting/target.ts';
import { waitUseAt } from '../analysis/wait-uses.ts';
import { callerPlan } from '../rewriting/waits.ts';

/** Where a function can be captured. */
export interface Safepoint {
  /** Its number in the function: what a frame record keeps. */
  readonly site: number;
  /**
   * A poll at the beginning of a function or a loop, a call, a wait for other threads, a bulk instruction that can be long,
   * an imported function itself.
   */
  readonly kind: 'entry' | 'loop' | 'call' | 'wait' | 'bulk' | 'import';
  /** Byte offset of the instruction in the original module; null for an imported function. */
  readonly offset: number | null;
  /** The instruction. */
  readonly text: string;
}

/** A value in a frame record. */
export interface FrameField {
  /** Bytes from the record's beginning, and how many the value takes. */
  readonly at: number;
  readonly size: number;
  readonly type: string;
  readonly what: string;
}

export interface FunctionDescription {
  readonly index: number;
  readonly name: string | null;
  /** `(param i32) (result i32)`, empty for neither. */
  readonly type: string;
  readonly imported: boolean;
  /** In the order of their numbers; empty if no frame of the function is ever on a captured stack. */
  readonly safepoints: readonly Safepoint[];
  readonly frame: readonly FrameField[];
  /** Bytes of a frame record; 0 without safepoints. */
  readonly frameBytes: number;
  /** Bytes of the code, before and after, without local declarations. */
  readonly codeBytes: number;
  readonly rewrittenCodeBytes: number;
}

/** Rewrites a function and remembers its safepoints. */
class SiteRecorder extends BodyRewriter {
  readonly found = new Map<number, { readonly kind: Safepoint['kind']; readonly offset: number }>();

  override rewrite(index: number): FramePlan | null {
    this.found.clear();
    return super.rewrite(index);
  }

  protected override poll(): void {
    const kind = this.sites === 0 && this.walker.depth === 0 ? 'entry' : 'loop';
    this.found.set(this.sites, { kind, offset: kind === 'entry' ? this.walker.pos : this.walker.start });
    super.poll();
  }

  protected override callSite(site: number, results: Uint8Array): boolean {
    this.found.set(site, { kind: this.#kind(), offset: this.walker.start });
    return super.callSite(site, results);
  }

  #kind(): Safepoint['kind'] {
    if (waitUseAt(this.walker) !== null) return 'wait';
    return bulkUseAt(this.module, this.walker, this.facts.bulkPiece) === null ? 'call' : 'bulk';
  }
}

export class Description {
  readonly module: Module;
  readonly #graph: Graph;
  readonly #n: Numbering;
  readonly #names: DescribedNames;

  /**
   * @param module an original module
   * @throws GodwitError `invalid_module` or `unsupported_feature`
   */
  constructor(module: Module) {
    this.module = module;
    this.#graph = analyse(module);
    this.#n = new Numbering(module, { ...this.#graph, saveHelpers: [] });
    this.#names = new DescribedNames(module, this.#n);
  }

  /**
   * The function that a person means: an index, a name of the name section or the name of an export.
   * @throws GodwitError `usage`
   */
  find(text: string): number {
    const { exports, functionTypes } = this.module;
    const index = /^\d+$/.test(text) ? Number(text) : null;
    const exported = exports.find(({ kind, name }) => kind === 'function' && name === text)?.index;
    const found = index ?? functionNamed(this.module, text.replace(/^\$/, '')) ?? exported;
    if (found === undefined || found >= functionTypes.length) {
      throw new GodwitError('usage', `the module has no function ${text}`);
    }
    return found;
  }

  /** @param index of a function of the module */
  describe(index: number): FunctionDescription {
    const { module } = this;
    const imported = index < module.importedFunctions;
    const recorder = this.#recorder();
    const plan = imported ? callerPlan(typeOf(module, index).params, module.references) : recorder.rewrite(index);
    const body = index - module.importedFunctions;
    const codeBytes = imported ? 0 : module.bodyEnds[body]! - this.#codeStart(index);
    const names = this.#names.original(index);
    const safepoints: Safepoint[] = imported
      ? [{ site: 0, kind: 'import', offset: null, text: this.#names.function(index) }]
      : Array.from(plan === null ? [] : recorder.found, ([site, { kind, offset }]) => ({
          site,
          kind,
          offset,
          text: kind === 'entry' ? 'the entry' : this.#instruction(offset, module.bodyEnds[body]!, names),
        }));
    return {
      index,
      name: functionName(module, index),
      type: this.#names.type(module.types[module.functionTypes[index]!]),
      imported,
      safepoints: safepoints.toSorted((a, b) => a.site - b.site),
      frame: plan === null ? [] : this.#frame(index, plan),
      frameBytes: plan?.frameBytes ?? 0,
      codeBytes,
      rewrittenCodeBytes: this.#isRewritten(index) && !imported ? recorder.out.length : codeBytes,
    };
  }

  #recorder(): SiteRecorder {
    return new SiteRecorder(this.module, this.#graph, new MainTarget(this.module, this.#n));
  }

  #isRewritten(index: number): boolean {
    return this.#graph.capturable[index] === 1 || this.#graph.patched[index] === 1;
  }

  /** Where the code of a defined function begins, behind its local declarations. */
  #codeStart(index: number): number {
    const walker = new FunctionWalker(this.module);
    walker.enter(index);
    return walker.pos;
  }

  #instruction(offset: number, end: number, names: Namer): string {
    return instructionAt(this.module.bytes, offset, end, names);
  }

  #frame(index: number, plan: FramePlan): FrameField[] {
    let at = 0;
    const name = this.#names.locals(index, plan);
    const fields = plan.saved.map(({ local, type }): FrameField => {
      const field = { at, size: savedSize(type), type: this.#names.valueType(type), what: name(local) };
      at += field.size;
      return field;
    });
    const trailer = ['function index', 'number of the safepoint', 'bytes of the record', 'continuation, on a resume'];
    return [...fields, ...trailer.map((what, i) => ({ at: at + 4 * i, size: TRAILER_BYTES / 4, type: 'u32', what }))];
  }

  /** The code as it was; nothing for an imported function. */
  original(index: number): Line[] {
    const { module } = this;
    if (index < module.importedFunctions) return [];
    const end = module.bodyEnds[index - module.importedFunctions]!;
    return disassemble(module.bytes, this.#codeStart(index), end, this.#names.original(index));
  }

  /** The code that is run; the same as before if the function needs no change. */
  rewritten(index: number): Line[] {
    if (index < this.module.importedFunctions) return [];
    if (!this.#isRewritten(index)) return this.original(index);
    const target = new MainTarget(this.module, this.#n);
    const rewriter = new BodyRewriter(this.module, this.#graph, target);
    const plan = rewriter.rewrite(index);
    return this.#listing(rewriter, this.#names.rewritten(index, plan, target.types));
  }

  /**
   * The code that takes up a frame of the function at a safepoint.
   * @throws GodwitError `usage` if the function has no such safepoint
   */
  continuation(index: number, site: number): Line[] {
    const { module } = this;
    const target = new ContinuationTarget(module, this.#n);
    const imported = index < module.importedFunctions;
    const plan = imported
      ? callerPlan(typeOf(module, index).params, module.references)
      : this.#recorder().rewrite(index);
    if (plan === null || site >= plan.sites) {
      throw new GodwitError('usage', `${this.#names.function(index)} has no safepoint ${site}`);
    }
    const names = this.#names.continuation(index, plan, target);
    if (imported) {
      const called = target.functionIndex(index);
      const { bytes, length } = recallCode(typeOf(module, index), called, plan, this.#n, target);
      return disassemble(bytes, 0, length, names);
    }
    const rewriter = new ContinuationRewriter(module, this.#graph, target, this.#n);
    rewriter.write(index, site, plan);
    return this.#listing(rewriter, names);
  }

  #listing({ out }: BodyRewriter, names: Namer): Line[] {
    return disassemble(out.bytes, 0, out.length, names);
  }
}
