/**
 * Random bytes for small requests, taken from a supply: asking the system costs a microsecond or two, whatever the
 * number of bytes. No byte is given twice; what was given is overwritten, so that a later look into this memory does
 * not tell what an earlier program drew. The supply belongs to one thread and never travels with the process.
 */

const SUPPLY_BYTES = 4096;
/** Larger requests go to the system: they would use up the supply, and cost little more there than a copy. */
const MOST_BYTES = 256;

export class RandomSupply {
  readonly #fill: (bytes: Uint8Array) => void;
  readonly #supply = new Uint8Array(SUPPLY_BYTES);
  #used = SUPPLY_BYTES;

  /** @param fill fills bytes with random ones, for cryptographic use */
  constructor(fill: (bytes: Uint8Array) => void) {
    this.#fill = fill;
  }

  /** Fills `length` bytes of `target` from `start` on; they must lie within. */
  fill(target: Uint8Array, start: number, length: number): void {
    if (length > MOST_BYTES) {
      this.#fill(target.subarray(start, start + length));
      return;
    }
    const supply = this.#supply;
    if (this.#used + length > SUPPLY_BYTES) {
      this.#fill(supply);
      this.#used = 0;
    }
    // Taken before it is copied: an exception in between must not leave it for the next request.
    let from = this.#used;
    this.#used = from + length;
    for (let to = start; to < start + length; to++, from++) {
      target[to] = supply[from] ?? 0;
      supply[from] = 0;
    }
  }
}
