/**
 * A guest's memory as the thread that runs it sees it: views that are kept, since making one, and even asking the
 * WebAssembly.Memory for its buffer, costs as much as a whole cheap system call.
 *
 * Memory never shrinks, so a view that was right once is at worst too short: the buffer of a shared memory that has
 * grown is another object, and the old one shows only the old size; that of a memory which is not shared is detached
 * and shows nothing. Hence only a range that lies outside has to ask for the buffer.
 */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array<ArrayBufferLike>;
  #view: DataView;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  /** All of memory; what {@link covers} has accepted lies within. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The same bytes. */
  get view(): DataView {
    return this.#view;
  }

  /** All of memory as it is now. */
  current(): Uint8Array {
    const { buffer } = this.#memory;
    if (this.#bytes.buffer !== buffer) {
      this.#bytes = new Uint8Array(buffer);
      this.#view = new DataView(buffer);
    }
    return this.#bytes;
  }

  /**
   * Whether `length` bytes from `pointer` on lie in memory.
   * @param pointer u32 @param length u32
   */
  covers(pointer: number, length: number): boolean {
    const end = pointer + length;
    return end <= this.#bytes.length || end <= this.current().length;
  }
}
