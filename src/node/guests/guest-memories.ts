/** The memories of one guest, from the pool and back to it. */
import type { ImageWriter } from '../../capture/image/image-writer.ts';
import { createMemory, type MemorySize } from '../../capture/layout/memory.ts';
import type { Receiving } from './guest-image.ts';
import type { MemoryPool, Read } from './memory-pool.ts';

/** The memories that a guest's program needs. */
export interface GuestMemories {
  readonly sizes: readonly MemorySize[];
  /** Its image comes, and whoever loads it leaves nothing in them that is not of it: see {@link TakenMemories.receiving}. */
  readonly arriving: boolean;
  /** The number of the one that calls refer to; without any they get one of no pages. */
  readonly host: number;
}

export class TakenMemories {
  /** By their numbers in the module. */
  readonly all: readonly WebAssembly.Memory[];
  /** The one that calls refer to. */
  readonly host: WebAssembly.Memory;
  /** For the image that is to come into them: what each was asked for, and how much of it may be another guest's until then. */
  readonly receiving: readonly Receiving[];
  readonly #pool: MemoryPool;
  #read: Read = { buffers: new Set(), share: 1 };

  /** @throws RangeError if the machine cannot give the memory */
  constructor({ sizes, host, arriving }: GuestMemories, pool: MemoryPool) {
    this.#pool = pool;
    this.receiving = sizes.map((size) => ({
      size,
      ...(arriving ? pool.takeUsed(size) : { memory: pool.take(size), usedBytes: 0 }),
    }));
    this.all = this.receiving.map(({ memory }) => memory);
    this.host = this.all[host] ?? createMemory({ initialPages: 0, maximumPages: 0, wide: false });
  }

  /** Of all together. */
  get bytes(): number {
    return this.all.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** An image of them is about to be sent. They may have other buffers by now than those that it was made from. */
  imageRead({ bytes, buffers }: Pick<ImageWriter, 'bytes' | 'buffers'>): void {
    this.#read = { buffers: this.#read.buffers.union(buffers), share: bytes / this.bytes };
  }

  /** Whether all of them are kept if they are given back in order. */
  get wanted(): boolean {
    return this.all.every((memory) => this.#pool.wants(memory, this.#read));
  }

  /** Nobody uses them any more. @param inOrder nothing can still write to them: another guest may have them */
  giveBack(inOrder: boolean): void {
    for (const { memory, size } of this.receiving) {
      if (inOrder) this.#pool.giveBack(memory, size, this.#read);
      else this.#pool.drop(memory);
    }
  }
}
