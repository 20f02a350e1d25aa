/**
 * File attributes between Node and preview 1.
 *
 * Times: Node reads them to the nanosecond but sets them through a double in seconds, which around the year 2026
 * has steps of 238 ns; a time set this way may be off by half of that, and by no more than 1 ns up to the year 1970.
 * `now` and "unchanged" are exact: libuv has values of its own for both, which the operating system resolves.
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { FileType } from '../abi/types.ts';
import type { FileStat } from '../abi/types.ts';
import type { NewTime } from './openfile.ts';

const FILE_TYPES: ReadonlyMap<number, FileType> = new Map([
  [constants.S_IFREG, FileType.regularFile],
  [constants.S_IFDIR, FileType.directory],
  [constants.S_IFLNK, FileType.symbolicLink],
  [constants.S_IFCHR, FileType.characterDevice],
  [constants.S_IFBLK, FileType.blockDevice],
  // Of the two kinds of socket a path can name either; the one that almost all are.
  [constants.S_IFSOCK, FileType.socketStream],
  // witx has no type for a FIFO.
  [constants.S_IFIFO, FileType.unknown],
]);

export function fileTypeOf(stats: BigIntStats): FileType {
  return FILE_TYPES.get(Number(stats.mode) & constants.S_IFMT) ?? FileType.unknown;
}

export function fileStatOf(stats: BigIntStats): FileStat {
  return {
    dev: BigInt.asUintN(64, stats.dev),
    ino: BigInt.asUintN(64, stats.ino),
    filetype: fileTypeOf(stats),
    nlink: stats.nlink,
    size: stats.size,
    atim: BigInt.asUintN(64, stats.atimeNs),
    mtim: BigInt.asUintN(64, stats.mtimeNs),
    ctim: BigInt.asUintN(64, stats.ctimeNs),
  };
}

/** `UTIME_OMIT`: libuv's value for it is NaN, which Node lets through only inside a Date. */
const UNCHANGED = new Date(Number.NaN);
/** `UTIME_NOW`: libuv's value for it is infinity, which Node lets through only as a string. */
const NOW = 'Infinity';

/** What the `utimes` functions of Node take for a time. */
export function hostTime(time: NewTime): number | string | Date {
  if (time === null) return UNCHANGED;
  return time === 'now' ? NOW : Number(time) / 1e9;
}
