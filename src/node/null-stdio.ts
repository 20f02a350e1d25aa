/** Standard streams that lead nowhere: `/dev/null`, and descriptors that are not open. */
import { ERRNO } from '../abi/errno.ts';
import { FileType, type FileStat } from '../abi/types.ts';
import type { RunIo, StdioPort } from './daemon.ts';

const STAT: FileStat = {
  dev: 0n,
  ino: 0n,
  filetype: FileType.characterDevice,
  nlink: 1n,
  size: 0n,
  atim: 0n,
  mtim: 0n,
  ctim: 0n,
};

/** Answers here, without asking the client: input is at its end and output vanishes, or all fails with EBADF. */
export function nullPort(kind: 'null' | 'closed'): StdioPort {
  const open = kind === 'null';
  const answer = <T>(value: T) => (open ? { value } : { errno: ERRNO.badf });
  return {
    kind,
    flags: 0,
    readable: open,
    writable: open,
    read: (_max, done) => queueMicrotask(() => done(answer(new Uint8Array()))),
    hurry: () => {},
    write: (bytes, done) => queueMicrotask(() => done(answer(bytes.length))),
    seek: (_offset, _whence, done) => queueMicrotask(() => done(answer(0n))),
    stat: (done) => queueMicrotask(() => done(answer(STAT))),
  };
}

/** What a detached process starts with. */
export function nullIo(): RunIo {
  return { stdin: nullPort('null'), stdout: nullPort('null'), stderr: nullPort('null'), terminal: null };
}
