/**
 * The last lines of one log, numbered from 1, so that a reader who comes too late for some is told how many.
 */
import { assert } from '../base/assert.ts';
import { LIMITS } from '../base/limits.ts';
import type { LogLine } from './daemon.ts';

export interface KeptLine extends LogLine {
  /** Of its place in the log, from 1. */
  readonly number: number;
  /** The process that a line of the node's own log is about; null: none. */
  readonly pid: number | null;
}

/** What there is behind a cursor. */
export interface Kept {
  /** Lines behind the cursor that are not kept any more. */
  readonly missing: number;
  /** The number of the newest line of all; 0: there has been none. */
  readonly last: number;
  /** All that come behind those. */
  readonly lines: readonly KeptLine[];
}

export class KeptLines {
  /** By number. No array: to take its first line moves all others, and a program can write 65,536 lines at once. */
  readonly #lines = new Map<number, KeptLine>();
  /** The number of the oldest line that is kept. */
  #first = 1;
  #units = 0;

  /** What the lines take: UTF-16 units, and LIMITS.logEntryUnits for each. */
  get units(): number {
    return this.#units;
  }

  add(line: LogLine, pid: number | null): void {
    const number = this.#first + this.#lines.size;
    this.#lines.set(number, { ...line, pid, number });
    this.#units += unitsOf(line);
    while (this.#lines.size > LIMITS.logLines || this.#units > LIMITS.logUnits) this.#drop(1);
  }

  /** How many lines are kept. */
  get count(): number {
    return this.#lines.size;
  }

  /** Makes room for other logs: the older half goes, the only line too. */
  dropHalf(): void {
    this.#drop((this.#lines.size + 1) >> 1);
  }

  /** @param after the number of the last line that is known; 0: none */
  after(after: number): Kept {
    const first = Math.max(after + 1, this.#first);
    const last = this.#first + this.#lines.size - 1;
    const lines: KeptLine[] = [];
    for (let number = first; number <= last; number++) lines.push(this.#at(number));
    return { missing: first - after - 1, last, lines };
  }

  #at(number: number): KeptLine {
    const line = this.#lines.get(number);
    assert(line, `line ${number} is kept`);
    return line;
  }

  #drop(count: number): void {
    for (let left = count; left > 0; left--) {
      this.#units -= unitsOf(this.#at(this.#first));
      this.#lines.delete(this.#first++);
    }
  }
}

const unitsOf = ({ text }: LogLine): number => text.length + LIMITS.logEntryUnits;
