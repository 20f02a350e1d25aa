/**
 * Makes the continuations of one program. Each is a module, for one (function, site), with bytes that depend on nothing else
 * but the calls that have been seen in the function's loops, if it is optimised: so they can be cached, and V8 shares
 * their compiled code.
 */
import { GodwitError } from '../../base/errors.ts';
import type { Module } from '../../wasm/module.ts';
import { typeOf } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { NO_TYPES, sameTypes } from '../../wasm/types.ts';
import type { FunctionType, TypeList } from '../../wasm/types.ts';
import { WasmWriter } from '../../wasm/writer.ts';
import { BodyRewriter } from '../rewriting/body.ts';
import { bulkType } from '../analysis/bulk-uses.ts';
import { Callees } from './callees.ts';
import { writeLocals } from '../code/code-section.ts';
import type { CopiedRange } from '../code/copier.ts';
import { ContinuationRewriter, recallBody, requireFunctionSize } from './continuation.ts';
import { ContinuationTarget, assembleContinuation, bodyWith, writeContinuationLocals } from './continuation-module.ts';
import type { OwnFunction } from './continuation-module.ts';
import type { Facts } from '../layout/facts.ts';
import { GODWIT } from '../layout/facts.ts';
import type { FramePlan } from '../layout/frame.ts';
import { InlinedCalls, NOTHING_SEEN, NotedCalls } from './loop-calls.ts';
import type { LoopCalls, SeenCalls } from './loop-calls.ts';
import type { Numbering } from '../layout/numbering.ts';
import { MainTarget } from '../rewriting/target.ts';
import { isSafepoint, waitType } from '../analysis/wait-uses.ts';
import { callerPlan } from '../rewriting/waits.ts';

/** A continuation module, and which functions of the rewritten module it imports as `godwit` `f0`, `f1`, … */
export interface ContinuationModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly functions: readonly number[];
  /** Bytes of its code. */
  readonly codeBytes: number;
  readonly speed: ContinuationSpeed;
  /** Which calls it notes, in the order of its globals for that: see {@link SeenCalls}. */
  readonly notes: readonly number[];
}

/**
 * `straight`: it has no loops. `slow`: it has, and V8 begins with its baseline code, which it does not replace while it
 * runs. `optimised`: V8 makes its best code at once.
 */
export type ContinuationSpeed = 'straight' | 'slow' | 'optimised';

/**
 * A function that does nothing, with its size. V8 is told to optimise the first function of every module at once
 * (`OPTIMISE_FIRST`), and the others when they have run for a while, so one stands before a continuation that is not to
 * be. Behind one that is, there are as many as its other functions: V8 inlines more where half of them are small.
 */
const IDLE = new WasmWriter(2);
IDLE.raw(0, OP.end);

/** What is written for a continuation. */
interface Written {
  readonly target: ContinuationTarget;
  /** The continuation and behind it the copies. */
  readonly own: readonly TracedFunction[];
  readonly speed: ContinuationSpeed;
  readonly notes: readonly number[];
}

/** With where its code came from, if that was asked for. */
interface TracedFunction extends OwnFunction {
  /** Of which function it is. */
  readonly index: number;
  /** Bytes of its locals. */
  readonly locals: number;
  readonly copies: readonly CopiedRange[];
}

/** A copy of a function in a continuation module. */
class CopyRewriter extends BodyRewriter {
  readonly #calls: LoopCalls;

  constructor(module: Module, facts: Facts, target: ContinuationTarget, calls: LoopCalls) {
    super(module, facts, target);
    this.#calls = calls;
  }

  protected override copyOf(index: number): number | null {
    return this.#calls.copyOf(index);
  }
}

/** Makes continuation modules for one program, and remembers the frame plans. */
export class Linker {
  readonly #module: Module;
  readonly #facts: Facts;
  readonly #n: Numbering;
  readonly #plans = new Map<number, FramePlan>();
  readonly #callees: Callees;
  /** By function and site. */
  readonly #needed = new Map<string, ReadonlySet<number>>();

  constructor(module: Module, facts: Facts, numbering: Numbering) {
    this.#module = module;
    this.#facts = facts;
    this.#n = numbering;
    this.#callees = new Callees(module, facts, numbering);
  }

  /**
   * The plan of a function's frame records.
   * @throws GodwitError `corrupt` if the function cannot be on a captured stack: the index comes from an image
   */
  plan(index: number): FramePlan {
    const found = this.#plans.get(index);
    if (found !== undefined) return found;
    const caller = this.#callerType(index);
    if (caller === null && this.#facts.capturable[index] !== 1)
      throw new GodwitError('corrupt', `function ${index} cannot be on a captured stack`);
    const plan = caller === null ? this.#rewrittenPlan(index) : callerPlan(caller.params, this.#n.references);
    this.#plans.set(index, plan);
    return plan;
  }

  /** The type of the wrapper of an import or of a helper with a frame of its own; null if it is neither. */
  #callerType(index: number): FunctionType | null {
    if (index < this.#n.imports) return typeOf(this.#module, index);
    const use = this.#n.waitUse(index);
    if (use !== undefined) return isSafepoint(this.#module, use) ? waitType(this.#module, use) : null;
    const bulk = this.#n.bulkUse(index);
    return bulk === undefined ? null : bulkType(this.#module, bulk);
  }

  /**
   * Whether two functions, by the original's indices, have the same results, but for types of references: a function
   * may call in its place one that is more exact there.
   */
  sameResults(one: number, other: number): boolean {
    const { functionTypes } = this.#module;
    if (one >= functionTypes.length || other < 0 || other >= functionTypes.length) return false;
    const { references } = this.#module;
    const [a, b] = [typeOf(this.#module, one), typeOf(this.#module, other)];
    return sameTypes(references.tops(a.results), references.tops(b.results));
  }

  /** What the continuations of a function return: references of the most general types. */
  results(index: number): TypeList {
    const { results } = this.#callerType(index) ?? typeOf(this.#module, index);
    return this.#module.references.tops(results);
  }

  #rewrittenPlan(index: number): FramePlan {
    const plan = new BodyRewriter(this.#module, this.#facts, new MainTarget(this.#module, this.#n)).rewrite(index);
    if (plan === null) throw new GodwitError('corrupt', `function ${index} cannot be on a captured stack`);
    return plan;
  }

  /** True if the site is a poll, an import's wrapper or such a helper: only such a frame can be the innermost one. */
  isInnermost(index: number, site: number): boolean {
    return this.#callerType(index) !== null || this.plan(index).polls.has(site);
  }

  /**
   * @param most bytes of code that may be optimised at once, which takes about a millisecond for each 1000: only what has
   *   loops is
   * @param seen what is known of the calls in the function's loops
   * @throws GodwitError `corrupt` if there is no such site, `limit` if the rest of the function is too large
   */
  continuation(index: number, site: number, most: number, seen: SeenCalls = NOTHING_SEEN): ContinuationModule {
    const caller = this.#callerType(index);
    let written = caller === null ? this.#slow(index, site, false) : this.#recall(index, site, caller);
    requireFunctionSize(written.own[0]!.body.length);
    const optimised = written.speed === 'slow' && written.own[0]!.body.length <= most;
    if (optimised) written = this.#optimised(index, site, seen, false);
    const { target, own, speed, notes } = written;
    const { bytes } = this.#assemble(continuationName(index, site, optimised ? seen : null), written);
    const codeBytes = own.reduce((sum, { body }) => sum + body.length, 0);
    return { bytes, functions: target.functions, codeBytes, speed, notes };
  }

  /**
   * The locals of a frame, by their numbers, that the rest of its function reads.
   * @returns null for all that are saved
   * @throws GodwitError as {@link continuation}
   */
  needed(index: number, site: number): ReadonlySet<number> | null {
    if (this.#callerType(index) !== null) return null;
    const key = `${index}.${site}`;
    const found = this.#needed.get(key);
    if (found !== undefined) return found;
    const target = new ContinuationTarget(this.#module, this.#n);
    const rewriter = new ContinuationRewriter(this.#module, this.#facts, target, this.#n);
    rewriter.write(index, site, this.#planAt(index, site));
    const { needed } = rewriter;
    this.#needed.set(key, needed);
    return needed;
  }

  #planAt(index: number, site: number): FramePlan {
    const plan = this.plan(index);
    if (site >= plan.sites) throw new GodwitError('corrupt', `function ${index} has no safepoint ${site}`);
    return plan;
  }

  /** For the frame of a wrapper or of a helper. */
  #recall(index: number, site: number, caller: FunctionType): Written {
    const target = new ContinuationTarget(this.#module, this.#n);
    const called = target.rewrittenFunction(this.#n.wrapper(index));
    const body = new WasmWriter(256);
    body.copy(recallBody(caller, called, this.#planAt(index, site), this.#n, target));
    const type = this.#typeFor(target, caller.results);
    return { target, own: [{ index, type, body, ...PLAIN }], speed: 'straight', notes: [] };
  }

  #slow(index: number, site: number, traced: boolean): Written {
    const target = new ContinuationTarget(this.#module, this.#n);
    const calls = new NotedCalls(this.#callees, this.#n.savePointer + 1);
    const { own, hasLoops } = this.#rest(index, site, target, calls, traced);
    return { target, own: [own], speed: hasLoops ? 'slow' : 'straight', notes: calls.calls };
  }

  #optimised(index: number, site: number, seen: SeenCalls, traced: boolean): Written {
    const target = new ContinuationTarget(this.#module, this.#n);
    const bytes = this.#slow(index, site, false).own[0]!.body.length;
    const calls = new InlinedCalls(this.#callees, seen, bytes);
    const write = (): TracedFunction[] => {
      const functions = [this.#rest(index, site, target, calls, traced).own];
      // Copies may call others, which come behind them.
      for (let i = 0; i < calls.functions.length; i++) {
        functions.push(this.#copy(calls.functions[i]!, target, calls, traced));
      }
      return functions;
    };
    write();
    calls.settle(target.complete() + 1);
    return { target, own: write(), speed: 'optimised', notes: [] };
  }

  /** The rest of a function behind a site. */
  #rest(
    index: number,
    site: number,
    target: ContinuationTarget,
    calls: LoopCalls,
    traced: boolean,
  ): { readonly own: TracedFunction; readonly hasLoops: boolean } {
    const rewriter = new ContinuationRewriter(this.#module, this.#facts, target, this.#n, calls);
    if (traced) rewriter.recordCopies();
    rewriter.write(index, site, this.#planAt(index, site));
    const locals = new WasmWriter(64);
    writeContinuationLocals(locals, this.#module, rewriter.localTypes());
    const type = this.#typeFor(target, typeOf(this.#module, index).results);
    return { own: functionOf(index, type, locals, rewriter), hasLoops: rewriter.hasLoops };
  }

  #copy(index: number, target: ContinuationTarget, calls: LoopCalls, traced: boolean): TracedFunction {
    const module = this.#module;
    const rewriter = new CopyRewriter(module, this.#facts, target, calls);
    if (traced) rewriter.recordCopies();
    rewriter.rewrite(index);
    const locals = new WasmWriter(64);
    writeLocals(locals, module, index - module.importedFunctions, rewriter.addedLocals);
    return functionOf(index, module.functionTypes[index]!, locals, rewriter);
  }

  #typeFor(target: ContinuationTarget, results: TypeList): number {
    return target.types.index(NO_TYPES, this.#module.references.tops(results));
  }

  #assemble(name: string, { target, own, speed, notes }: Written): ReturnType<typeof assembleContinuation> {
    const idle: OwnFunction = { type: target.types.index(NO_TYPES, NO_TYPES), body: IDLE, hints: [], inlined: [] };
    const optimised = speed === 'optimised';
    const functions = optimised ? [...own, ...own.map(() => idle)] : [idle, ...own];
    const exported = optimised ? 0 : 1;
    return assembleContinuation(this.#module, this.#n, { name, target, own: functions, exported, notes: notes.length });
  }

  /**
   * Where the code of a function of a continuation module came from, and where in its module that code begins.
   * @param own the number that the function has in its module
   * @param seen what the module was made from, null if it was not optimised: see {@link continuationName}
   */
  traced(
    index: number,
    site: number,
    own: number,
    seen: SeenCalls | null,
  ): { readonly index: number; readonly copies: readonly CopiedRange[]; readonly codeStart: number } | null {
    const written = seen === null ? this.#slow(index, site, true) : this.#optimised(index, site, seen, true);
    const { starts } = this.#assemble(continuationName(index, site, seen), written);
    const number = own - written.target.functions.length;
    const found = written.own[seen === null ? number - 1 : number];
    if (found === undefined) return null;
    return { index: found.index, copies: found.copies, codeStart: starts[number]! + found.locals };
  }
}

const PLAIN = { hints: [], inlined: [], locals: 0, copies: [] };

function functionOf(index: number, type: number, locals: WasmWriter, rewriter: BodyRewriter): TracedFunction {
  const { out, hints, inlined, copies } = rewriter;
  return { index, type, ...bodyWith(locals, out, hints, inlined), locals: locals.length, copies: copies ?? [] };
}

/**
 * The name that V8 puts into the stack entries of a continuation module: by it the module can be made once more.
 * @param seen null if it is not optimised
 */
function continuationName(index: number, site: number, seen: SeenCalls | null): string {
  const name = `${GODWIT}.${index}.${site}`;
  if (seen === null) return name;
  const calls = Array.from(seen, ([offset, entries]) => `${offset.toString(16)}x${entries.toString(16)}`);
  return `${name}.${calls.join('_')}`;
}

const CONTINUATION = new RegExp(`^${GODWIT}\\.(\\d+)\\.(\\d+)(?:\\.([0-9a-fx_]*))?-`);

/**
 * @param text what V8 says of a module: its name and a hash
 * @returns what {@link Linker.traced} wants to know; null if it is no continuation module
 */
export function continuationOf(
  text: string,
): { readonly index: number; readonly site: number; readonly seen: SeenCalls | null } | null {
  const [, index, site, calls] = CONTINUATION.exec(text) ?? [];
  if (index === undefined) return null;
  if (calls === undefined) return { index: Number(index), site: Number(site), seen: null };
  const seen = new Map<number, bigint>();
  for (const [, offset, entries] of calls.matchAll(/([0-9a-f]+)x([0-9a-f]+)/g)) {
    seen.set(Number.parseInt(offset!, 16), BigInt(`0x${entries}`));
  }
  return { index: Number(index), site: Number(site), seen };
}
