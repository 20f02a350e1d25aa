/** When a link says how far it has received: with any frame that goes out, and by itself if none does soon. */
import type { Clock, Timer } from '../base/env.ts';
import { LIMITS } from '../base/limits.ts';
import { TIMING } from '../base/timing.ts';

/** Received bytes after which an acknowledgement does not wait for its time: the sender of bulk data waits for it. */
const ACK_BYTES = LIMITS.linkUnackedBytes / 8;

export class Acknowledgements {
  readonly #clock: Clock;
  readonly #send: () => void;
  #timer: Timer | null = null;
  /** Bytes received since the last one went out. */
  #bytes = 0;

  /** @param send sends one now, if there is a connection */
  constructor(clock: Clock, send: () => void) {
    this.#clock = clock;
    this.#send = send;
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= ACK_BYTES) this.#send();
    else this.#timer ??= this.#clock.after(TIMING.ackDelayMs, () => this.#due());
  }

  /** For all that has been received, unless one has gone out since. */
  now(): void {
    if (this.#bytes > 0) this.#send();
  }

  /** A frame has gone out, whatever it is: every header acknowledges. */
  sent(): void {
    this.#bytes = 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** The timer runs on when an acknowledgement rides on a frame: to stop it each time would cost more than this. */
  #due(): void {
    this.#timer = null;
    this.now();
  }
}
