/** A list of random numbers as decisions; an exhausted list decides for the simplest. */
import type { ValueType } from '../../wasm/types.ts';

export class Choices {
  readonly #bytes: ArrayLike<number>;
  #at = 0;

  constructor(bytes: ArrayLike<number>) {
    this.#bytes = bytes;
  }

  get exhausted(): boolean {
    return this.#at >= this.#bytes.length;
  }

  below(n: number): number {
    return this.exhausted ? 0 : this.#bytes[this.#at++]! % n;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  types(most: number, from: readonly ValueType[]): ValueType[] {
    return Array.from({ length: this.below(most + 1) }, () => this.pick(from));
  }
}
