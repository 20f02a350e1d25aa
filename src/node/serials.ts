/**
 * Which pids a node has given, across restarts: a new daemon must not soon give a pid that people or other nodes still
 * know from the one before. The file holds the end of a block of serials; a block is noted before its first is used,
 * so a crash costs numbers, never uniqueness.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { PIDS_PER_NODE } from '../base/ids.ts';

const BLOCK = 256;

const wrap = (serial: number): number => (serial >= PIDS_PER_NODE ? 1 : serial);

export class PidSerials {
  readonly #file: string;
  /** The serial to begin with. */
  readonly first: number;
  #end: number;

  /** @param file where the end of the present block is kept */
  constructor(file: string) {
    this.#file = file;
    this.first = wrap(stored(file));
    this.#end = this.first;
    this.#reserve();
  }

  /** The next serial to be given is this one. */
  used(next: number): void {
    if (next === this.#end) this.#reserve();
  }

  #reserve(): void {
    this.#end = wrap(this.#end + BLOCK);
    const temporary = `${this.#file}.new`;
    writeFileSync(temporary, `${this.#end}\n`, { mode: 0o600 });
    renameSync(temporary, this.#file);
  }
}

function stored(file: string): number {
  try {
    const serial = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(serial) && serial >= 1 ? serial : 1;
  } catch {
    // The first start of this node.
    return 1;
  }
}
