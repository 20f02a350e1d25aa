/** Whether a link takes bulk data right now, and those who wait until it does. */
import type { Clock, Timer } from '../base/env.ts';
import { LIMITS } from '../base/limits.ts';
import type { Session } from './session.ts';

export class Room {
  readonly #session: Session;
  readonly #clock: Clock;
  #waiters: (() => void)[] = [];

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  get isThere(): boolean {
    const { unackedBytes, unsentBytes } = this.#session;
    return unackedBytes < LIMITS.linkUnackedBytes && unsentBytes < LIMITS.linkUnsentBytes;
  }

  /** Calls `resume` once, later, when there is room or {@link giveUp} is called. */
  when(resume: () => void): Timer {
    let waiting: (() => void) | null = resume;
    this.#waiters.push(() => waiting?.());
    if (this.isThere) this.#clock.after(0, () => this.offer());
    return { cancel: () => (waiting = null) };
  }

  /** There may be room now. */
  offer(): void {
    while (this.#waiters.length > 0 && this.isThere) this.#waiters.shift()?.();
  }

  /** Nobody waits any more. @returns those who did, to be called */
  giveUp(): readonly (() => void)[] {
    return this.#waiters.splice(0);
  }
}
