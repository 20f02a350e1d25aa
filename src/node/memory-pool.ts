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
/** How many are kept: each takes a part of the address space, however small it is. As many as there are warm workers. */
const KEPT_MEMORIES = 8;
/** How long one is kept, in milliseconds. */
const KEPT_MS = 10_000;
/**
 * Up to here whoever loads an image clears only what that leaves out, mostly nothing. A larger memory is cleared before:
 * if its image is sparse, that takes longer than a process should stand still for it.
 */
const CLEARED_LATER_BYTES = 32 * 1024 * 1024;

interface Kept {
  readonly memory: WebAssembly.Memory;
  readonly size: MemorySize;
  readonly timer: NodeJS.Timeout;
}

export interface UsedMemory {
  readonly memory: WebAssembly.Memory;
  /** So many bytes from its start may be what its last guest has left there; the rest is zero. */
  readonly usedBytes: number;
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
    const { memory, usedBytes } = this.#find(size);
    clear(memory, usedBytes);
    return memory;
  }

  /**
   * A memory of this size for an image that comes. Before any guest sees it, what was there before must be overwritten or
   * cleared.
   * @throws RangeError if the machine cannot give it
   */
  takeUsed(size: MemorySize): UsedMemory {
    const found = this.#find(size);
    if (found.usedBytes <= CLEARED_LATER_BYTES) return found;
    clear(found.memory, found.usedBytes);
    return { memory: found.memory, usedBytes: 0 };
  }

  #find(size: MemorySize): UsedMemory {
    const at = this.#kept.findLastIndex(({ memory, size: { maximumPages, wide } }) => {
      const pages = memory.buffer.byteLength / PAGE_BYTES;
      return maximumPages === size.maximumPages && wide === size.wide && pages <= size.initialPages;
    });
    const kept = at === -1 ? undefined : this.#remove(at);
    if (kept === undefined) return { memory: createMemory(size), usedBytes: 0 };
    const { memory } = kept;
    const usedBytes = memory.buffer.byteLength;
    const missing = size.initialPages - usedBytes / PAGE_BYTES;
    if (missing > 0) growMemory(memory, missing, size);
    return { memory, usedBytes };
  }

  /** @param memory one that nothing will write or read any more @param size what it was asked for with */
  giveBack(memory: WebAssembly.Memory, size: MemorySize): void {
    const bytes = memory.buffer.byteLength;
    if (bytes === 0 || bytes > this.#most) return;
    const timer = setTimeout(() => this.#remove(this.#kept.indexOf(kept)), KEPT_MS).unref();
    const kept: Kept = { memory, size, timer };
    this.#kept.push(kept);
    while (this.#kept.length > KEPT_MEMORIES || this.#bytes > this.#most) this.#remove(0);
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

function clear({ buffer }: WebAssembly.Memory, bytes: number): void {
  new Uint8Array(buffer, 0, bytes).fill(0);
}
