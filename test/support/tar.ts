/** Reading of tar archives: that of the compiler's headers and those of npm packages. */
import path from 'node:path';

export interface TarEntry {
  readonly name: string;
  readonly directory: boolean;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;

/** Of entries that describe the next one or all (pax): nothing in the archives that are read here needs them. */
const HEADERS = new Set(['x', 'g']);

/**
 * @returns the files and directories of a POSIX ustar archive (pax: "ustar Interchange Format")
 * @throws Error if there is something else in it, such as a link
 */
export function* tarEntries(tar: Buffer): Generator<TarEntry> {
  const text = (at: number, length: number) => tar.toString('utf8', at, at + length).replace(/\0.*$/s, '');
  for (let at = 0; tar[at] !== 0 && at < tar.length;) {
    const prefix = text(at + 345, 155);
    const size = Number.parseInt(text(at + 124, 12), 8);
    const type = text(at + 156, 1);
    if (!['', '0', '5'].includes(type) && !HEADERS.has(type))
      throw new Error(`${text(at, 100)}: entry of type ${type}`);
    const bytes = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (!HEADERS.has(type)) yield { name: path.posix.join(prefix, text(at, 100)), directory: type === '5', bytes };
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}
