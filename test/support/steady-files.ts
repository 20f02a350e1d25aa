/**
 * What files say of themselves, made the same in each run of a program: numbers of files in the order in which the
 * program comes to see them, and one moment for all times since the run began. Programs keep the answers in their memory,
 * and what is to be compared is what they make of them. A time that the program itself has set is left alone.
 */
import { DIRENT, FILESTAT } from '../../src/abi/layout.ts';
import type { RawCall } from '../../src/guest/control.ts';

/** Any moment that is in no file of a test. */
const STEADY_NANOS = 1_700_000_000_000_000_000n;
/** File systems take their times from a clock that is up to some milliseconds behind. */
const BEHIND_NANOS = 1_000_000_000n;

export class SteadyFiles {
  readonly #since: bigint;
  readonly #numbers = new Map<bigint, bigint>();

  /** @param began wall clock, in nanoseconds, when the run began */
  constructor(began: bigint) {
    this.#since = began - BEHIND_NANOS;
  }

  /** Changes what a call that succeeded has written into the memory of the program. */
  settle({ name, args }: RawCall, memory: Uint8Array): void {
    const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    const at = (index: number): number => Number(args[index]) >>> 0;
    if (name === 'fd_filestat_get') this.#fileStat(view, at(1));
    else if (name === 'path_filestat_get') this.#fileStat(view, at(4));
    else if (name === 'fd_readdir') this.#entries(view, at(1), view.getUint32(at(4), true));
  }

  #fileStat(view: DataView, at: number): void {
    const stat = FILESTAT.read(view, at);
    const time = (nanos: bigint): bigint => (nanos < this.#since ? nanos : STEADY_NANOS);
    const [atim, mtim, ctim] = [time(stat.atim), time(stat.mtim), time(stat.ctim)];
    FILESTAT.write(view, at, { ...stat, dev: 1n, ino: this.#number(stat.ino), atim, mtim, ctim });
  }

  /** The last entry may be cut off anywhere: a part of a number says nothing. */
  #entries(view: DataView, from: number, bytes: number): void {
    const end = from + bytes;
    let at = from;
    while (at + DIRENT.size <= end) {
      const entry = DIRENT.read(view, at);
      DIRENT.write(view, at, { ...entry, ino: this.#number(entry.ino) });
      at += DIRENT.size + entry.nameLength;
    }
    const number = at + (DIRENT.offsets['ino'] ?? 0);
    for (let byte = number; byte < Math.min(number + 8, end); byte++) view.setUint8(byte, 0);
  }

  #number(ino: bigint): bigint {
    const found = this.#numbers.get(ino) ?? BigInt(this.#numbers.size + 1);
    this.#numbers.set(ino, found);
    return found;
  }
}
