/** How busy a node is: guests that want to compute, averaged as in a Unix load average of one minute. */
import type { Clock, Timer } from '../base/env.ts';

const SAMPLE_MS = 1000;
/** Weight of one sample: e-folding in a minute. */
const WEIGHT = 1 - Math.exp(-SAMPLE_MS / 60_000);

export class LoadMeter {
  readonly #clock: Clock;
  readonly #wanting: () => number;
  #average = 0;
  #timer: Timer;

  /** @param wanting how many guests want to compute at this moment */
  constructor(clock: Clock, wanting: () => number) {
    this.#clock = clock;
    this.#wanting = wanting;
    this.#timer = clock.after(SAMPLE_MS, () => this.#sample());
  }

  get average(): number {
    return this.#average;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #sample(): void {
    this.#average += (this.#wanting() - this.#average) * WEIGHT;
    this.#timer = this.#clock.after(SAMPLE_MS, () => this.#sample());
  }
}
