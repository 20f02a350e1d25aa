/**
 * What a continuation does about calls in its loops, beyond making them.
 *
 * - One that V8 begins with its baseline code notes which entries of tables are called: by a bit for each, in a global of
 *   its own for each `call_indirect`. So little is known of what a loop does otherwise: V8 does not tell what it has seen.
 * - One that is optimised at once calls copies of functions, where they may have copies (callees.ts), with hints for V8
 *   that it is worth inlining them. A call through a table compares the entry with the few that have been seen, and calls
 *   their copies directly; what else comes is called as before.
 */
import type { Callees } from './callees.ts';

/** By offset of a `call_indirect` in the original: a set of entries modulo 64, as bits. */
export type SeenCalls = ReadonlyMap<number, bigint>;

export const NOTHING_SEEN: SeenCalls = new Map();

/** A `call_indirect` in a loop. */
export interface IndirectCall {
  /** Where it is in the original. */
  readonly offset: number;
  readonly type: number;
  readonly table: number;
}

/** A function that a call may reach by this entry, and the number of its copy. */
export interface Guess {
  readonly entry: number;
  readonly copy: number;
}

/** How calls in loops are written. */
export interface LoopCalls {
  /** The number of a copy that is to be called instead of the function; null to call itself. */
  copyOf(index: number): number | null;
  /** The number of the global in which the entry is noted, null if it is not. */
  noted(call: IndirectCall): number | null;
  /** What the entry is compared with before the call. */
  guesses(call: IndirectCall): readonly Guess[];
}

/** V8 compares with as many before it gives up guessing (`kMaxPolymorphism`). */
const MOST_GUESSES = 4;

/** So many calls of one continuation are noted, and so many of one function are known: they are part of a name. */
export const MOST_NOTED = 32;

/** For continuations that are not optimised at once. */
export class NotedCalls implements LoopCalls {
  readonly #callees: Callees;
  readonly #firstGlobal: number;
  /** Offsets of the calls, in the order of their globals. */
  readonly calls: number[] = [];

  /** @param firstGlobal the number of the first global that notes something */
  constructor(callees: Callees, firstGlobal: number) {
    this.#callees = callees;
    this.#firstGlobal = firstGlobal;
  }

  copyOf(): null {
    return null;
  }

  noted({ offset, table }: IndirectCall): number | null {
    let at = this.calls.indexOf(offset);
    if (at === -1) {
      if (this.calls.length === MOST_NOTED || !this.#callees.isFixed(table)) return null;
      at = this.calls.push(offset) - 1;
    }
    return this.#firstGlobal + at;
  }

  guesses(): readonly Guess[] {
    return [];
  }
}

/**
 * How many bytes of copies a continuation may have: by its own size, since V8 lets code grow only to a multiple of what it
 * was, and at most.
 */
const COPIES_PER_BYTE = 5;
const MOST_COPIED = 8192;

/**
 * For continuations that are optimised at once. Numbers of functions are only known when all imports are: everything is
 * written twice, and {@link settle} is called in between.
 */
export class InlinedCalls implements LoopCalls {
  readonly #callees: Callees;
  readonly #seen: SeenCalls;
  readonly #ordinals = new Map<number, number>();
  /** The functions that have copies, in the order of their numbers. */
  readonly functions: number[] = [];
  #bytesLeft: number;
  #first = 0;
  #settled = false;

  /** @param bytes of the continuation without copies */
  constructor(callees: Callees, seen: SeenCalls, bytes: number) {
    this.#callees = callees;
    this.#seen = seen;
    this.#bytesLeft = Math.min(bytes * COPIES_PER_BYTE, MOST_COPIED);
  }

  /** @param first the number of the first copy */
  settle(first: number): void {
    this.#first = first;
    this.#settled = true;
  }

  copyOf(index: number): number | null {
    let ordinal = this.#ordinals.get(index);
    if (ordinal === undefined) {
      const size = this.#callees.size(index);
      if (this.#settled || size === null || size > this.#bytesLeft) return null;
      this.#bytesLeft -= size;
      ordinal = this.functions.push(index) - 1;
      this.#ordinals.set(index, ordinal);
    }
    return this.#first + ordinal;
  }

  noted(): null {
    return null;
  }

  guesses({ offset, type, table }: IndirectCall): readonly Guess[] {
    const seen = this.#seen.get(offset) ?? 0n;
    if (seen === 0n) return [];
    const likely = this.#callees.targets(table, type).filter(({ entry }) => (seen >> BigInt(entry & 63)) & 1n);
    if (likely.length > MOST_GUESSES) return [];
    const guesses: Guess[] = [];
    for (const { entry, index } of likely) {
      const copy = this.copyOf(index);
      if (copy !== null) guesses.push({ entry, copy });
    }
    return guesses;
  }
}
