/**
 * A stack is taken up in portions. A continuation may need many times the room that the function itself had on the
 * stack: V8's baseline code keeps every local there, its optimising compiler only what is still needed. So a program
 * with a deep stack could not be taken up in a thread like the one in which it ran. Only as many of the innermost
 * frames are taken up at once as are sure to find room; the others wait as records. When the outermost frame of a
 * portion ends, the next portion is taken up, and a relay (relay.ts) hands the end over.
 *
 * Records that hold references cannot wait: a new capture numbers references from the beginning. A stack with such
 * records is one portion.
 */
import { EXNREF, EXTERNREF, FUNCREF } from '../../wasm/types.ts';
import type { LinkedFrame } from './continuations.ts';
import { SAVE_BASE, TRAILER_BYTES } from '../layout/frame.ts';
import type { FramePlan } from '../layout/frame.ts';
import type { AnyFunction } from './instance.ts';
import { Relay } from './relay.ts';

/** Of the stack of a thread, for what is taken up at once: a worker of Node has 4 MB, its main thread 984 KB. */
export const PORTION_BYTES = 262_144;
/** Bytes on the stack, at most, of a frame without locals, and of each local and result: a vector. */
const FRAME_BYTES = 256;
const LOCAL_BYTES = 16;

export interface Portion {
  /** The records, with the numbers of their continuations. */
  readonly records: Uint8Array<ArrayBuffer>;
  readonly outermost: LinkedFrame;
}

/** A stack of which a run takes up one portion after the other. */
export interface Stack {
  /** Of the first portion. */
  readonly outermost: LinkedFrame;
  /** What is not taken up, from the inner to the outer ones: behind a capture's own records. */
  readonly waiting: Portion[];
}

export class Portions {
  readonly #control: WebAssembly.Memory;
  readonly #savePointer: WebAssembly.Global<number>;
  /** Of continuations. */
  readonly #table: WebAssembly.Table;
  readonly #most: number;
  /** By the types of the results that they pass on. */
  readonly #relays = new Map<string, Relay>();
  /** @param most bytes of stack that a portion of several frames may take */
  constructor(
    control: WebAssembly.Memory,
    savePointer: WebAssembly.Global<number>,
    table: WebAssembly.Table,
    most: number = PORTION_BYTES,
  ) {
    this.#control = control;
    this.#savePointer = savePointer;
    this.#table = table;
    this.#most = most;
  }

  /**
   * Divides a stack, and readies its innermost portion.
   * @param frames innermost first; their records are at the beginning of the save area
   */
  take(frames: readonly LinkedFrame[]): Stack {
    const area = new Uint8Array(this.#control.buffer);
    const [first, ...others] = divide(frames, this.#most);
    this.#savePointer.value = SAVE_BASE + first!.end;
    let begin = first!.end;
    const waiting = others.map((outermost) => {
      const records = area.slice(SAVE_BASE + begin, SAVE_BASE + outermost.end);
      begin = outermost.end;
      return { records, outermost };
    });
    return { outermost: first!, waiting };
  }

  /**
   * Runs what was taken up, portion by portion.
   * @param stack of which what waits becomes less
   * @param passes exceptions that end the run, whatever frames wait
   * @returns what the outermost frame returns
   */
  run(stack: Stack, passes: (error: unknown) => boolean): unknown {
    for (let { outermost } = stack; ;) {
      const { number, results } = outermost;
      const [next] = stack.waiting;
      if (next === undefined) return (this.#table.get(number) as AnyFunction)();
      const relay = this.#relay(results);
      relay.carry(number, passes);
      stack.waiting.shift();
      this.#takeUp(next, relay);
      ({ outermost } = next);
    }
  }

  /** The relay stands for the frame above the portion's innermost one, with a record that is a trailer alone. */
  #takeUp({ records }: Portion, relay: Relay): void {
    const begin = SAVE_BASE + TRAILER_BYTES;
    new DataView(this.#control.buffer).setUint32(begin - 4, relay.number, true);
    // The save area has room: it held all of the stack.
    new Uint8Array(this.#control.buffer).set(records, begin);
    this.#savePointer.value = begin + records.length;
  }

  #relay(results: Uint8Array): Relay {
    const key = results.join();
    let relay = this.#relays.get(key);
    if (relay === undefined) {
      relay = new Relay(results, this.#table, this.#savePointer);
      this.#relays.set(key, relay);
    }
    return relay;
  }
}

/** @returns the outermost frame of each portion */
function divide(frames: readonly LinkedFrame[], most: number): LinkedFrame[] {
  const outermost = frames.at(-1)!;
  if (frames.some(({ plan }) => hasReferences(plan))) return [outermost];
  const ends: LinkedFrame[] = [];
  let taken = 0;
  frames.forEach(({ plan, results }, i) => {
    const bytes = FRAME_BYTES + LOCAL_BYTES * (plan.pcLocal + plan.extraLocals.length + results.length);
    if (i > 0 && taken + bytes > most) {
      ends.push(frames[i - 1]!);
      taken = 0;
    }
    taken += bytes;
  });
  return [...ends, outermost];
}

const REFERENCES: ReadonlySet<number> = new Set([FUNCREF, EXTERNREF, EXNREF]);

function hasReferences({ saved }: FramePlan): boolean {
  return saved.some(({ kind }) => REFERENCES.has(kind));
}
