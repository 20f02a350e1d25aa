/**
 * How a thread waits for a word of shared memory: it sleeps, or it looks at the word for a moment first.
 *
 * To be woken can take longer than the answer takes to come, on a virtual machine many times longer: a call at home
 * takes 1 µs instead of 6 if the thread has only looked, one away from home 65 instead of 90. But whoever looks keeps
 * a processor, and when there is none to spare the same calls take 35 and 200 µs. No one can tell beforehand which it
 * will be, so it is measured: waits are taken in rounds, all of a round in the same way, and the way that was faster
 * is kept. The other one is tried again now and then; looking the more rarely, the more often it has lost.
 *
 * A wait that is longer than a look wastes it, so a few of them in a row end the round.
 */

/** Returns when the word at `index` is not `value` any more. */
export type WaitWhile = (words: Int32Array, index: number, value: number) => void;

/** Of one wait, in milliseconds: a home call in a local network takes less. */
const LOOK_MS = 0.1;
/** Looks between two questions for the time, which cost as much as some of them. */
const LOOKS = 16;
const ROUND = 32;
/** The first waits of a round: threads have to find their processors. */
const SETTLING = 8;
/** Looks in vain, one after the other, that end a round. */
const MOST_VAIN = 8;
/** A longer wait was for something else than a thread that had to be woken. */
const LONGEST_MS = 1;
/** Rounds of sleep after looking has lost many times, and of looking before sleep is measured again. */
const MOST_ROUNDS = 1024;
const KEPT_ROUNDS = 64;

export class Looking {
  readonly #now: () => number;
  readonly #sleep: WaitWhile;
  readonly #alone: boolean;
  #looks = false;
  /** Of the present way of waiting, until the other one is tried. */
  #rounds = 1;
  /** The rounds of sleep after looking loses again. */
  #penalty = 1;
  /** Waits of this round; those after the first few took so long together. */
  #waits = 0;
  #sumMs = 0;
  #vain = 0;
  /** Mean wait of the last round asleep. */
  #sleepMs = 0;

  /**
   * @param processors how many this daemon may use: with one, whoever answers needs it
   * @param now a monotonic clock in milliseconds
   * @param sleep for tests
   */
  constructor(processors: number, now: () => number, sleep: WaitWhile = sleepWhile) {
    this.#sleep = sleep;
    this.#alone = processors < 2;
    this.#now = now;
  }

  /** Whether the next wait looks before it sleeps. */
  get looks(): boolean {
    return this.#looks;
  }

  /** Returns when the word at `index` is not `value` any more; whoever changes it notifies. */
  wait(words: Int32Array, index: number, value: number): void {
    if (this.#alone) {
      this.#sleep(words, index, value);
      return;
    }
    const begin = this.#now();
    const seen = this.#looks && this.#look(words, index, value, begin + LOOK_MS);
    if (!seen) this.#sleep(words, index, value);
    this.#learn(this.#now() - begin, seen);
  }

  #look(words: Int32Array, index: number, value: number, end: number): boolean {
    do {
      for (let i = 0; i < LOOKS; i++) {
        if (Atomics.load(words, index) !== value) return true;
        Atomics.pause();
      }
    } while (this.#now() < end);
    return false;
  }

  #learn(ms: number, seen: boolean): void {
    this.#vain = seen || !this.#looks ? 0 : this.#vain + 1;
    if (this.#vain === MOST_VAIN) {
      this.#lose();
      return;
    }
    this.#waits++;
    if (this.#waits > SETTLING) this.#sumMs += Math.min(ms, LONGEST_MS);
    if (this.#waits === ROUND) this.#endRound(this.#sumMs / (ROUND - SETTLING));
  }

  #endRound(meanMs: number): void {
    if (!this.#looks) this.#sleepMs = meanMs;
    else if (meanMs >= this.#sleepMs) {
      this.#lose();
      return;
    } else this.#penalty = 1;
    this.#rounds--;
    if (this.#rounds > 0) this.#begin(this.#looks, this.#rounds);
    else this.#begin(!this.#looks, this.#looks ? 1 : KEPT_ROUNDS);
  }

  #lose(): void {
    this.#begin(false, this.#penalty);
    this.#penalty = Math.min(2 * this.#penalty, MOST_ROUNDS);
  }

  #begin(looks: boolean, rounds: number): void {
    this.#looks = looks;
    this.#rounds = rounds;
    this.#waits = 0;
    this.#sumMs = 0;
    this.#vain = 0;
  }
}

export const sleepWhile: WaitWhile = (words, index, value) => {
  while (Atomics.load(words, index) === value) Atomics.wait(words, index, value);
};
