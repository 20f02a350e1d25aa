/**
 * Sockets: those that listen, which a process is given at its start, and the connections that it accepts. The network
 * itself is behind ListenerEnd and ConnectionEnd, which the node implements.
 *
 * Connections are asked for bytes ahead of the program (there is no one else to leave them to), up to
 * LIMITS.pipeBytes; beyond that the peer is held back.
 */
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { gather } from '../abi/memory.ts';
import { FdFlags, type FileStat, FileType, RiFlags, SdFlags } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Readiness, Settled, Socket } from '../vfs/openfile.ts';
import { Inlet, type Source } from './inlet.ts';
import { mapMaybe, refuse } from './maybe.ts';
import { NoFile } from './no-file.ts';
import { Outlet, type Sink } from './outlet.ts';
import { Pollers } from './pollers.ts';

/** A connection as the node has it. Callbacks come exactly once each; at most one read and one write are under way. */
export interface ConnectionEnd extends Source, Sink {
  /** No more will be written, once what has been accepted is: the peer reads the end. */
  endWriting(): void;
  /** The program has closed it. A peer that takes nothing of a write under way for long loses the rest: the write fails. */
  leave(): void;
  /** There is no use for it any more: after {@link leave}, when no write is under way. */
  close(): void;
}

/** A socket that listens as the node has it. */
export interface ListenerEnd {
  /** The next connection; at most one request is under way. Answers exactly once, after {@link close} never. */
  accept(done: (result: Settled<ConnectionEnd>) => void): void;
  /** The request that is under way is answered with a connection that waits now or with `again`, as Source.hurry says. */
  hurry(): void;
  close(): void;
}

/** What all sockets refuse alike, and their flags. */
abstract class SocketFile extends NoFile {
  readonly filetype = FileType.socketStream;
  flags: number;

  constructor(flags: number) {
    super();
    this.flags = flags;
  }

  seek(): never {
    return refuse('spipe');
  }

  stat(): FileStat {
    return { dev: 0n, ino: 0n, filetype: this.filetype, nlink: 1n, size: 0n, atim: 0n, mtim: 0n, ctim: 0n };
  }

  setFlags(flags: number): void {
    if ((flags & ~FdFlags.nonblock) !== 0) refuse('notsup');
    this.flags = flags;
  }

  protected get nonblock(): boolean {
    return (this.flags & FdFlags.nonblock) !== 0;
  }
}

export class ListenerSocket extends SocketFile implements Socket {
  readonly #end: ListenerEnd;
  /** Accepted for a call that was withdrawn, or for a poll. */
  #kept: Settled<ConnectionEnd> | null = null;
  #asking = false;
  /** Those who have hurried the request that is under way. */
  #hurried: (() => void)[] = [];
  #closed = false;
  readonly #acceptors = new Set<{ readonly flags: number; readonly waiting: Waiting<Settled<Socket>> }>();
  readonly #pollers = new Pollers(() => (this.#kept === null ? null : READY));

  constructor(end: ListenerEnd, flags = 0) {
    super(flags);
    this.#end = end;
  }

  accept(flags: number): Maybe<Socket> {
    const kept = this.#kept;
    if (kept !== null) {
      this.#kept = null;
      if ('errno' in kept) throw new ErrnoError(kept.errno);
      return new ConnectionSocket(kept.value, flags);
    }
    const acceptor = {
      flags,
      waiting: new Waiting<Settled<Socket>>(() => {
        this.#acceptors.delete(acceptor);
      }),
    };
    this.#acceptors.add(acceptor);
    this.#ask();
    if (this.nonblock) {
      this.whenKnown(() => {
        if (this.#acceptors.delete(acceptor)) acceptor.waiting.settle({ errno: ERRNO.again });
      });
    }
    return acceptor.waiting;
  }

  whenKnown(known: () => void): void {
    if (this.#kept !== null) {
      known();
      return;
    }
    this.#ask();
    this.#hurried.push(known);
    if (this.#hurried.length === 1) this.#end.hurry();
  }

  poll(direction: 'read' | 'write'): Maybe<Readiness> {
    if (direction === 'write') refuse('notconn');
    const readiness = this.#pollers.poll();
    if (readiness instanceof Waiting) this.#ask();
    return readiness;
  }

  read(): never {
    return refuse('notconn');
  }

  write(): never {
    return refuse('notconn');
  }

  receive(): never {
    return refuse('notconn');
  }

  send(): never {
    return refuse('notconn');
  }

  shutdown(): never {
    return refuse('notconn');
  }

  close(): void {
    this.#closed = true;
    if (this.#kept !== null && 'value' in this.#kept) this.#kept.value.close();
    this.#kept = null;
    this.#end.close();
    // Threads that may not wait have asked, and nobody answers any more.
    for (const known of this.#hurried.splice(0)) known();
  }

  #ask(): void {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    this.#end.accept((result) => this.#answered(result));
  }

  #answered(result: Settled<ConnectionEnd>): void {
    this.#asking = false;
    if (this.#closed) {
      if ('value' in result) result.value.close();
      return;
    }
    const hurried = this.#hurried;
    this.#hurried = [];
    const nothing = hurried.length > 0 && 'errno' in result && result.errno === ERRNO.again;
    if (!nothing) this.#give(result);
    for (const known of hurried) known();
    if (this.#kept === null && (this.#acceptors.size > 0 || this.#pollers.some)) this.#ask();
  }

  #give(result: Settled<ConnectionEnd>): void {
    const [acceptor] = this.#acceptors;
    if (acceptor === undefined) {
      this.#kept = result;
      this.#pollers.changed();
      return;
    }
    this.#acceptors.delete(acceptor);
    acceptor.waiting.settle('errno' in result ? result : { value: new ConnectionSocket(result.value, acceptor.flags) });
  }
}

/** One connection waits. */
const READY: Readiness = { bytes: 1n, hangup: false };

class ConnectionSocket extends SocketFile implements Socket {
  readonly #end: ConnectionEnd;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  #writing = true;

  constructor(end: ConnectionEnd, flags: number) {
    super(flags);
    this.#end = end;
    this.#inlet = new Inlet(end, { finalEnd: true, pollBytes: LIMITS.pipeBytes });
    this.#outlet = new Outlet(end);
  }

  accept(): never {
    return refuse('inval');
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    if (position !== null) refuse('spipe');
    return this.#inlet.read(buffers, { nonblock: this.nonblock, peek: false, all: false });
  }

  write(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number> {
    if (position !== null) refuse('spipe');
    return this.#outlet.write(gather(buffers, LIMITS.pipeBytes), this.nonblock);
  }

  /** A stream truncates nothing, so `roflags` is always 0. */
  receive(buffers: readonly Uint8Array[], flags: number): Maybe<{ readonly count: number; readonly roflags: number }> {
    const peek = (flags & RiFlags.peek) !== 0;
    const all = (flags & RiFlags.waitall) !== 0;
    return mapMaybe(this.#inlet.read(buffers, { nonblock: this.nonblock, peek, all }), (count) => ({
      count,
      roflags: 0,
    }));
  }

  send(buffers: readonly Uint8Array[]): Maybe<number> {
    return this.write(buffers, null);
  }

  shutdown(how: number): void {
    if ((how & SdFlags.rd) !== 0) this.#inlet.end();
    if ((how & SdFlags.wr) !== 0) this.#endWriting();
  }

  poll(direction: 'read' | 'write'): Maybe<Readiness> {
    return direction === 'read' ? this.#inlet.poll() : this.#outlet.poll();
  }

  whenKnown(known: () => void): void {
    this.#inlet.whenKnown(known);
  }

  /** What was accepted for sending is still sent, as long as the peer takes it. */
  close(): void {
    this.#end.leave();
    this.#endWriting();
    this.#inlet.end();
    this.#outlet.whenIdle(() => this.#end.close());
  }

  #endWriting(): void {
    if (!this.#writing) return;
    this.#writing = false;
    this.#outlet.end();
    this.#outlet.whenIdle(() => this.#end.endWriting());
  }
}
