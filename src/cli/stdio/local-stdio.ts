/** This command's own stdin, stdout and stderr as the streams of a process. */
import tty from 'node:tty';
import { nullPort } from '../../node/null-stdio.ts';
import type { RunIo, StdioPort, TerminalSize } from '../../node/daemon.ts';
import { describeDescriptor } from './fdinfo.ts';
import { filePort } from './file-port.ts';
import { streamPort } from './stream-port.ts';

function localPort(fd: number): StdioPort {
  const info = describeDescriptor(fd);
  switch (info.kind) {
    case 'null':
    case 'closed':
      return nullPort(info.kind);
    case 'file':
    case 'device':
      return filePort(fd, info);
    case 'terminal':
    case 'pipe':
    case 'socket':
      return streamPort(fd, info);
    default:
      return info.kind satisfies never;
  }
}

/** Nothing is read or written before the process asks for it. */
export function localStdio(): RunIo {
  return { stdin: localPort(0), stdout: localPort(1), stderr: localPort(2), terminal: terminalSize() };
}

/** Of the terminal that stdout or stderr is; null if neither is one. */
export function terminalSize(): TerminalSize | null {
  const stream = terminalStream();
  return stream && { columns: stream.columns, rows: stream.rows };
}

/** Calls `changed` at every new size of the terminal, if there is one. */
export function onResize(changed: (size: TerminalSize) => void): void {
  const stream = terminalStream();
  stream?.on('resize', () => changed({ columns: stream.columns, rows: stream.rows }));
}

function terminalStream(): tty.WriteStream | null {
  if (tty.isatty(1)) return process.stdout;
  return tty.isatty(2) ? process.stderr : null;
}
