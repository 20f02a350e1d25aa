/** How far one thread has come with its calls: what its import functions have to know of each other. */
export class Progress {
  #localCalls = 0;
  #askFirst = false;

  /** How many calls this thread has carried out itself. */
  get localCalls(): number {
    return this.#localCalls;
  }

  /**
   * The next call may be one that was begun elsewhere and has had its effect at home. Only the main thread knows, so
   * it is taken there even if this thread could carry it out itself.
   */
  get askFirst(): boolean {
    return this.#askFirst;
  }

  /** The thread goes on from a state. */
  resumed(): void {
    this.#askFirst = true;
  }

  /** The thread carries out a call itself. */
  local(): void {
    this.#localCalls++;
    this.#askFirst = false;
  }

  /** The main thread has taken a call. */
  asked(): void {
    this.#askFirst = false;
  }
}
