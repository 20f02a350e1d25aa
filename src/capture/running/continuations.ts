/** The continuations of one instance: puts the frames of a state together so that they can be resumed. */
import { GodwitError } from '../../base/errors.ts';
import type { TypeList } from '../../wasm/types.ts';
import { GODWIT } from '../layout/facts.ts';
import type { FramePlan } from '../layout/frame.ts';
import { readFrames } from './frames.ts';
import { CONTINUATION_EXPORT, NOTE_EXPORT } from '../continuation/continuation-module.ts';
import type { RewrittenInstance } from './instance.ts';
import { MOST_NOTED, NOTHING_SEEN } from '../continuation/loop-calls.ts';
import type { SeenCalls } from '../continuation/loop-calls.ts';
import type { CompiledContinuation, Program } from './program.ts';

/** A continuation that the instance has, and its number in the table. */
interface Place {
  readonly number: number;
  /** Of which function. */
  readonly index: number;
  readonly continuation: CompiledContinuation;
  readonly exports: WebAssembly.Exports;
}

/** A frame record with its continuation. */
export interface LinkedFrame {
  /** The number of its continuation. */
  readonly number: number;
  /** Offset behind the record. */
  readonly end: number;
  readonly plan: FramePlan;
  /** Types of what the continuation returns. */
  readonly results: TypeList;
}

export class Continuations {
  readonly #program: Program;
  readonly #instance: RewrittenInstance;
  /** Code calls them by their numbers here. */
  readonly table: WebAssembly.Table = new WebAssembly.Table({ element: 'anyfunc', initial: 0 });
  /** By function and safepoint. */
  readonly #places = new Map<string, Place>();
  #slow = false;

  constructor(program: Program, instance: RewrittenInstance) {
    this.#program = program;
    this.#instance = instance;
  }

  /** Whether the frames linked last have loops that V8 does not optimise at once. */
  get slow(): boolean {
    return this.#slow;
  }

  /**
   * Puts the number of its continuation into every frame record.
   * @param area the records, innermost first
   * @param root index of the function that was called from outside
   * @param most bytes of code that may be optimised at once: the innermost frames come first
   * @returns the frames, innermost first: at least one
   * @throws GodwitError `corrupt` if the records do not fit the program
   */
  link(area: Uint8Array, root: number, most: number): LinkedFrame[] {
    const { linker } = this.#program;
    const view = new DataView(area.buffer, area.byteOffset);
    const linked = new Map<string, number>();
    let left = most;
    const frames: LinkedFrame[] = [];
    const seen = most > 0 ? this.#seen() : null;
    this.#slow = false;
    for (const { index, site, end } of readFrames(area, linker, root)) {
      if (frames.length === 0 && !linker.isInnermost(index, site)) {
        throw new GodwitError('corrupt', 'a state whose innermost frame is not at a safepoint');
      }
      const key = `${index}.${site}`;
      let number = linked.get(key);
      if (number === undefined) {
        const continuation = this.#program.continuation(index, site, left, seen?.get(index) ?? NOTHING_SEEN);
        if (continuation.speed === 'slow') this.#slow = true;
        if (continuation.speed === 'optimised') left -= continuation.codeBytes;
        number = this.#place(key, index, continuation);
        linked.set(key, number);
      }
      view.setUint32(end - 4, number, true);
      frames.push({ number, end, plan: linker.plan(index), results: linker.results(index) });
    }
    return frames;
  }

  /** What continuations have noted, by function. */
  #seen(): ReadonlyMap<number, SeenCalls> {
    const seen = new Map<number, Map<number, bigint>>();
    for (const { index, continuation, exports } of this.#places.values()) {
      const calls = seen.get(index) ?? new Map<number, bigint>();
      seen.set(index, calls);
      continuation.notes.forEach((offset, i) => {
        const { value } = exports[`${NOTE_EXPORT}${i}`] as WebAssembly.Global<bigint>;
        if (value === 0n || (calls.size === MOST_NOTED && !calls.has(offset))) return;
        // The value of an i64 is signed; as a set of bits, and in names, it is not.
        calls.set(offset, (calls.get(offset) ?? 0n) | BigInt.asUintN(64, value));
      });
    }
    return seen;
  }

  /** @returns its number in the table: a new one if it was not there; what is no longer the same is replaced */
  #place(key: string, index: number, continuation: CompiledContinuation): number {
    const found = this.#places.get(key);
    if (found?.continuation === continuation) return found.number;
    const { module, functions } = continuation;
    const { exports } = new WebAssembly.Instance(module, {
      [GODWIT]: this.#instance.continuationImports(this.table, functions),
    });
    const number = found?.number ?? this.table.grow(1);
    this.table.set(number, exports[CONTINUATION_EXPORT]);
    this.#places.set(key, { number, index, continuation, exports });
    return number;
  }
}
