/** The standard streams of a guest that a benchmark talks with, line by line. */
import { nullPort } from '../../src/node/null-stdio.ts';
import { ERRNO } from '../../src/abi/errno.ts';
import type { RunIo, StdioPort } from '../../src/node/daemon.ts';

type Read = Parameters<StdioPort['read']>;

/** Not a queue for everyone: one line at a time is asked for, and one read is under way. */
export class Conversation {
  #input = '';
  #reader: Read | null = null;
  #output = '';
  #listener: PromiseWithResolvers<string> | null = null;

  /** For `Daemon.run`. */
  get io(): RunIo {
    const stdin: StdioPort = {
      ...nullPort('null'),
      kind: 'pipe',
      writable: false,
      read: (...read) => this.#read(read),
    };
    const stdout: StdioPort = {
      ...nullPort('null'),
      kind: 'pipe',
      readable: false,
      write: (bytes, done) => {
        this.#output += Buffer.from(bytes).toString('latin1');
        queueMicrotask(() => done({ value: bytes.length }));
        this.#deliver();
      },
      seek: (_offset, _whence, done) => queueMicrotask(() => done({ errno: ERRNO.spipe })),
    };
    return { stdin, stdout, stderr: nullPort('null'), terminal: null };
  }

  /** Gives the guest a line of input. */
  say(line: string): void {
    this.#input += `${line}\n`;
    this.#feed();
  }

  /** The next line of its output. Never comes if the guest ends: the caller watches that. */
  hear(): Promise<string> {
    const listener = Promise.withResolvers<string>();
    this.#listener = listener;
    this.#deliver();
    return listener.promise;
  }

  #read(read: Read): void {
    this.#reader = read;
    queueMicrotask(() => this.#feed());
  }

  #feed(): void {
    if (this.#reader === null || this.#input === '') return;
    const [max, done] = this.#reader;
    this.#reader = null;
    const bytes = Buffer.from(this.#input.slice(0, max), 'latin1');
    this.#input = this.#input.slice(bytes.length);
    done({ value: bytes });
  }

  #deliver(): void {
    const end = this.#output.indexOf('\n');
    if (this.#listener === null || end === -1) return;
    const line = this.#output.slice(0, end);
    this.#output = this.#output.slice(end + 1);
    const listener = this.#listener;
    this.#listener = null;
    listener.resolve(line);
  }
}
