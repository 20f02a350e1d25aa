/**
 * Memories of guests that have left, for the next one of their form, which may well be the same process coming back.
 * What the system gives afresh it fills with zeros page by page, on the first write to each: that costs more than to
 * clear and fill pages that are there, and giving back a large memory holds the next one up.
 */
import { totalmem } from 'node:os';
import { createMemory, growMemory, type MemorySize } from '../../capture/layout/memory.ts';

const PAGE_BYTES = 65_536;

/** Bytes that are kept at most, all together: not so many that the machine would miss them. */
const KEPT_BYTES = Math.min(1024 * 1024 * 1024, totalmem() / 8);
/** How many are kept: each takes a part of the address space, however small it is. As many as there are warm workers. */
const KEPT_MEMORIES = 8;
/** How long one is kept, in milliseconds. */
export const KEPT_MS = 10_000;
/**
 * A larger memory is kept only if its guest had filled half of it. Who comes next has grown as far, so has probably done the
 * same, and overwrites what is there; of a memory that is mostly empty, fresh pages cost less than clearing.
 */
const SPARSE_BYTES = 32 * 1024 * 1024;

/** So many bytes of memories that nobody has any more V8 is told of. */
const TOLD_BYTES = 64 * 1024 * 1024;
const MOST_TOLD_BYTES = 1024 * 1024 * 1024;
const TOLD_AGAIN_MS = 1000;

interface Kept {
  readonly memory: WebAssembly.Memory;
  readonly size: MemorySize;
  readonly timer: NodeJS.Timeout;
}

/** What images have been read from a memory before its guest left. */
export interface Read {
  /**
   * The buffers that they are views of. A memory has had several: in each thread V8 makes new ones for all shared memories
   * whenever another thread makes any of them grow.
   */
  readonly buffers: ReadonlySet<ArrayBufferLike>;
  /** How much of all memories of the guest the last image held, from 0 to 1; 1 if there was none. */
  readonly share: number;
}

const NOT_READ: Read = { buffers: new Set(), share: 1 };

/** See `References.whenAcknowledged` (link/references.ts). */
export type WhenAcknowledged = (memory: ReadonlySet<ArrayBufferLike>, then: () => void) => void;

export interface UsedMemory {
  readonly memory: WebAssembly.Memory;
  /** So many bytes from its start may be what its last guest has left there; the rest is zero. */
  readonly usedBytes: number;
}

export class MemoryPool {
  /** Oldest first. */
  readonly #kept: Kept[] = [];
  /** Bytes that are kept, all together. */
  readonly most: number;
  readonly #whenAcknowledged: WhenAcknowledged;
  /** Bytes of memories that are garbage by now, of which V8 has not been told. */
  #dropped = 0;

  constructor(whenAcknowledged: WhenAcknowledged, most = KEPT_BYTES) {
    this.#whenAcknowledged = whenAcknowledged;
    this.most = most;
  }

  /**
   * A memory of this size, all zeros.
   * @throws RangeError if the machine cannot give it
   */
  take(size: MemorySize): WebAssembly.Memory {
    const { memory, usedBytes } = this.takeUsed(size);
    clear(memory, usedBytes);
    return memory;
  }

  /**
   * A memory of this size for an image that comes. Before any guest sees it, what was there before must be overwritten or
   * cleared.
   * @throws RangeError if the machine cannot give it
   */
  takeUsed(size: MemorySize): UsedMemory {
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

  /**
   * @param memory one that nothing will write or read any more, but for links which have images of it to send: it is kept
   *   once they have been acknowledged, or another guest's bytes might be sent instead
   * @param size what it was asked for with
   */
  giveBack(memory: WebAssembly.Memory, size: MemorySize, read: Read = NOT_READ): void {
    if (!this.wants(memory, read)) return this.drop(memory);
    this.#whenAcknowledged(read.buffers, () => this.#keep(memory, size));
  }

  /** Whether it is kept if it is given back, for a while. */
  wants({ buffer: { byteLength } }: WebAssembly.Memory, { share }: Read): boolean {
    return byteLength > 0 && byteLength <= this.most && (byteLength <= SPARSE_BYTES || share >= 0.5);
  }

  #keep(memory: WebAssembly.Memory, size: MemorySize): void {
    const timer = setTimeout(() => this.#expire(this.#kept.indexOf(kept)), KEPT_MS).unref();
    const kept: Kept = { memory, size, timer };
    this.#kept.push(kept);
    while (this.#kept.length > KEPT_MEMORIES || this.#bytes > this.most) this.#expire(0);
  }

  #expire(at: number): void {
    const kept = this.#remove(at);
    if (kept !== undefined) this.drop(kept.memory);
  }

  /**
   * For a memory that nobody has any more. It goes back to the system when V8 collects its heap. When to do that V8 decides by
   * what has been allocated, and memories of guests do not count: a node whose own heap hardly grows would keep those of
   * all guests that it ever had. So as much is allocated as has become garbage, twice, for V8 to begin and to end.
   * Nobody touches it, so the system never has to provide it.
   */
  drop({ buffer: { byteLength } }: WebAssembly.Memory): void {
    this.#dropped += byteLength;
    if (this.#dropped < TOLD_BYTES) return;
    const bytes = Math.min(this.#dropped, MOST_TOLD_BYTES);
    this.#dropped = 0;
    allocate(bytes);
    setTimeout(() => allocate(bytes), TOLD_AGAIN_MS).unref();
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
  // Eight bytes at a time: V8 fills shared memory by as much as an element has.
  new BigInt64Array(buffer, 0, bytes / 8).fill(0n);
}

function allocate(bytes: number): void {
  try {
    void new ArrayBuffer(bytes);
  } catch {
    // There is no room for it: V8 has collected its heap before it said so.
  }
}
