/**
 * File attributes between Node and preview 1.
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { FileType } from '../abi/types.ts';
import type { FileStat } from '../abi/types.ts';

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
