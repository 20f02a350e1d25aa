/**
 * A standard stream of a process: its end at the user is a terminal, a pipe, a file, a socket or /dev/null, on this
 * machine or behind the control socket; here it is an open file that says truly what it is.
 *
 * Input is asked for only when the program reads, and no more than it reads, so that what it does not take is left to
 * the next program (`(godwit run a; cat)`). poll_oneoff cannot know of input without asking for it; what it asked for
 * and the program never read is gone, as with any program that buffers its input.
 */
import { gather, scatter, totalLength } from '../abi/memory.ts';
import { FdFlags, FileType, Whence, type FileStat } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { Waiting } from '../base/waiting.ts';
import { checkAdvice } from '../vfs/advice.ts';
import type { Maybe, NewTime, OpenFile, Readiness, Settled } from '../vfs/openfile.ts';
import type { FileEnd } from './file-end.ts';
import { Inlet, type Source } from './inlet.ts';
import { mapMaybe, refuse } from './maybe.ts';
import { Outlet, type Sink } from './outlet.ts';
import { type RightsPair, streamRights } from './rights.ts';

interface StreamKind {
  readonly filetype: FileType;
  readonly seekable: boolean;
  /** The end of input is final. */
  readonly finalEnd: boolean;
  /** Reading and writing never waits for long, as on a regular file: always ready, O_NONBLOCK means nothing. */
  readonly prompt: boolean;
}

/**
 * What each kind is to the program. Preview 1 has no type for a pipe (wasmtime and Node say unknown too). A device
 * that is no terminal can be sought: without these rights wasi-libc would take it for a terminal.
 */
const STREAM_KINDS = {
  terminal: { filetype: FileType.characterDevice, seekable: false, finalEnd: false, prompt: false },
  pipe: { filetype: FileType.unknown, seekable: false, finalEnd: true, prompt: false },
  socket: { filetype: FileType.socketStream, seekable: false, finalEnd: true, prompt: false },
  file: { filetype: FileType.regularFile, seekable: true, finalEnd: false, prompt: true },
  null: { filetype: FileType.characterDevice, seekable: true, finalEnd: false, prompt: true },
  device: { filetype: FileType.characterDevice, seekable: true, finalEnd: false, prompt: true },
} as const satisfies Readonly<Record<string, StreamKind>>;

export type StreamKindName = keyof typeof STREAM_KINDS;

/** The user's side of a stream. Callbacks come exactly once each; at most one read and one write are under way. */
export interface StreamEnd extends Source, Sink {
  readonly kind: StreamKindName;
  /** witx `fdflags` at the start. */
  readonly flags: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Of a regular file, if it can do what other files can. */
  readonly file?: FileEnd | undefined;
  /** The new position from the start; `whence` as in witx. */
  seek(offset: bigint, whence: number, done: (result: Settled<bigint>) => void): void;
  stat(done: (result: Settled<FileStat>) => void): void;
}

/** Longest line of a terminal (Linux: N_TTY_BUF_SIZE), so that a poll takes the line that it finds as a whole. */
const POLL_BYTES = 4096;

interface UnderWaySeek {
  readonly offset: bigint;
  readonly whence: number;
  readonly result: Waiting<Settled<bigint>>;
}

export class StreamFile implements OpenFile {
  readonly hostFd = null;
  readonly filetype: FileType;
  flags: number;
  readonly #end: StreamEnd;
  readonly #kind: StreamKind;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  #orphanedSeek: UnderWaySeek | null = null;

  constructor(end: StreamEnd) {
    this.#end = end;
    this.#kind = STREAM_KINDS[end.kind];
    this.filetype = this.#kind.filetype;
    this.flags = end.flags;
    this.#inlet = new Inlet(end, { finalEnd: this.#kind.finalEnd, pollBytes: POLL_BYTES });
    this.#outlet = new Outlet(end);
  }

  /** The rights that a descriptor of this stream starts with. */
  get rights(): RightsPair {
    return streamRights(this.#end.readable, this.#end.writable, this.#kind.seekable, this.#end.file !== undefined);
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    if (position !== null) return this.#readAt(this.#file('spipe'), buffers, position);
    return this.#inlet.read(buffers, { nonblock: this.#nonblock, peek: false, all: false });
  }

  write(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    const bytes = gather(buffers, LIMITS.pipeBytes);
    if (position === null) return this.#outlet.write(bytes, this.#nonblock);
    const file = this.#file('spipe');
    // In the order of the other writes, and like them exactly once if it is withdrawn.
    return this.#outlet.write(bytes, false, {
      write: (rest, done) => file.writeAt(position + BigInt(bytes.length - rest.length), rest, done),
    });
  }

  #readAt(file: FileEnd, buffers: readonly Uint8Array[], position: bigint): Maybe<number> {
    const max = Math.min(totalLength(buffers), LIMITS.pipeBytes);
    if (max === 0) return 0;
    const bytes = this.#afterWrites<Uint8Array>((done) => file.readAt(position, max, done));
    return mapMaybe(bytes, (bytes) => scatter(bytes, buffers));
  }

  /**
   * A seek that is under way at the user cannot be taken back, and to make a relative one twice would be wrong: if it
   * is withdrawn, the next seek like it, which is the same call made again, gets its result.
   */
  seek(offset: bigint, whence: number): Maybe<bigint> {
    if (!this.#kind.seekable) refuse('spipe');
    const left = this.#orphanedSeek;
    const isAgain = left !== null && left.offset === offset && left.whence === whence;
    if (isAgain) this.#orphanedSeek = null;
    const result = isAgain ? left.result : this.#startSeek(offset, whence);
    const waiting = new Waiting<Settled<bigint>>(() => {
      this.#orphanedSeek = { offset, whence, result };
    });
    result.whenDone((position) => waiting.settle(position));
    return waiting;
  }

  /**
   * After a read that is under way and after writes that were withdrawn, as these move the position; bytes that are
   * here already do not count as read.
   */
  #startSeek(offset: bigint, whence: number): Waiting<Settled<bigint>> {
    const underWay = new Waiting<Settled<bigint>>(() => {});
    const seek = () => {
      const ahead = BigInt(this.#inlet.drop());
      this.#end.seek(whence === Whence.cur ? offset - ahead : offset, whence, (result) => underWay.settle(result));
    };
    this.#inlet.whenQuiet(() => this.#outlet.whenIdle(seek));
    return underWay;
  }

  stat(): Maybe<FileStat> {
    const waiting = new Waiting<Settled<FileStat>>(() => {});
    const ask = () => this.#end.stat((result) => waiting.settle(result));
    // What was written counts in the size of a file, also if the write was withdrawn; a pipe may be full for long.
    if (this.#kind.seekable) this.#outlet.whenIdle(ask);
    else ask();
    return waiting;
  }

  // These are asked for anew if they are withdrawn: twice is the same as once.

  setSize(size: bigint): Maybe<void> {
    const file = this.#file('inval');
    return this.#afterWrites((done) => file.setSize(size, done));
  }

  setTimes(atim: NewTime, mtim: NewTime): Maybe<void> {
    const file = this.#file('notsup');
    return this.#afterWrites((done) => file.setTimes(atim, mtim, done));
  }

  allocate(offset: bigint, length: bigint): Maybe<void> {
    const file = this.#file('spipe');
    return this.#afterWrites((done) => file.allocate(offset, length, done));
  }

  advise(offset: bigint, length: bigint, advice: number): void {
    this.#file('spipe');
    checkAdvice(offset, length, advice);
  }

  sync(dataOnly: boolean): Maybe<void> {
    const file = this.#file('inval');
    return this.#afterWrites((done) => file.sync(dataOnly, done));
  }

  /** @param errno of a stream that is no file */
  #file(errno: 'spipe' | 'inval' | 'notsup'): FileEnd {
    return this.#end.file ?? refuse(this.#kind.seekable ? 'notsup' : errno);
  }

  /** Asks the user's side once all that was accepted is written. Withdrawing leaves the answer to nobody. */
  #afterWrites<T>(ask: (done: (result: Settled<T>) => void) => void): Waiting<Settled<T>> {
    const waiting = new Waiting<Settled<T>>(() => {});
    this.#outlet.whenIdle(() => ask((result) => waiting.settle(result)));
    return waiting;
  }

  /** Only O_NONBLOCK can be changed: the other flags are the user's. */
  setFlags(flags: number): void {
    if (((flags ^ this.flags) & ~FdFlags.nonblock) !== 0) refuse('notsup');
    this.flags = flags;
  }

  poll(direction: 'read' | 'write'): Maybe<Readiness> {
    if (direction === 'write') return this.#outlet.poll();
    return this.#kind.prompt ? { bytes: BigInt(Math.max(1, this.#inlet.kept)), hangup: false } : this.#inlet.poll();
  }

  whenKnown(known: () => void): void {
    if (this.#kind.prompt) known();
    else this.#inlet.whenKnown(known);
  }

  /** What was accepted is still written: {@link whenFlushed}. */
  close(): void {
    this.#outlet.end();
  }

  /** Calls back once all output that was accepted has been written or has failed: at once, or later. */
  whenFlushed(flushed: () => void): void {
    this.#outlet.whenIdle(flushed);
  }

  get #nonblock(): boolean {
    return !this.#kind.prompt && (this.flags & FdFlags.nonblock) !== 0;
  }
}
