/**
 * Looks for inputs that a reader of hostile bytes cannot bear: each must be taken, or refused by a GodwitError, with
 * work and memory that its length bounds. Inputs are made from real ones; those that reach code which none reached
 * before are changed further (coverage.ts).
 */
import v8 from 'node:v8';
import { GodwitError, messageOf } from '../../src/base/errors.ts';
import { SeededRandom } from '../../src/base/virtual.ts';
import type { Coverage } from './coverage.ts';
import type { Mutate } from './mutate.ts';

/** What an input may cost: so much, and for each of its bytes so much more. */
export interface Cost {
  readonly base: number;
  readonly byte: number;
}

export interface Target {
  readonly name: string;
  /** How many times as long as of others an input takes, about: of a number of runs it gets so many times fewer. */
  readonly slowness: number;
  /** Inputs that are taken. */
  readonly seeds: () => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  readonly mutate: Mutate;
  /** @throws GodwitError for an input that is refused; anything else is a finding */
  readonly read: (input: Uint8Array) => void;
  /** Blocks of code run, as {@link Coverage} counts them. */
  readonly steps: Cost;
  /** Bytes of memory, however they are held. */
  readonly memory: Cost;
}

/** Inputs run between two looks at the coverage, which take some milliseconds each. */
const BATCH = 32;
/** Bytes of an input, beyond which it is not kept: longer ones find the same, only slower. */
const KEPT_BYTES = 64 * 1024;
const KEPT_INPUTS = 3000;
const CHANGES_AT_ONCE = 4;

export interface Report {
  readonly runs: number;
  /** Inputs that were taken, not refused. */
  readonly taken: number;
  /** Inputs that were kept besides the seeds, because they reached new code. */
  readonly kept: number;
  readonly blocks: number;
  /** The most that an input took of what it was allowed: 1 would be all. Of steps only as far as looked at singly. */
  readonly mostSteps: number;
  readonly mostMemory: number;
}

export class Finding extends Error {
  readonly input: Uint8Array;

  constructor(target: string, reason: string, input: Uint8Array, cause: unknown) {
    super(`${target}: ${reason}`, { cause });
    this.name = 'Finding';
    this.input = input;
  }
}

const allowed = ({ base, byte }: Cost, input: Uint8Array): number => base + byte * input.length;

function heldBytes(): number {
  const { used_heap_size, external_memory } = v8.getHeapStatistics();
  return used_heap_size + external_memory;
}

export class Fuzzer {
  readonly #target: Target;
  readonly #random: SeededRandom;
  readonly #coverage: Coverage | null;
  readonly #inputs: Uint8Array[];
  readonly #seeds: number;
  #runs = 0;
  #taken = 0;
  #mostSteps = 0;
  #mostMemory = 0;

  /** @param coverage null: without guidance, and without a bound of steps */
  constructor(target: Target, seeds: readonly Uint8Array[], seed: number, coverage: Coverage | null) {
    this.#target = target;
    this.#random = new SeededRandom(seed);
    this.#coverage = coverage;
    this.#inputs = [...seeds];
    this.#seeds = seeds.length;
  }

  /** @param more asked before each batch. @throws Finding */
  run(more: (runs: number) => boolean): Report {
    for (const seed of this.#inputs) this.#look(seed);
    // What is made of inputs that are refused gets nowhere.
    if (this.#taken < this.#seeds) throw new Error(`${this.#target.name}: a seed is refused`);
    while (more(this.#runs)) {
      const batch = Array.from({ length: BATCH }, () => this.#made());
      for (const input of batch) this.#read(input);
      if (this.#coverage === null) continue;
      const { steps, fresh } = this.#coverage.take(false);
      // If all together took less than the least may, none took too many.
      if (fresh === 0 && steps <= this.#target.steps.base) continue;
      for (const input of batch) {
        if (this.#look(input) > 0 && input.length <= KEPT_BYTES) this.#keep(input);
      }
    }
    return {
      runs: this.#runs,
      taken: this.#taken,
      kept: this.#inputs.length - this.#seeds,
      blocks: this.#coverage?.blocks ?? 0,
      mostSteps: this.#mostSteps,
      mostMemory: this.#mostMemory,
    };
  }

  /** One input by itself. @returns blocks that it is the first to reach */
  #look(input: Uint8Array): number {
    this.#read(input);
    const { steps, fresh } = this.#coverage?.take(true) ?? { steps: 0, fresh: 0 };
    const part = steps / allowed(this.#target.steps, input);
    this.#mostSteps = Math.max(this.#mostSteps, part);
    if (part > 1) {
      throw new Finding(this.#target.name, `${steps} steps for ${input.length} bytes`, input, undefined);
    }
    return fresh;
  }

  #read(input: Uint8Array): void {
    this.#runs++;
    const { name, read, memory } = this.#target;
    const before = heldBytes();
    try {
      read(input);
      this.#taken++;
    } catch (error) {
      if (!(error instanceof GodwitError)) throw new Finding(name, messageOf(error), input, error);
    }
    // A collection in between makes it less, never more.
    const held = heldBytes() - before;
    this.#mostMemory = Math.max(this.#mostMemory, held / allowed(memory, input));
    if (held > allowed(memory, input)) {
      throw new Finding(name, `${held} bytes of memory for ${input.length} bytes`, input, undefined);
    }
  }

  #made(): Uint8Array {
    let input = this.#any();
    const changes = 1 + this.#random.below(CHANGES_AT_ONCE);
    for (let i = 0; i < changes; i++) input = this.#target.mutate(this.#random, input, this.#any());
    return input;
  }

  #any(): Uint8Array {
    return this.#inputs[this.#random.below(this.#inputs.length)]!;
  }

  #keep(input: Uint8Array): void {
    if (this.#inputs.length < this.#seeds + KEPT_INPUTS) this.#inputs.push(input);
    else this.#inputs[this.#seeds + this.#random.below(KEPT_INPUTS)] = input;
  }
}
