/** A terminal, pipe or socket as a standard stream. */
import net from 'node:net';
import tty from 'node:tty';
import { ERRNO, type Errno } from '../../abi/errno.ts';
import { FileType } from '../../abi/types.ts';
import type { StdioPort } from '../../node/daemon.ts';
import { errnoOf } from './errno.ts';
import type { DescriptorInfo } from './fdinfo.ts';
import { PullReader } from './pull-reader.ts';
import { statPort } from './stat.ts';

/**
 * Only terminals go through process.stdout and process.stderr, which know their size. On a pipe those would block the
 * whole command while the reader is slow, and Ctrl-C with it.
 */
function terminal(fd: number): tty.WriteStream {
  if (fd === 1) return process.stdout;
  return fd === 2 ? process.stderr : new tty.WriteStream(fd);
}

export function streamPort(fd: number, info: DescriptorInfo): StdioPort {
  const reader = new PullReader(fd);
  let output: net.Socket | null = null;
  let broken: Errno | null = null;

  const open = (): net.Socket => {
    const stream = info.kind === 'terminal' ? terminal(fd) : new net.Socket({ fd, readable: false, writable: true });
    stream.on('error', (error) => (broken ??= errnoOf(error)));
    return stream;
  };

  return {
    ...info,
    read: (max, done) => reader.read(max, done),
    hurry: () => reader.hurry(),
    write(bytes, done) {
      if (broken !== null) {
        const errno = broken;
        return queueMicrotask(() => done({ errno }));
      }
      output ??= open();
      return void output.write(bytes, (error) => done(error ? { errno: errnoOf(error) } : { value: bytes.length }));
    },
    seek: (_offset, _whence, done) => queueMicrotask(() => done({ errno: ERRNO.spipe })),
    // A pipe has no type of its own in witx.
    stat: statPort(fd, FileType.unknown),
  };
}
