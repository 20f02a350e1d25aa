/**
 * Continuation modules: one for each (function, site), with bytes that depend on nothing else, so that they can be
 * cached and V8 shares their compiled code. A continuation module imports memories, tables, globals and the tag of
 * the rewritten module under their own numbers; only functions are numbered anew, in the order of their first use.
 */
import { GodwitError } from '../base/errors.ts';
import type { Module } from '../wasm/module.ts';
import { typeOf } from '../wasm/module.ts';
import { writeModuleName } from '../wasm/names.ts';
import { OP } from '../wasm/opcodes.ts';
import { FUNCREF, I32, NO_TYPES, oneType, sameTypes } from '../wasm/types.ts';
import type { FunctionType, TypeList, ValueType } from '../wasm/types.ts';
import { PREAMBLE, WasmWriter } from '../wasm/writer.ts';
import { BodyRewriter } from './body.ts';
import type { CopiedRange } from './copier.ts';
import { writeMemoryImports, writeOwnTable, writeTable } from './entries.ts';
import { ContinuationRewriter, recallBody, requireFunctionSize } from './continuation.ts';
import type { Facts } from './facts.ts';
import { GODWIT } from './facts.ts';
import type { FramePlan, SaveSignature } from './frame.ts';
import { SAVED_TYPES } from './frame.ts';
import type { SegmentUse } from './graph.ts';
import { REFERENCE_HELPERS } from './references.ts';
import { segmentParams } from './helpers.ts';
import type { Numbering } from './numbering.ts';
import { MainTarget, TypeTable } from './target.ts';
import type { CodeTarget } from './target.ts';
import { callerPlan, isSafepoint, waitType } from './waits.ts';
import type { WaitUse } from './waits.ts';

/** A continuation module, and which functions of the rewritten module it imports as `godwit` `f0`, `f1`, … */
export interface ContinuationModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly functions: readonly number[];
  /** Bytes of the continuation's code. */
  readonly codeBytes: number;
  readonly speed: ContinuationSpeed;
}

/**
 * `straight`: it has no loops. `slow`: it has, and V8 begins with its baseline code, which it does not replace while it
 * runs. `optimised`: V8 makes its best code at once.
 */
export type ContinuationSpeed = 'straight' | 'slow' | 'optimised';

/**
 * A function that does nothing, with its size. One stands before or behind the continuation: V8 is told to optimise the
 * first function of every module at once (`OPTIMISE_FIRST`), and the others when they have run for a while.
 */
const IDLE = Uint8Array.of(2, 0, OP.end);

/** Name under which a continuation module exports its function. */
export const CONTINUATION_EXPORT = 'c';

/** The name that V8 puts into the stack entries of a continuation module. */
function continuationName(index: number, site: number): string {
  return `${GODWIT}.${index}.${site}`;
}

/** Code goes into a continuation module: functions are imports that come into being when they are asked for. */
export class ContinuationTarget implements CodeTarget {
  readonly types: TypeTable;
  readonly unwindTag: number;
  readonly controlMemory: number;
  readonly continuationTable: number;
  readonly #n: Numbering;
  readonly #numbers = new Map<number, number>();
  /** Functions of the rewritten module, in the order of their numbers here. */
  readonly functions: number[] = [];

  constructor(module: Module, numbering: Numbering) {
    this.types = new TypeTable(module);
    this.#n = numbering;
    this.unwindTag = numbering.unwindTag;
    this.controlMemory = numbering.controlMemory;
    this.continuationTable = numbering.firstTable;
  }

  /** The number here of a function of the rewritten module. */
  rewrittenFunction(index: number): number {
    const found = this.#numbers.get(index);
    if (found !== undefined) return found;
    const number = this.functions.length;
    this.functions.push(index);
    this.#numbers.set(index, number);
    return number;
  }

  functionIndex(index: number): number {
    return this.rewrittenFunction(this.#n.wrapper(index));
  }

  get poll(): number {
    return this.rewrittenFunction(this.#n.fixed('poll'));
  }

  saveHelper(signature: SaveSignature): number {
    return this.rewrittenFunction(this.#n.saveHelper(signature));
  }

  segmentHelper(use: SegmentUse): number {
    return this.rewrittenFunction(this.#n.segmentHelper(use));
  }

  waitHelper(use: WaitUse): number {
    return this.rewrittenFunction(this.#n.waitHelper(use));
  }
}

/** Makes continuation modules for one program, and remembers the frame plans. */
export class Linker {
  readonly #module: Module;
  readonly #facts: Facts;
  readonly #n: Numbering;
  readonly #plans = new Map<number, FramePlan>();

  constructor(module: Module, facts: Facts, numbering: Numbering) {
    this.#module = module;
    this.#facts = facts;
    this.#n = numbering;
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

  /** The type of the wrapper of an import or of a helper that waits, which have frames too; null if it is neither. */
  #callerType(index: number): FunctionType | null {
    if (index < this.#n.imports) return typeOf(this.#module, index);
    const use = this.#n.waitUse(index);
    return use !== undefined && isSafepoint(this.#module, use) ? waitType(this.#module, use) : null;
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

  #rewrittenPlan(index: number): FramePlan {
    const plan = new BodyRewriter(this.#module, this.#facts, new MainTarget(this.#module, this.#n)).rewrite(index);
    if (plan === null) throw new GodwitError('corrupt', `function ${index} cannot be on a captured stack`);
    return plan;
  }

  /** True if the site is a poll, an import's wrapper or a wait: only such a frame can be the innermost one. */
  isInnermost(index: number, site: number): boolean {
    return this.#callerType(index) !== null || this.plan(index).polls.has(site);
  }

  /**
   * @param most bytes of code that may be optimised at once, which takes about a millisecond for each 1000: only what has
   *   loops is
   * @throws GodwitError `corrupt` if there is no such site, `limit` if the rest of the function is too large
   */
  continuation(index: number, site: number, most: number): ContinuationModule {
    const target = new ContinuationTarget(this.#module, this.#n);
    const body = new WasmWriter(1024);
    let hints: readonly number[] = [];
    let hasLoops = false;
    const caller = this.#callerType(index);
    if (caller !== null) {
      const called = target.rewrittenFunction(this.#n.wrapper(index));
      body.copy(recallBody(caller, called, this.#planAt(index, site), this.#n, target));
    } else {
      const rewriter = this.#rewriteRest(index, site, target, false);
      writeContinuationLocals(body, this.#module, rewriter.localTypes());
      hints = rewriter.hints.map((offset) => offset + body.length);
      ({ hasLoops } = rewriter);
      body.copy(rewriter.out.bytes, 0, rewriter.out.length);
    }
    requireFunctionSize(body.length);
    const { results } = caller ?? typeOf(this.#module, index);
    const first = hasLoops && body.length <= most;
    const { bytes } = this.#assemble(continuationName(index, site), target, results, body, hints, first);
    const speed = first ? 'optimised' : hasLoops ? 'slow' : 'straight';
    return { bytes, functions: target.functions, codeBytes: body.length, speed };
  }

  #planAt(index: number, site: number): FramePlan {
    const plan = this.plan(index);
    if (site >= plan.sites) throw new GodwitError('corrupt', `function ${index} has no safepoint ${site}`);
    return plan;
  }

  #rewriteRest(index: number, site: number, target: ContinuationTarget, record: boolean): ContinuationRewriter {
    const rewriter = new ContinuationRewriter(this.#module, this.#facts, target, this.#n);
    if (record) rewriter.recordCopies();
    rewriter.write(index, site, this.#planAt(index, site));
    return rewriter;
  }

  /**
   * Where the code of a continuation of a defined function came from, and where in its module that code begins.
   * @param own the number that the continuation has in its module
   */
  traced(
    index: number,
    site: number,
    own: number,
  ): { readonly copies: readonly CopiedRange[]; readonly codeStart: number } {
    const target = new ContinuationTarget(this.#module, this.#n);
    const rewriter = this.#rewriteRest(index, site, target, true);
    const body = new WasmWriter(1024);
    writeContinuationLocals(body, this.#module, rewriter.localTypes());
    const locals = body.length;
    const hints = rewriter.hints.map((offset) => offset + locals);
    body.copy(rewriter.out.bytes, 0, rewriter.out.length);
    const { bodyStart } = this.#assemble(
      continuationName(index, site),
      target,
      typeOf(this.#module, index).results,
      body,
      hints,
      own === target.functions.length,
    );
    return { copies: rewriter.copies ?? [], codeStart: bodyStart + locals };
  }

  #assemble(
    name: string,
    target: ContinuationTarget,
    results: TypeList,
    body: WasmWriter,
    hints: readonly number[],
    first: boolean,
  ): { readonly bytes: Uint8Array<ArrayBuffer>; readonly bodyStart: number } {
    const own = target.types.index(NO_TYPES, this.#module.references.tops(results));
    const unwindType = target.types.index(NO_TYPES, NO_TYPES);
    const number = target.functions.length + (first ? 0 : 1);
    const types = target.functions.map((index) => this.#typeOfRewritten(index, target.types));
    const out = new WasmWriter(body.length + 4096);
    const section = (id: number, write: (s: WasmWriter) => void): void => {
      const content = new WasmWriter(256);
      write(content);
      out.section(id, content);
    };
    out.copy(PREAMBLE);
    target.types.writeSection(out);
    section(2, (s) => this.#imports(s, types, unwindType));
    section(3, (s) => {
      s.u8(2);
      for (const type of first ? [own, unwindType] : [unwindType, own]) s.u32(type);
    });
    section(7, (s) => {
      s.u8(1);
      s.name(CONTINUATION_EXPORT);
      s.u8(0);
      s.u32(number);
    });
    // ref.func may only name declared functions.
    section(9, (s) => {
      s.raw(1, 3, 0);
      s.u32(types.length);
      types.forEach((_, index) => s.u32(index));
    });
    if (hints.length > 0) writeHintSection(out, number, hints);
    section(10, (s) => {
      s.u8(2);
      if (!first) s.copy(IDLE);
      s.u32(body.length);
      s.copy(body.bytes, 0, body.length);
      if (first) s.copy(IDLE);
    });
    const bodyStart = out.length - body.length - (first ? IDLE.length : 0);
    writeModuleName(out, name);
    return { bytes: out.done(), bodyStart };
  }

  #imports(s: WasmWriter, functions: readonly number[], unwindType: number): void {
    const { memories, tables, globals, tags, references } = this.#module;
    const n = this.#n;
    const stateGlobals = n.savePointer + 1;
    s.u32(functions.length + memories.length + 1 + tables.length + 1 + stateGlobals + tags.length + 1);
    const entry = (name: string, kind: number): void => {
      s.name(GODWIT);
      s.name(name);
      s.u8(kind);
    };
    functions.forEach((type, i) => {
      entry(`f${i}`, 0);
      s.u32(type);
    });
    tables.forEach((table, i) => {
      entry(`table${i}`, 1);
      writeTable(s, references, table);
    });
    entry('continuations', 1);
    writeOwnTable(s, references, FUNCREF, 0, null);
    writeMemoryImports(s, memories);
    for (let i = 0; i < stateGlobals; i++) {
      const { type, mutable } = globals[i] ?? { type: I32, mutable: true };
      entry(`global${i}`, 3);
      references.write(s, type);
      s.u8(mutable ? 1 : 0);
    }
    tags.forEach((type, i) => {
      entry(`tag${i}`, 4);
      s.u8(0);
      s.u32(type);
    });
    entry('unwind', 4);
    s.u8(0);
    s.u32(unwindType);
  }

  /** Type of a function of the rewritten module, as an index into the continuation module's types. */
  #typeOfRewritten(index: number, types: TypeTable): number {
    const n = this.#n;
    const module = this.#module;
    if (index < n.firstWrapper) return module.functionTypes[index]!;
    if (index < n.firstFixed) return module.functionTypes[index - n.firstWrapper]!;
    const { params, results } = this.#helperType(index);
    return types.index(params, results);
  }

  #helperType(index: number): FunctionType {
    const n = this.#n;
    if (index >= n.firstSaveHelper) {
      const { counts, ends } = n.saveSignatures[index - n.firstSaveHelper]!;
      const values = SAVED_TYPES.flatMap((type, i) => Array.from({ length: counts[i]! }, () => type));
      return { params: Uint8Array.from([...values, ...(ends ? [I32, I32, I32] : [])]), results: NO_TYPES };
    }
    const wait = n.waitUse(index);
    if (wait !== undefined) return waitType(this.#module, wait);
    if (index >= n.firstSegmentHelper) {
      return { params: segmentParams(this.#module, n.segmentUses[index - n.firstSegmentHelper]!), results: NO_TYPES };
    }
    for (const [type, { saved }] of REFERENCE_HELPERS) {
      if (index === n.fixed(saved)) return { params: oneType(I32), results: oneType(type) };
    }
    return { params: NO_TYPES, results: NO_TYPES };
  }
}

function writeContinuationLocals(out: WasmWriter, { references }: Module, types: readonly ValueType[]): void {
  const runs: { type: number; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  out.u32(runs.length);
  for (const { type, count } of runs) {
    out.u32(count);
    references.write(out, type);
  }
}

function writeHintSection(out: WasmWriter, index: number, hints: readonly number[]): void {
  const section = new WasmWriter(16 + hints.length * 8);
  section.u8(1);
  section.u32(index);
  section.u32(hints.length);
  for (const offset of hints) {
    section.u32(offset);
    section.raw(1, 0);
  }
  out.custom('metadata.code.branch_hint', section);
}
