/**
 * A regular file (or a device that is neither terminal nor /dev/null) as a standard stream.
 *
 * The operating system keeps the position, shared with the shell and whoever else has the descriptor. Where its lseek
 * cannot be had (vfs/native.ts), that is so until the program seeks: from then on the position is kept here, and the
 * shared one stays behind.
 */
import fs from 'node:fs';
import { ERRNO } from '../../abi/errno.ts';
import { FileType, Whence } from '../../abi/types.ts';
import type { StdioPort } from '../../node/daemon.ts';
import type { DescriptorInfo } from './fdinfo.ts';
import { systemPosition } from './fdinfo.ts';
import { errnoOf } from './errno.ts';
import { fileEnd } from './file-end.ts';
import { nativeCalls } from '../../vfs/native.ts';
import { statPort } from './stat.ts';

export function filePort(fd: number, info: DescriptorInfo): StdioPort {
  /** null: the operating system's. */
  let position: bigint | null = null;
  /** What has passed through here, where the operating system does not tell its position. */
  let passed = 0n;
  const advance = (count: number): void => {
    passed += BigInt(count);
    if (position !== null) position += BigInt(count);
  };

  return {
    ...info,
    file: info.kind === 'file' ? fileEnd(fd, info) : undefined,
    read(max, done) {
      const bytes = new Uint8Array(max);
      fs.read(fd, bytes, 0, max, position, (error, count) => {
        if (error) return done({ errno: errnoOf(error) });
        advance(count);
        return done({ value: bytes.subarray(0, count) });
      });
    },
    // Nothing has to be waited for.
    hurry: () => {},
    write(bytes, done) {
      fs.write(fd, bytes, 0, bytes.length, position === null ? null : Number(position), (error, count) => {
        if (error) return done({ errno: errnoOf(error) });
        advance(count);
        return done({ value: count });
      });
    },
    seek(offset, whence, done) {
      if (info.kind !== 'file') return queueMicrotask(() => done({ errno: ERRNO.spipe }));
      const system = nativeCalls();
      if (system !== null && whence <= Whence.end) {
        const at = system.lseek(fd, offset, whence);
        const moved = typeof at === 'bigint' && at >= 0n;
        // Of a regular file that is open, a position below 0 is all that can be wrong.
        return queueMicrotask(() => done(moved ? { value: at } : { errno: ERRNO.inval }));
      }
      return fs.fstat(fd, { bigint: true }, (error, { size }) => {
        if (error) return done({ errno: errnoOf(error) });
        const here = position ?? systemPosition(fd) ?? passed;
        const bases: Readonly<Record<number, bigint>> = { [Whence.set]: 0n, [Whence.cur]: here, [Whence.end]: size };
        const base = bases[whence];
        if (base === undefined || base + offset < 0n) return done({ errno: ERRNO.inval });
        const target = base + offset;
        // A mere question for the position leaves it with the operating system.
        if (target !== here) position = target;
        return done({ value: target });
      });
    },
    stat: statPort(fd, FileType.regularFile),
  };
}
