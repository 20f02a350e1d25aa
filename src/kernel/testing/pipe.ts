/**
 * A pipe: bytes go in at one end and come out at the other in their order.
 *
 * Writes of at most PIPE_BUF bytes are never torn apart, longer ones may be mixed with those of other writers. Readers
 * and writers that wait are served in the order in which they came. Specification: POSIX, pipe, read, write.
 */
import { ERRNO, ErrnoError } from '../../abi/errno.ts';
import { gather, totalLength } from '../../abi/memory.ts';
import { FdFlags, type FileStat, FileType } from '../../abi/types.ts';
import { LIMITS } from '../../base/limits.ts';
import { Waiting } from '../../base/waiting.ts';
import type { Maybe, OpenFile, Readiness, Settled } from '../../vfs/openfile.ts';
import { refuse } from '../maybe.ts';
import { NoFile } from '../no-file.ts';

/** POSIX asks for 512 at least; Linux has 4096. */
export const PIPE_BUF = 4096;

interface Reader {
  readonly buffers: readonly Uint8Array[];
  readonly waiting: Waiting<Settled<number>>;
}

interface Writer {
  readonly bytes: Uint8Array;
  written: number;
  readonly waiting: Waiting<Settled<number>>;
}

interface Poller {
  readonly direction: 'read' | 'write';
  readonly waiting: Waiting<Settled<Readiness>>;
}

/** What both ends share. */
class Pipe {
  readonly capacity: number;
  /** A ring. */
  readonly #bytes: Uint8Array;
  #start = 0;
  #length = 0;
  #readable = true;
  #writable = true;
  readonly #readers = new Set<Reader>();
  readonly #writers = new Set<Writer>();
  readonly #pollers = new Set<Poller>();

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  read(buffers: readonly Uint8Array[], nonblock: boolean): Maybe<number> {
    if (totalLength(buffers) === 0) return 0;
    // Whoever waits came first, and has found the pipe empty.
    if (this.#length > 0) {
      const count = this.#takeInto(buffers);
      this.#settle();
      return count;
    }
    if (!this.#writable) return 0;
    if (nonblock) refuse('again');
    const reader: Reader = {
      buffers,
      waiting: new Waiting<Settled<number>>(() => {
        this.#readers.delete(reader);
      }),
    };
    this.#readers.add(reader);
    return reader.waiting;
  }

  write(bytes: Uint8Array, nonblock: boolean): Maybe<number> {
    if (bytes.length === 0) return 0;
    if (!this.#readable) refuse('pipe');
    const writer: Writer = {
      bytes,
      written: 0,
      waiting: new Waiting<Settled<number>>(() => {
        this.#writers.delete(writer);
        if (writer.written > 0) writer.waiting.settle({ value: writer.written });
        this.#settle();
      }),
    };
    this.#writers.add(writer);
    this.#settle();
    if (writer.written === bytes.length) return bytes.length;
    if (!nonblock) return writer.waiting;
    this.#writers.delete(writer);
    return writer.written > 0 ? writer.written : refuse('again');
  }

  poll(direction: 'read' | 'write'): Maybe<Readiness> {
    const ready = this.#readiness(direction);
    if (ready !== null) return ready;
    const poller: Poller = {
      direction,
      waiting: new Waiting<Settled<Readiness>>(() => {
        this.#pollers.delete(poller);
      }),
    };
    this.#pollers.add(poller);
    return poller.waiting;
  }

  /** The last descriptor of the reading end is gone: writers get EPIPE, and what they wrote is dropped. */
  closeReading(): void {
    this.#readable = false;
    this.#length = 0;
    for (const writer of this.#writers) {
      this.#writers.delete(writer);
      writer.waiting.settle(writer.written > 0 ? { value: writer.written } : { errno: ERRNO.pipe });
    }
    this.#tellPollers();
  }

  /** The last descriptor of the writing end is gone: readers get what is left, then the end. */
  closeWriting(): void {
    this.#writable = false;
    for (const reader of this.#readers) {
      this.#readers.delete(reader);
      reader.waiting.settle({ value: 0 });
    }
    this.#tellPollers();
  }

  /** Moves bytes from writers to readers through the ring until nothing moves any more. */
  #settle(): void {
    for (let moved = true; moved;) {
      moved = this.#serveWriter();
      if (this.#serveReader()) moved = true;
    }
    this.#tellPollers();
  }

  /** Lets the first writer put in what it may. @returns whether anything changed */
  #serveWriter(): boolean {
    const [writer] = this.#writers;
    if (writer === undefined) return false;
    const rest = writer.bytes.subarray(writer.written);
    const room = this.capacity - this.#length;
    if (room === 0 || (writer.bytes.length <= PIPE_BUF && room < rest.length)) return false;
    writer.written += this.#put(rest.subarray(0, room));
    if (writer.written === writer.bytes.length) {
      this.#writers.delete(writer);
      writer.waiting.settle({ value: writer.written });
    }
    return true;
  }

  #serveReader(): boolean {
    const [reader] = this.#readers;
    if (reader === undefined || this.#length === 0) return false;
    this.#readers.delete(reader);
    reader.waiting.settle({ value: this.#takeInto(reader.buffers) });
    return true;
  }

  #put(bytes: Uint8Array): number {
    const end = (this.#start + this.#length) % this.capacity;
    const first = bytes.subarray(0, this.capacity - end);
    this.#bytes.set(first, end);
    this.#bytes.set(bytes.subarray(first.length), 0);
    this.#length += bytes.length;
    return bytes.length;
  }

  #takeInto(buffers: readonly Uint8Array[]): number {
    let count = 0;
    for (const buffer of buffers) {
      let filled = 0;
      while (filled < buffer.length && this.#length > 0) {
        const run = Math.min(buffer.length - filled, this.#length, this.capacity - this.#start);
        buffer.set(this.#bytes.subarray(this.#start, this.#start + run), filled);
        this.#start = (this.#start + run) % this.capacity;
        this.#length -= run;
        filled += run;
      }
      count += filled;
    }
    return count;
  }

  #readiness(direction: 'read' | 'write'): Readiness | null {
    if (direction === 'read') {
      return this.#length > 0 || !this.#writable ? { bytes: BigInt(this.#length), hangup: !this.#writable } : null;
    }
    if (!this.#readable) return { bytes: 0n, hangup: true };
    const room = this.capacity - this.#length;
    // With less room a write of PIPE_BUF bytes would wait.
    return room >= PIPE_BUF && this.#writers.size === 0 ? { bytes: BigInt(room), hangup: false } : null;
  }

  #tellPollers(): void {
    for (const poller of this.#pollers) {
      const readiness = this.#readiness(poller.direction);
      if (readiness === null) continue;
      this.#pollers.delete(poller);
      poller.waiting.settle({ value: readiness });
    }
  }
}

/** One end: an open file that refuses what is the other end's. */
class PipeEnd extends NoFile implements OpenFile {
  /** Preview 1 has no type for a pipe. */
  readonly filetype = FileType.unknown;
  flags = 0;
  readonly #pipe: Pipe;
  readonly #direction: 'read' | 'write';

  constructor(pipe: Pipe, direction: 'read' | 'write') {
    super();
    this.#pipe = pipe;
    this.#direction = direction;
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    if (position !== null) refuse('spipe');
    if (this.#direction !== 'read') refuse('badf');
    return this.#pipe.read(buffers, this.#nonblock);
  }

  /** At most LIMITS.homeCallBytes at once. Waits until all is written, unless it is withdrawn or may not wait. */
  write(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    if (position !== null) refuse('spipe');
    if (this.#direction !== 'write') refuse('badf');
    return this.#pipe.write(gather(buffers, LIMITS.homeCallBytes), this.#nonblock);
  }

  seek(): never {
    return refuse('spipe');
  }

  stat(): FileStat {
    const size = BigInt(this.#pipe.length);
    return { dev: 0n, ino: 0n, filetype: this.filetype, nlink: 1n, size, atim: 0n, mtim: 0n, ctim: 0n };
  }

  setFlags(flags: number): void {
    if ((flags & ~FdFlags.nonblock) !== 0) refuse('notsup');
    this.flags = flags;
  }

  poll(direction: 'read' | 'write'): Maybe<Readiness> {
    if (direction !== this.#direction) throw new ErrnoError(ERRNO.badf);
    return this.#pipe.poll(direction);
  }

  close(): void {
    if (this.#direction === 'read') this.#pipe.closeReading();
    else this.#pipe.closeWriting();
  }

  get #nonblock(): boolean {
    return (this.flags & FdFlags.nonblock) !== 0;
  }
}

/** @param capacity in bytes, at least PIPE_BUF */
export function makePipe(capacity: number = LIMITS.pipeBytes): {
  readonly reader: OpenFile;
  readonly writer: OpenFile;
} {
  const pipe = new Pipe(capacity);
  return { reader: new PipeEnd(pipe, 'read'), writer: new PipeEnd(pipe, 'write') };
}
