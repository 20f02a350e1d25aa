/**
 * The listing of a host directory for fd_readdir: a snapshot of the names, so that a cookie (the number of entries
 * before a place) means the same place however the directory changes meanwhile. Inode numbers and types are looked
 * up when an entry is asked for; one that has been removed since is left out.
 */
import { lstatSync, opendirSync } from 'node:fs';
import { decodePath } from '../abi/decode.ts';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import type { DirEntry } from '../abi/types.ts';
import { assert } from '../base/assert.ts';
import { LIMITS } from '../base/limits.ts';
import { fileTypeOf } from './filestat.ts';
import { host } from './hosterror.ts';
import type { Spot } from './spot.ts';

/** Names fetched from the system at once. */
const BATCH = 256;

/**
 * The names in a directory, without `.` and `..`. Names that are not UTF-8 cannot be said in preview 1, so they are
 * left out: no call could reach them.
 * @throws ErrnoError `nomem` for more than LIMITS.directoryEntries, `acces`, `io`
 */
export function listNames(spot: Spot): readonly string[] {
  const names: string[] = [];
  // opendir and not readdir: the limit is met before all names are in memory.
  const directory = host(() =>
    opendirSync(`${spot.path}/`, { encoding: 'buffer' as BufferEncoding, bufferSize: BATCH }),
  );
  try {
    for (;;) {
      const entry = host(() => directory.readSync());
      if (entry === null) return names;
      if (names.length === LIMITS.directoryEntries) throw new ErrnoError(ERRNO.nomem);
      // By the encoding `buffer`, of which Node's types know nothing here.
      const bytes: unknown = entry.name;
      assert(bytes instanceof Uint8Array, 'names are bytes');
      const name = utf8Name(bytes);
      if (name !== null) names.push(name);
    }
  } finally {
    directory.closeSync();
  }
}

function utf8Name(bytes: Uint8Array): string | null {
  try {
    return decodePath(bytes);
  } catch {
    return null;
  }
}

/**
 * The entries behind `cookie`; not even the dots if the directory has been removed (POSIX, rmdir).
 * @param names what {@link listNames} gave
 * @param own whether the directory is to look like its own parent
 */
export function* entriesFrom(spot: Spot, names: readonly string[], cookie: bigint, own: boolean): Generator<DirEntry> {
  if (names.length === 0 && spot.stat().nlink === 0n) return;
  const dots = [
    { name: '.', ino: () => spot.stat().ino },
    { name: '..', ino: () => (own ? spot.stat() : host(() => lstatSync(`${spot.path}/..`, { bigint: true }))).ino },
  ];
  const count = dots.length + names.length;
  for (let at = cookie < count ? Number(cookie) : count; at < count; at++) {
    const next = BigInt(at + 1);
    const dot = dots[at];
    if (dot !== undefined) {
      yield { next, ino: dot.ino(), filetype: FileType.directory, name: dot.name };
      continue;
    }
    const name = names[at - dots.length] ?? '';
    const stats = host(() => lstatSync(`${spot.path}/${name}`, { bigint: true, throwIfNoEntry: false }));
    if (stats !== undefined) yield { next, ino: BigInt.asUintN(64, stats.ino), filetype: fileTypeOf(stats), name };
  }
}
