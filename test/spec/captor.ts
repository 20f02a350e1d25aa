/** Chooses the safepoints of a script's actions at which to capture. */
import type { SeededRandom } from '../../src/base/virtual.ts';

export interface Choice {
  /** Actions of a script that are captured, on average; the rest of a longer script run without. */
  readonly actions: number;
  /** Safepoints of an action that are captured one after the other; of the n-th behind them, one in n/this. */
  readonly inTurn: number;
  /** Safepoints of an action; the rest of it runs without captures. */
  readonly most: number;
}

export class Captor {
  /** Actions that reached {@link Choice.most}. */
  cut = 0;
  readonly #random: SeededRandom;
  readonly #choice: Choice;
  readonly #actions: number;
  #passed = 0;

  /** @param actions how many the script has */
  constructor(random: SeededRandom, choice: Choice, actions: number) {
    this.#random = random;
    this.#choice = choice;
    this.#actions = actions;
  }

  /** An action or an instantiation begins. @returns whether to capture in it */
  begin(): boolean {
    this.#passed = 0;
    return this.#actions <= this.#choice.actions || this.#random.below(this.#actions) < this.#choice.actions;
  }

  /** @returns 'rest' if the action has no more captures to come, so that polls can be left out */
  safepoint(): 'capture' | 'pass' | 'rest' {
    const { inTurn, most } = this.#choice;
    const n = ++this.#passed;
    if (n > most) {
      this.cut++;
      return 'rest';
    }
    return n <= inTurn || this.#random.below(n) < inTurn ? 'capture' : 'pass';
  }
}
