/**
 * Memory that is sent by reference, from the first frame with a part of it to the last acknowledgement. Until then a
 * link may send it (again) at any time, with whatever is in it by then: it must not become anyone else's.
 */
export class References {
  /** How many frames that are not acknowledged have a part of it. */
  readonly #frames = new Map<ArrayBufferLike, number>();
  /** A session that was lost had frames with it: nobody can tell any more what of it is still on its way. */
  readonly #lost = new WeakSet<ArrayBufferLike>();
  #waiting: { readonly memory: ReadonlySet<ArrayBufferLike>; readonly tell: () => void }[] = [];

  /** A frame with a part of it waits to be sent and acknowledged, until {@link acknowledged} or {@link lost}. */
  add(memory: ArrayBufferLike): void {
    this.#frames.set(memory, (this.#frames.get(memory) ?? 0) + 1);
  }

  acknowledged(memory: ArrayBufferLike): void {
    this.#remove(memory);
    if (this.#waiting.length > 0) this.#tell();
  }

  lost(memory: ArrayBufferLike): void {
    this.#lost.add(memory);
    this.#remove(memory);
    this.#waiting = this.#waiting.filter((one) => !one.memory.has(memory));
  }

  /**
   * Calls `then` once, maybe at once, when all frames with any of this memory have been acknowledged; never if a session
   * that had one is lost, or was.
   */
  whenAcknowledged(memory: ReadonlySet<ArrayBufferLike>, then: () => void): void {
    if ([...memory].some((one) => this.#lost.has(one))) return;
    this.#waiting.push({ memory, tell: then });
    this.#tell();
  }

  #remove(memory: ArrayBufferLike): void {
    const left = (this.#frames.get(memory) ?? 0) - 1;
    if (left > 0) this.#frames.set(memory, left);
    else this.#frames.delete(memory);
  }

  #tell(): void {
    const isFree = ({ memory }: { memory: ReadonlySet<ArrayBufferLike> }): boolean => {
      return [...memory].every((one) => !this.#frames.has(one));
    };
    const free = this.#waiting.filter(isFree);
    this.#waiting = this.#waiting.filter((one) => !free.includes(one));
    for (const { tell } of free) tell();
  }
}
