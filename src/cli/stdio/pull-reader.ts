/**
 * Reads a terminal, pipe or socket only when asked, and at most as much as asked, so that input which the program
 * does not take is left to whoever reads next (`(godwit run a; cat)`).
 *
 * `fs.read` would do the same but sits in a thread of Node's pool that cannot be called back: the command would hang
 * at its end until somebody typed another line, and then swallow it. Hence a stream whose handle gets a buffer of
 * exactly the wanted size and is stopped after every read.
 */
import net from 'node:net';
import tty from 'node:tty';
import { ERRNO } from '../../abi/errno.ts';
import { afterNextLook } from '../../node/event-loop.ts';
import type { Settled } from '../../vfs/openfile.ts';
import { errnoOf } from './errno.ts';

type Done = (result: Settled<Uint8Array>) => void;

/** The part of a stream's handle that node:net keeps to itself; looked for before it is used. */
interface BufferedHandle {
  useUserBuffer?: (buffer: Uint8Array) => void;
}

export class PullReader {
  readonly #fd: number;
  #stream: net.Socket | null = null;
  #buffer = new Uint8Array();
  #done: Done | null = null;
  #last: Settled<Uint8Array> | null = null;

  /** @param fd of a terminal, pipe or socket */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** At most `max` bytes; empty at the end. One read at a time. */
  read(max: number, done: Done): void {
    const last = this.#last;
    if (last) {
      queueMicrotask(() => done(last));
      return;
    }
    this.#done = done;
    if (!this.#stream) {
      this.#buffer = new Uint8Array(max);
      this.#stream = this.#open();
    } else if (this.#buffer.length !== max) {
      // The buffer for this read was set at the end of the last one, in the size of that.
      // Node has no public way to set it, and so no type for this one.
      const handle = (this.#stream as unknown as { _handle?: BufferedHandle | null })._handle;
      this.#buffer = new Uint8Array(max);
      handle?.useUserBuffer?.(this.#buffer);
    }
    const stream = this.#stream;
    stream.resume();
    stream.read(0);
  }

  /** Answers the read that is under way with what is there now, be it the end, or the errno `again`. */
  hurry(): void {
    const done = this.#done;
    if (!done) return;
    afterNextLook(() => {
      if (this.#done !== done) return;
      // What comes from now on stays where it is.
      this.#stream?.pause();
      this.#settle({ errno: ERRNO.again });
    });
  }

  #open(): net.Socket {
    const options = {
      readable: true,
      writable: false,
      manualStart: true,
      onread: {
        buffer: () => (this.#buffer = new Uint8Array(this.#buffer.length)),
        callback: (count: number) => {
          this.#settle({ value: this.#buffer.subarray(0, count) });
          return false;
        },
      },
    };
    const terminal = tty.isatty(this.#fd);
    const stream = terminal ? new tty.ReadStream(this.#fd, options) : new net.Socket({ fd: this.#fd, ...options });
    stream.on('end', () => {
      const end = { value: new Uint8Array() };
      // Ctrl-D on a terminal ends one read; the next one waits for input again, with a stream of its own.
      if (terminal) this.#stream = null;
      else this.#last = end;
      this.#settle(end);
    });
    // After a hangup of the terminal every read fails with EIO, which is what the program is to see.
    stream.on('error', (error) => this.#settle((this.#last = { errno: errnoOf(error) })));
    stream.on('close', () => {
      if (this.#stream === stream) this.#settle((this.#last ??= { errno: ERRNO.io }));
    });
    return stream;
  }

  #settle(result: Settled<Uint8Array>): void {
    const done = this.#done;
    this.#done = null;
    done?.(result);
  }
}
