/**
 * What a memory still holds of its last guest, while the image of the next one comes into it: no guest may see anything
 * of another one.
 */
import { IMAGE_PAGE_BYTES } from '../../capture/image/image.ts';

const PAGE_WORDS = IMAGE_PAGE_BYTES / 8;

export class Remains {
  /** 1: this page may hold something. */
  readonly #pages: Uint8Array;

  /** @param usedBytes from the start of the memory; whole pages */
  constructor(usedBytes: number) {
    this.#pages = new Uint8Array(usedBytes / IMAGE_PAGE_BYTES).fill(1);
  }

  /** Other content comes to these bytes, which are whole pages. */
  overwrite(start: number, end: number): void {
    this.#pages.fill(0, start / IMAGE_PAGE_BYTES, end / IMAGE_PAGE_BYTES);
  }

  /** Zeroes what is left in the memory. */
  clear({ buffer }: WebAssembly.Memory): void {
    // Eight bytes at a time: V8 fills shared memory by as much as an element has.
    const words = new BigInt64Array(buffer);
    for (let page = this.#pages.indexOf(1); page !== -1; page = this.#pages.indexOf(1, page)) {
      const next = this.#pages.indexOf(0, page);
      const end = next === -1 ? this.#pages.length : next;
      words.fill(0n, page * PAGE_WORDS, end * PAGE_WORDS);
      page = end;
    }
  }
}
