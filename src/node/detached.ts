/** The standard streams of a process that nobody is attached to: no input, and output line by line into the log. */
import { ERRNO } from '../abi/errno.ts';
import type { Pid } from '../base/ids.ts';
import type { RunIo, StdioPort } from './daemon.ts';
import { LineCutter, type LogBook } from './log-book.ts';
import { nullPort } from './null-stdio.ts';

const refuse = { errno: ERRNO.badf };

const input: StdioPort = {
  ...nullPort('null'),
  writable: false,
  write: (_bytes, done) => queueMicrotask(() => done(refuse)),
};

export interface DetachedIo {
  readonly io: RunIo;
  /** From here on output belongs to this process. */
  started(pid: Pid): void;
  /** Unfinished lines are told as they are, and readers that wait for more are woken. */
  ended(): void;
}

export function detachedIo(book: LogBook): DetachedIo {
  const log = book.detached();
  const output = (level: 'stdout' | 'stderr'): { readonly port: StdioPort; readonly cutter: LineCutter } => {
    const cutter = new LineCutter((text) => log.add(level, text));
    const port: StdioPort = {
      ...input,
      kind: 'pipe',
      readable: false,
      writable: true,
      read: (_max, done) => queueMicrotask(() => done(refuse)),
      seek: (_offset, _whence, done) => queueMicrotask(() => done({ errno: ERRNO.spipe })),
      write(bytes, done) {
        cutter.push(bytes);
        queueMicrotask(() => done({ value: bytes.length }));
      },
    };
    return { port, cutter };
  };
  const stdout = output('stdout');
  const stderr = output('stderr');
  return {
    io: { stdin: input, stdout: stdout.port, stderr: stderr.port, terminal: null },
    started: (pid) => log.started(pid),
    ended() {
      stdout.cutter.end();
      stderr.cutter.end();
      log.ended();
    },
  };
}
