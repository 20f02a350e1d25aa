/**
 * Memories of guests that have left, for the next one of their form, which may well be the same process coming back.
 * What the system gives afresh it fills with zeros page by page, on the first write to each: that costs more than to
 * clear and fill pages that are there, and giving back a large memory holds the next one up.
 */
import { totalmem } from 'node:os';
import { createMemory, growMemory, type MemorySize } from '../capture/memory.ts';

const PAGE_BYTES = 65_536;

/** Bytes that are kept at most, all together: not so many that the machine would miss them. */
const KEPT_BYTES = Math.min(1024 * 1024 * 1024, totalmem() / 8);
/** Smaller ones cost little either way. */
const WORTH_BYTES = 8 * 1024 * 1024;
/** How long one is kept, in milliseconds. */
const KEPT_MS = 10_000;

interface Kept {
  readonly memory: WebAssembly.Memory;
  readonly size: MemorySize;
  readonly timer: NodeJS.Timeout;
}

export class MemoryPool {
  /** Oldest first. */
  readonly #kept: Kept[] = [];
  readonly #most: number;

  /** @param most bytes that are kept, all together */
  constructor(most = KEPT_BYTES) {
    this.#most = most;
  }

  /**
   * A memory of this size, all zeros.
   * @throws RangeError if the machine cannot give it
   */
  take(size: MemorySize): WebAssembly.Memory {
    const at = this.#kept.findLastIndex(({ memory, size: { maximumPages, wide } }) => {
      const pages = memory.buffer.byteLength / PAGE_BYTES;
      return maximumPages === size.maximumPages && wide === size.wide && pages <= size.initialPages;
    });
    const kept = at === -1 ? undefined : this.#remove(at);
    if (kept === undefined) return createMemory(size);
    const { memory } = kept;
    new Uint8Array(memory.buffer).fill(0);
    const missing = size.initialPages - memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) growMemory(memory, missing, size);
    return memory;
  }

  /** @param memory one that nothing will write or read any more @param size what it was asked for with */
  giveBack(memory: WebAssembly.Memory, size: MemorySize): void {
    if (memory.buffer.byteLength < WORTH_BYTES) return;
    const timer = setTimeout(() => this.#remove(this.#kept.indexOf(kept)), KEPT_MS).unref();
    const kept: Kept = { memory, size, timer };
    this.#kept.push(kept);
    while (this.#bytes > this.#most) this.#remove(0);
  }

  get #bytes(): number {
    return this.#kept.reduce((sum, { memory }) => sum + memory.buffer.byteLength, 0);
  }

  #remove(at: number): Kept | undefined {
    const [kept] = this.#kept.splice(at, 1);
    clearTimeout(kept?.timer);
    return kept;
  }
}
