/**
 * The position of an open file in memory that all threads and processes with that file share. It is changed by
 * compare-and-exchange only: a lock could be held for ever by a thread that is ended.
 *
 * It starts out `narrow`, a position below 2^31 in 32 bits, because 64 bits are a bigint in JavaScript, and a few of
 * those cost a tenth of a short read. The first position that does not fit (or AT_END) makes it `wide` for good: the sign bit of the
 * narrow word is set, after which that word never changes again, and whoever finds it set puts its value into the
 * wide one if nobody has yet. All do so with the same value, so it does not matter who is first, or ended in between.
 *
 * | bytes | field | |
 * |---|---|---|
 * | 0–7 | wide position, AT_END or UNSET | |
 * | 8–15 | vfs/direct.ts | |
 * | 16–19 | narrow position; with its sign bit set, the wide one counts | |
 */

/** The position of a file in append mode after a write: where that write ended, which only the system knows. */
export const AT_END = -1n;
/** Of the wide position, before it is used. */
const UNSET = -2n;

export const POSITION_BYTES = 24;
const NARROW = 4;
const MAX_NARROW = 0x7fff_ffff;
const WIDE_BIT = 0x8000_0000 | 0;

export class SharedPosition {
  readonly #wide: BigInt64Array;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#wide = new BigInt64Array(shared, 0, 1);
    this.#words = new Int32Array(shared);
  }

  /** Position 0, in memory that no one uses yet. */
  static start(shared: SharedArrayBuffer): void {
    new BigInt64Array(shared, 0, 1)[0] = UNSET;
  }

  /** The position, or AT_END: a number as long as it is narrow. */
  get(): number | bigint {
    const narrow = Atomics.load(this.#words, NARROW);
    return narrow >= 0 ? narrow : this.#widen();
  }

  /**
   * Moves the position on by `length` if it is still `from`.
   * @param from as {@link get} gave it, not AT_END @param length in bytes, up to 2^32
   */
  advance(from: number | bigint, length: number): boolean {
    if (typeof from === 'number' && from + length <= MAX_NARROW) {
      const found = Atomics.compareExchange(this.#words, NARROW, from, from + length);
      if (found >= 0) return found === from;
    }
    const at = BigInt(from);
    return this.exchange(at, at + BigInt(length));
  }

  /** Sets the position (or AT_END) to `to` if it is `from`. */
  exchange(from: bigint, to: bigint): boolean {
    if (to >= 0n && to <= MAX_NARROW && from >= 0n && from <= MAX_NARROW) {
      const found = Atomics.compareExchange(this.#words, NARROW, Number(from), Number(to));
      if (found >= 0) return found === Number(from);
    }
    this.#widen();
    return Atomics.compareExchange(this.#wide, 0, from, to) === from;
  }

  /** Sets the position (or AT_END), whatever it is. */
  set(to: bigint): void {
    while (!this.exchange(BigInt(this.get()), to));
  }

  /** @returns the wide position, which counts from now on */
  #widen(): bigint {
    const last = Atomics.or(this.#words, NARROW, WIDE_BIT) & MAX_NARROW;
    const found = Atomics.compareExchange(this.#wide, 0, UNSET, BigInt(last));
    return found === UNSET ? BigInt(last) : found;
  }
}
