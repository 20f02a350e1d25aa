/**
 * The sending half of a stream that takes its time. One write is under way at a time; the others wait in their order.
 *
 * Bytes that have been given to the sink cannot be taken back. A write that is withdrawn then, or that may not wait,
 * counts as done: the outlet sees to it that the rest is written, and an error meanwhile is the next write's.
 */
import { ERRNO, ErrnoError, type Errno } from '../abi/errno.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Readiness, Settled } from '../vfs/openfile.ts';
import { Pollers } from './pollers.ts';
import { LIMITS } from '../base/limits.ts';

export interface Sink {
  /** Writes the bytes, or the first of them. Answers exactly once. `bytes`: 1 to LIMITS.pipeBytes, not changed meanwhile */
  write(bytes: Uint8Array, done: (result: Settled<number>) => void): void;
}

interface Write {
  rest: Uint8Array;
  readonly sink: Sink;
  /** null: it has been told that all is written. */
  waiting: Waiting<Settled<number>> | null;
}

export class Outlet {
  readonly #sink: Sink;
  readonly #queue: Write[] = [];
  #busy = false;
  /** Of a write that had been told otherwise. */
  #fault: Errno | null = null;
  #closed = false;
  readonly #pollers = new Pollers(() => this.#readiness());
  #whenIdle: (() => void)[] = [];

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /**
   * @param bytes a copy that belongs to the outlet, at most LIMITS.pipeBytes
   * @param sink where these go, if not to where all others do
   * @returns bytes written, at least one of them; 0 if none were given
   * @throws ErrnoError `again` if it may not wait and would; `pipe` after {@link end}; the error of a write before
   */
  write(bytes: Uint8Array, nonblock: boolean, sink = this.#sink): Maybe<number> {
    if (this.#closed) throw new ErrnoError(ERRNO.pipe);
    if (this.#fault !== null) {
      const errno = this.#fault;
      this.#fault = null;
      throw new ErrnoError(errno);
    }
    if (bytes.length === 0) return 0;
    if (nonblock && this.#busy) throw new ErrnoError(ERRNO.again);
    const write: Write = { rest: bytes, sink, waiting: null };
    if (!nonblock) write.waiting = new Waiting<Settled<number>>(() => this.#withdraw(write, bytes.length));
    const { waiting } = write;
    this.#queue.push(write);
    this.#next();
    return waiting ?? bytes.length;
  }

  /** Ready while no write is under way. */
  poll(): Maybe<Readiness> {
    return this.#pollers.poll();
  }

  /** Writes from now on fail with `pipe`; what has been accepted is still written. */
  end(): void {
    this.#closed = true;
    this.#pollers.changed();
  }

  /** Calls back once all that was accepted has been written or has failed: at once, or later. */
  whenIdle(idle: () => void): void {
    if (this.#busy) this.#whenIdle.push(idle);
    else idle();
  }

  #withdraw(write: Write, length: number): void {
    const { waiting } = write;
    write.waiting = null;
    if (this.#queue[0] === write) waiting?.settle({ value: length });
    else this.#queue.splice(this.#queue.indexOf(write), 1);
  }

  #next(): void {
    const [write] = this.#queue;
    if (this.#busy || write === undefined) return;
    this.#busy = true;
    write.sink.write(write.rest, (result) => this.#written(write, result));
  }

  #written(write: Write, result: Settled<number>): void {
    this.#busy = false;
    if (write.waiting !== null) {
      this.#queue.shift();
      write.waiting.settle(result);
    } else if ('errno' in result) {
      this.#queue.shift();
      this.#fault ??= result.errno;
    } else {
      write.rest = write.rest.subarray(result.value);
      if (write.rest.length === 0) this.#queue.shift();
    }
    this.#next();
    if (this.#busy) return;
    this.#pollers.changed();
    const idle = this.#whenIdle;
    this.#whenIdle = [];
    for (const callback of idle) callback();
  }

  #readiness(): Readiness | null {
    if (this.#closed) return { bytes: 0n, hangup: true };
    return this.#busy ? null : { bytes: BigInt(LIMITS.pipeBytes), hangup: this.#fault === ERRNO.pipe };
  }
}
