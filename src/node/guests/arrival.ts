/**
 * A process that arrives: its image comes into the memory that was reserved for it, and its threads take their states up
 * while memory is still on its way. Nothing of it executes before home has committed the move, so all of it can be given
 * up until then; and what could not be taken up can go on where it was.
 */
import { GodwitError } from '../../base/errors.ts';
import type { GuestRest } from './guest-baggage.ts';
import { ImageLoader } from './guest-image.ts';
import type { GuestSession } from './guest-session.ts';

export class Arrival {
  /** All threads have taken up their states. */
  takenUp = false;
  /** Home has committed the move. */
  committed = false;
  readonly #session: GuestSession;
  readonly #loader: ImageLoader;
  readonly #mayHave: (threads: number) => void;
  #rest: GuestRest | null = null;
  /** Why it cannot be used: told when it is complete, whatever still comes. */
  #broken: GodwitError | null = null;

  /**
   * @param session with workers for as many threads as its home knew of
   * @param mayHave throws a GodwitError if there is no room for so many threads more
   */
  constructor(session: GuestSession, mayHave: (threads: number) => void) {
    this.#session = session;
    this.#mayHave = mayHave;
    session.guest.prepare();
    this.#loader = new ImageLoader(session.spec.module, session.guest.memories.receiving);
  }

  /** Why its states could not be taken up, or its image not be loaded; null: nothing is known against it. */
  get reason(): string | null {
    return this.#broken?.message ?? null;
  }

  /** Takes the next bytes of the image. What is wrong with them {@link complete} tells. */
  write(chunk: Uint8Array): void {
    if (this.#broken) return;
    try {
      const rest = this.#loader.write(chunk);
      if (rest !== null && this.#rest === null) this.#takeUp(rest);
    } catch (error) {
      if (!(error instanceof GodwitError)) throw error;
      this.#broken = error;
    }
  }

  /** A thread of it has failed. */
  fail(reason: string): void {
    this.#broken ??= new GodwitError('corrupt', reason);
  }

  /**
   * All of the image has come. Its states may still be being taken up.
   * @param digest that it must have
   * @throws GodwitError if it cannot be used
   */
  async complete(digest: Uint8Array): Promise<void> {
    if (this.#broken) throw this.#broken;
    this.#loader.finish(digest);
    // Those that know the program have been told what to do, and what has become of that is seen when it is to go on.
    const { guest } = this.#session;
    if (!guest.readySoon) await guest.ready();
    // What a thread has said while this waited.
    if (this.reason !== null) throw new GodwitError('corrupt', this.reason);
  }

  /** What it goes on from, once it is complete. */
  get rest(): GuestRest | null {
    return this.#rest;
  }

  #takeUp(rest: GuestRest): void {
    const { guest } = this.#session;
    // It may have started threads since its home said how many it has.
    this.#mayHave(Math.max(0, rest.threads.length - guest.threads));
    this.#rest = rest;
    guest.expect(rest.threads.length);
    this.#session.takeUp(rest);
  }
}
