/** The exceptions of a state, from the host's side: it has the helpers of exceptions.ts take them apart and make them. */
import { GodwitError } from '../../base/errors.ts';
import type { Module } from '../../wasm/module.ts';
import { exceptionBytes } from '../rewriting/exceptions.ts';
import { SAVE_BASE } from '../layout/frame.ts';

export class SavedExceptions {
  readonly #module: Module;
  readonly #control: WebAssembly.Memory;
  /** How many are in the table. */
  readonly #top: WebAssembly.Global<number>;
  readonly #take: (position: number) => unknown;
  readonly #make: (position: number) => unknown;

  constructor(
    module: Module,
    control: WebAssembly.Memory,
    top: WebAssembly.Global<number>,
    take: (position: number) => unknown,
    make: (position: number) => unknown,
  ) {
    this.#module = module;
    this.#control = control;
    this.#top = top;
    this.#take = take;
    this.#make = make;
  }

  /** The exceptions that frames and globals refer to; null for one that cannot be taken apart. */
  take(): (Uint8Array<ArrayBuffer> | null)[] {
    return Array.from({ length: this.#top.value }, (_, position) => {
      const bytes = this.#take(position);
      if (typeof bytes !== 'number' || bytes < 0) return null;
      return new Uint8Array(this.#control.buffer).slice(SAVE_BASE, SAVE_BASE + bytes);
    });
  }

  /**
   * Puts them back into the table. Those that could not be taken apart are still there.
   * @throws GodwitError `corrupt` if one does not fit the program
   */
  restore(exceptions: readonly (Uint8Array<ArrayBuffer> | null)[]): void {
    exceptions.forEach((exception, position) => {
      if (exception === null) return;
      const tag = exception.length < 4 ? -1 : new DataView(exception.buffer).getUint32(0, true);
      if (tag >= this.#module.tags.length || tag < 0 || exceptionBytes(this.#module, tag) !== exception.length) {
        throw new GodwitError('corrupt', `a state with an exception of ${exception.length} bytes and tag ${tag}`);
      }
      new Uint8Array(this.#control.buffer).set(exception, SAVE_BASE);
      this.#make(position);
    });
    this.#top.value = 0;
  }
}
