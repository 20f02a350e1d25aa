/**
 * Exception handling in rewritten code. Unwinding is an exception too and has to reach the handler of its function:
 * the first clause of every try_table that catches all catches it and branches there.
 *
 * The older form of blocks becomes the newer one of references, since engines refuse modules with both and the handlers
 * need a reference. Thus what was caught is a value in a local that can be saved like others:
 *
 *     try P -> R                block $end P -> R
 *       body                      block $c2 P -> exnref
 *     catch $t                      block $c1 P -> payload
 *       first                         try_table P -> R (catch_ref $unwind …) (catch $t $c1) (catch_all_ref $c2)
 *     catch_all                         body
 *       second                        end
 *       rethrow 0                     br $end
 *     end                           end
 *                                   first
 *                                   br $end
 *                                 end
 *                                 local.set $caught
 *                                 second
 *                                 local.get $caught
 *                                 throw_ref
 *                               end
 *
 * `delegate` throws as if at an outer try: its exceptions branch to the end of a block inside that one's try_table, and
 * are thrown from there. If it names the function itself, the block is around the outermost try.
 */
import { assert } from '../../base/assert.ts';
import { CATCH } from '../../wasm/exceptions.ts';
import type { CatchClause } from '../../wasm/exceptions.ts';
import { payloadOf } from '../../wasm/module.ts';
import type { Module } from '../../wasm/module.ts';
import { OP } from '../../wasm/opcodes.ts';
import { EXNREF, NO_TYPES, oneType } from '../../wasm/types.ts';
import type { TypeList } from '../../wasm/types.ts';
import { FunctionWalker } from '../../wasm/walker.ts';
import type { WasmWriter } from '../../wasm/writer.ts';
import { HANDLER_DEPTH } from '../code/labels.ts';
import type { Labels } from '../code/labels.ts';
import type { CodeTarget } from './target.ts';

interface LegacyClause {
  /** null: catches all. */
  readonly tag: number | null;
  /** The caught exception is needed again. */
  rethrown: boolean;
}

/** A try of the older form. */
interface LegacyTry {
  readonly clauses: LegacyClause[];
  /** Where its exceptions are thrown if it ends with `delegate` and something is there to be passed over. */
  delegate: { readonly to: LegacyTry; readonly beyond: boolean } | null;
  /** Other tries delegate to it, and beyond it: there are blocks inside and around it for that. */
  delegatedTo: boolean;
  delegatedBeyond: boolean;
}

/** The tries of a function, by the position of their first byte. */
function scanTries(module: Module, index: number): Map<number, LegacyTry> {
  const found = new Map<number, LegacyTry>();
  const frames: LegacyTry[] = [];
  const enclosing = new EnclosingTries();
  const walker = new FunctionWalker(module);
  walker.enter(index);
  let more: boolean;
  do {
    more = walker.step();
    const { depth, immediate, opcode } = walker;
    if (opcode === OP.try) {
      enclosing.open(depth, true);
      frames[depth] = { clauses: [], delegate: null, delegatedTo: false, delegatedBeyond: false };
      found.set(walker.start, frames[depth]);
    } else if (opcode === OP.catch || opcode === OP.catchAll) {
      enclosing.open(depth, false);
      frames[depth]!.clauses.push({ tag: opcode === OP.catch ? immediate : null, rethrown: false });
    } else if (opcode === OP.block || opcode === OP.loop || opcode === OP.if) enclosing.open(depth, false);
    else if (opcode === OP.rethrow) rethrown(frames[depth - immediate]!);
    else if (opcode === OP.delegate) delegate(walker, frames, enclosing);
  } while (more);
  return found;
}

function rethrown({ clauses }: LegacyTry): void {
  const clause = clauses.at(-1);
  assert(clause !== undefined, 'rethrow stands in a clause');
  clause.rethrown = true;
}

/** By frame depth: the innermost and the outermost try around it whose body it is in, or that it is itself; 0 for none. */
class EnclosingTries {
  readonly innermost: number[] = [0];
  readonly outermost: number[] = [0];

  /** @param isBody of a try, not one of its clauses or another construct */
  open(depth: number, isBody: boolean): void {
    this.innermost[depth] = isBody ? depth : this.innermost[depth - 1]!;
    this.outermost[depth] = this.outermost[depth - 1]! || (isBody ? depth : 0);
  }
}

function delegate(
  { depth, immediate }: FunctionWalker,
  frames: readonly LegacyTry[],
  { innermost, outermost: outer }: EnclosingTries,
): void {
  const own = frames[depth + 1]!;
  const target = innermost[depth - immediate]!;
  if (target > 0) {
    frames[target]!.delegatedTo = true;
    own.delegate = { to: frames[target]!, beyond: false };
    return;
  }
  const outermost = outer[depth]!;
  if (outermost === 0) return;
  frames[outermost]!.delegatedBeyond = true;
  own.delegate = { to: frames[outermost]!, beyond: true };
}

/** A try that is being written. */
interface OpenTry {
  readonly legacy: LegacyTry;
  /** Depth of its `$end`. */
  readonly end: number;
  /** The number of the clause that is being written, -1 in the body. */
  clause: number;
}

/** Types of a construct's parameters and results. */
export interface BlockType {
  readonly params: TypeList;
  readonly results: TypeList;
}

export class TryWriter {
  readonly #module: Module;
  readonly #out: WasmWriter;
  readonly #target: CodeTarget;
  readonly #labels: Labels;
  /** The local that holds what the try at a frame depth has caught. */
  readonly #caughtLocal: (frame: number) => number;
  #index = -1;
  #tries: Map<number, LegacyTry> | null = null;
  readonly #open: (OpenTry | undefined)[] = [];
  /** Depths of the blocks for delegated exceptions. */
  readonly #inside = new Map<LegacyTry, number>();
  readonly #around = new Map<LegacyTry, number>();
  /** What a clause that throws on begins with, by what its tag carries: one list for each, so that it is found quickly. */
  readonly #withException = new Map<TypeList, TypeList>();

  constructor(
    module: Module,
    out: WasmWriter,
    target: CodeTarget,
    labels: Labels,
    caughtLocal: (frame: number) => number,
  ) {
    this.#module = module;
    this.#out = out;
    this.#target = target;
    this.#labels = labels;
    this.#caughtLocal = caughtLocal;
  }

  begin(index: number): void {
    this.#index = index;
    this.#tries = null;
    this.#open.length = 0;
    this.#inside.clear();
    this.#around.clear();
  }

  /** Whether the construct at this frame depth is a try of the older form, and not only the rest of one of its clauses. */
  isOpen(frame: number): boolean {
    return this.#open[frame] !== undefined;
  }

  /** The construct at this frame depth is written as a block: the site of a continuation is in one of its clauses. */
  forget(frame: number): void {
    this.#open[frame] = undefined;
  }

  /** try_table with its labels as they are here. @param wrapped whether the function can be unwound */
  tryTable(frame: number, clauses: readonly CatchClause[], type: BlockType, wrapped: boolean): void {
    const written = clauses.map(({ kind, tag, label }) => ({ kind, tag, label: this.#labels.to(frame - 1 - label) }));
    this.#tryTable(written, type, wrapped);
    this.#labels.open(frame);
  }

  #tryTable(clauses: readonly CatchClause[], { params, results }: BlockType, wrapped: boolean): void {
    const out = this.#out;
    const catchesAll = clauses.some(({ kind }) => kind >= CATCH.all);
    const unwind = { kind: CATCH.tagRef, tag: this.#target.unwindTag, label: this.#labels.toDepth(HANDLER_DEPTH) };
    const all = wrapped && catchesAll ? [unwind, ...clauses] : clauses;
    out.u8(OP.tryTable);
    this.#target.types.writeBlockType(out, params, results);
    out.u32(all.length);
    for (const { kind, tag, label } of all) {
      out.u8(kind);
      if (kind < CATCH.all) out.u32(tag);
      out.u32(label);
    }
  }

  #block(params: TypeList, results: TypeList): number {
    this.#out.u8(OP.block);
    this.#target.types.writeBlockType(this.#out, params, results);
    return this.#labels.add();
  }

  #end(): void {
    this.#out.u8(OP.end);
    this.#labels.depth--;
  }

  #branch(depth: number): void {
    this.#out.u8(OP.br);
    this.#out.u32(this.#labels.toDepth(depth));
  }

  /**
   * A try of the older form begins.
   * @param start the position of its first byte in the original
   * @param wrapped whether the function can be unwound
   */
  open(frame: number, start: number, type: BlockType, wrapped: boolean): void {
    this.#tries ??= scanTries(this.#module, this.#index);
    const legacy = this.#tries.get(start);
    assert(legacy !== undefined, `a try at ${start}`);
    const { params, results } = type;
    if (legacy.delegatedBeyond) {
      this.#block(params, results);
      this.#around.set(legacy, this.#block(params, oneType(EXNREF)));
    }
    const { clauses } = legacy;
    const end = clauses.length > 0 ? this.#block(params, results) : this.#labels.depth + 1;
    this.#labels.bind(frame, end);
    for (const clause of clauses.toReversed()) this.#block(params, this.#passed(clause));
    const caught = this.#caught(legacy);
    if (caught.length > 0) this.#tryTable(caught, type, wrapped);
    else {
      this.#out.u8(OP.block);
      this.#target.types.writeBlockType(this.#out, params, results);
    }
    this.#labels.depth++;
    if (legacy.delegatedTo) this.#inside.set(legacy, this.#block(params, oneType(EXNREF)));
    this.#open[frame] = { legacy, end, clause: -1 };
  }

  /** What is on the stack where a clause begins. */
  #passed({ tag, rethrown }: LegacyClause): TypeList {
    const payload = tag === null ? NO_TYPES : payloadOf(this.#module, tag);
    if (!rethrown) return payload;
    let passed = this.#withException.get(payload);
    if (passed === undefined) this.#withException.set(payload, (passed = Uint8Array.of(...payload, EXNREF)));
    return passed;
  }

  /** The clauses of the try_table. */
  #caught({ clauses, delegate }: LegacyTry): CatchClause[] {
    if (delegate !== null) {
      const depth = (delegate.beyond ? this.#around : this.#inside).get(delegate.to)!;
      return [{ kind: CATCH.allRef, tag: 0, label: this.#labels.toDepth(depth) }];
    }
    return clauses.map(({ tag, rethrown }, label) => ({
      kind: (tag === null ? CATCH.all : CATCH.tag) | (rethrown ? 1 : 0),
      tag: tag ?? 0,
      label,
    }));
  }

  /** `catch` or `catch_all`. */
  nextClause(frame: number): void {
    const open = this.#open[frame]!;
    if (open.clause === -1) this.#closeBody(open.legacy);
    this.#branch(open.end);
    this.#end();
    open.clause++;
    if (open.legacy.clauses[open.clause]!.rethrown) {
      this.#out.u8(OP.localSet);
      this.#out.u32(this.#caughtLocal(frame));
    }
  }

  #closeBody({ delegatedTo }: LegacyTry): void {
    if (delegatedTo) this.#throwDelegated();
    this.#end();
  }

  /** The end of a block for delegated exceptions; what comes from before goes to the end of the construct around it. */
  #throwDelegated(): void {
    this.#branch(this.#labels.depth - 1);
    this.#end();
    this.#out.u8(OP.throwRef);
  }

  /** `end` or `delegate`. */
  close(frame: number): void {
    const { legacy, clause } = this.#open[frame]!;
    this.#open[frame] = undefined;
    if (clause === -1) this.#closeBody(legacy);
    else this.#end();
    if (!legacy.delegatedBeyond) return;
    this.#throwDelegated();
    this.#end();
  }

  /** `rethrow` of what the try at a frame depth has caught. */
  rethrow(frame: number): void {
    this.#out.u8(OP.localGet);
    this.#out.u32(this.#caughtLocal(frame));
    this.#out.u8(OP.throwRef);
  }
}
