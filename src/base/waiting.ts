/**
 * An operation that has not finished yet, such as a read on an empty pipe. Not a Promise: it settles synchronously
 * (the kernel is deterministic, without a hidden queue) and it can be withdrawn, which is what lets a process move
 * or take a signal while it is blocked.
 *
 * The side that carries the operation out makes it with {@link Waiting} and calls `settle`; the side that asked for
 * it gets the result with `whenDone`, or takes it back with `withdraw`.
 */
export class Waiting<T> {
  #state: 'pending' | 'done' | 'withdrawn' = 'pending';
  #value: T | undefined;
  #listener: ((value: T) => void) | undefined;
  readonly #onWithdraw: () => void;

  /** @param onWithdraw called once if the operation is taken back before it has settled; must leave no effect behind.
   *    An operation that already has a partial effect settles with it from inside this call instead. */
  constructor(onWithdraw: () => void) {
    this.#onWithdraw = onWithdraw;
  }

  get pending(): boolean {
    return this.#state === 'pending';
  }

  /** Ends the operation with its result. Ignored after a withdrawal and after the first result. */
  settle(value: T): void {
    if (this.#state !== 'pending') return;
    this.#state = 'done';
    this.#value = value;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.(value);
  }

  /** Calls `listener` once with the result, at once if it is there already. One listener only. */
  whenDone(listener: (value: T) => void): void {
    if (this.#state === 'done') listener(this.#value as T);
    else if (this.#state === 'pending') this.#listener = listener;
  }

  /**
   * Takes the operation back.
   * @returns true if it is withdrawn without effect and will never settle; false if it has settled (perhaps just
   *   now, with a partial result), which the listener has been told.
   */
  withdraw(): boolean {
    if (this.#state !== 'pending') return this.#state === 'withdrawn';
    this.#onWithdraw();
    if (this.#state !== 'pending') return false;
    this.#state = 'withdrawn';
    this.#listener = undefined;
    return true;
  }
}
