/**
 * Refreshes a thread that goes on from a state: V8 begins with its baseline code, and does not replace code that runs, so
 * a loop that was resumed in its middle would stay slow. A thread that sees the bit `refresh` takes its stack up again
 * where it is, as better code (capture/running/continuations.ts).
 */
import { Attention, type ControlBlock } from '../../guest/control.ts';

/**
 * How many milliseconds after its code has gone on: it waits for that with its state taken up, while memory is on its way. The first time what can be optimised fast is optimised; what is too large
 * for that V8 has optimised by itself by one of the later times.
 */
export const REFRESH_MS: readonly number[] = [30, 100, 250, 450];

export class Refresher {
  readonly #control: ControlBlock;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(control: ControlBlock) {
    this.#control = control;
  }

  /** The code goes on from a state. */
  begin(): void {
    this.end();
    this.#timers = REFRESH_MS.map((ms) => setTimeout(() => this.#refresh(), ms).unref());
  }

  /** The code has left the stack, or the thread is to end. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#control.lower(Attention.refresh);
  }

  /** Only while there is something to be gained: what was taken up again calls the rest of the program less directly. */
  #refresh(): void {
    if (this.#control.slow) this.#control.raise(Attention.refresh);
  }
}
