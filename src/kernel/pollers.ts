/** Polls of one direction of one open file, which wait until it is ready. */
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Readiness, Settled } from '../vfs/openfile.ts';

export class Pollers {
  readonly #readiness: () => Readiness | null;
  readonly #waiting = new Set<Waiting<Settled<Readiness>>>();

  /** @param readiness how it is now; null: not ready */
  constructor(readiness: () => Readiness | null) {
    this.#readiness = readiness;
  }

  get some(): boolean {
    return this.#waiting.size > 0;
  }

  poll(): Maybe<Readiness> {
    const ready = this.#readiness();
    if (ready !== null) return ready;
    const waiting = new Waiting<Settled<Readiness>>(() => {
      this.#waiting.delete(waiting);
    });
    this.#waiting.add(waiting);
    return waiting;
  }

  /** To be called whenever it may have become ready. */
  changed(): void {
    const readiness = this.#readiness();
    if (readiness === null) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const poll of waiting) poll.settle({ value: readiness });
  }
}
