/** `fstat` of a standard descriptor in the form that programs see. */
import fs from 'node:fs';
import { FileType } from '../../abi/types.ts';
import type { StdioPort } from '../../node/daemon.ts';
import { errnoOf } from './errno.ts';

function fileType(stat: fs.BigIntStats, otherwise: FileType): FileType {
  if (stat.isFile()) return FileType.regularFile;
  if (stat.isDirectory()) return FileType.directory;
  if (stat.isCharacterDevice()) return FileType.characterDevice;
  if (stat.isBlockDevice()) return FileType.blockDevice;
  return stat.isSocket() ? FileType.socketStream : otherwise;
}

/** @param otherwise the type of what witx has no word for, such as a pipe */
export function statPort(fd: number, otherwise: FileType): StdioPort['stat'] {
  return (done) => {
    fs.fstat(fd, { bigint: true }, (error, stat) => {
      if (error) return done({ errno: errnoOf(error) });
      const { dev, ino, nlink, size, atimeNs: atim, mtimeNs: mtim, ctimeNs: ctim } = stat;
      return done({ value: { dev, ino, nlink, size, atim, mtim, ctim, filetype: fileType(stat, otherwise) } });
    });
  };
}
