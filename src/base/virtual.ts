/**
 * Time and randomness for tests: a clock that stands still until the test moves it, and random numbers from a seed.
 * With them a whole cluster runs in one test, always in the same way for the same seed, as fast as it computes
 * (docs/ARCHITECTURE.md, invariant 2).
 */
import { assert } from './assert.ts';
import type { Clock, Random, Timer } from './env.ts';

interface Due {
  readonly at: number;
  readonly order: number;
  fire: (() => void) | null;
}

/** Timers fire in the order of their time; those of the same time in the order in which they were set. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffsetNanos = 1_767_225_600_000_000_000n; // 2026-01-01T00:00Z
  /** A binary heap, earliest first. */
  readonly #heap: Due[] = [];

  now(): number {
    return this.#now;
  }

  wallNanos(): bigint {
    return this.#wallOffsetNanos + BigInt(Math.round(this.#now * 1e6));
  }

  /** Makes the wall clock jump (the monotonic one never does). @param milliseconds negative: into the past */
  jumpWall(milliseconds: number): void {
    this.#wallOffsetNanos += BigInt(Math.round(milliseconds * 1e6));
  }

  after(delay: number, fire: () => void): Timer {
    assert(delay >= 0, `a timer in the past: ${delay} ms`);
    const due: Due = { at: this.#now + delay, order: this.#order++, fire };
    this.#add(due);
    // A cancelled timer stays in the heap as an empty entry until its time: cheaper than finding it.
    return { cancel: () => (due.fire = null) };
  }

  /** Lets `milliseconds` pass, firing every timer that comes due, also those set meanwhile. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) this.#step();
    this.#now = end;
  }

  /**
   * Lets time pass until `done` holds.
   * @param atMost milliseconds after which to give up
   * @returns whether it holds
   */
  runUntil(done: () => boolean, atMost: number): boolean {
    const end = this.#now + atMost;
    while (!done()) {
      const next = this.#heap[0];
      if (!next || next.at > end) return false;
      this.#step();
    }
    return true;
  }

  #step(): void {
    const due = this.#take();
    this.#now = due.at;
    const { fire } = due;
    due.fire = null;
    fire?.();
  }

  #add(due: Due): void {
    const heap = this.#heap;
    let i = heap.push(due) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(due, entry(heap, parent))) break;
      heap[i] = entry(heap, parent);
      i = parent;
    }
    heap[i] = due;
  }

  #take(): Due {
    const heap = this.#heap;
    const first = entry(heap, 0);
    const last = heap.pop();
    assert(last, 'the heap of timers is empty');
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(entry(heap, child + 1), entry(heap, child))) child++;
      if (!isBefore(entry(heap, child), last)) break;
      heap[i] = entry(heap, child);
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function entry(heap: readonly Due[], i: number): Due {
  const due = heap[i];
  assert(due, 'an index outside the heap of timers');
  return due;
}

/** The same numbers for the same seed, on every machine: sfc32 by Chris Doty-Humphrey. Not for secrets. */
export class SeededRandom implements Random {
  readonly seed: number;
  #a: number;
  #b = 0x9e37_79b9;
  #c = 0x243f_6a88;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#a = seed | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  below(below: number): number {
    assert(Number.isInteger(below) && below >= 1 && below <= 2 ** 32, `not a bound of random numbers: ${below}`);
    return Math.floor((this.next() / 2 ** 32) * below);
  }

  /** True once in `times` on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    assert(values.length > 0, 'nothing to pick from');
    return values[this.below(values.length)] as T;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.next() >>> 24;
  }
}
