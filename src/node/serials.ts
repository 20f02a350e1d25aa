/**
 * Which pids a node has given, across restarts: a new daemon must not soon give a pid that people or other nodes still
 * know from the one before. The file holds the end of a block of serials; a block is noted before its first is used,
 * so a crash costs numbers, never uniqueness.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { PIDS_PER_NODE } from '../base/ids.ts';
import { stateFailure } from './paths.ts';

const BLOCK = 256;

const wrap = (serial: number): number => (serial >= PIDS_PER_NODE ? 1 : serial);

export class PidSerials {
  readonly #file: string;
  /** The serial to begin with. */
  readonly first: number;
  #end: number;
  /** The block has come to its end, and the next one could not be noted. */
  #overdue = false;

  /** @param file where the end of the present block is kept. @throws GodwitError `io` */
  constructor(file: string) {
    this.#file = file;
    this.first = wrap(stored(file));
    this.#end = this.#reserve(this.first);
  }

  /** The next serial to be given is this one. @throws GodwitError `io` if that cannot be noted: it must not be given */
  used(next: number): void {
    if (next !== this.#end && !this.#overdue) return;
    this.#overdue = true;
    this.#end = this.#reserve(next);
    this.#overdue = false;
  }

  #reserve(from: number): number {
    const end = wrap(from + BLOCK);
    const temporary = `${this.#file}.new`;
    try {
      writeFileSync(temporary, `${end}\n`, { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch (error) {
      throw stateFailure(this.#file, error);
    }
    return end;
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
