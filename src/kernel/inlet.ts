/**
 * The receiving half of a stream whose bytes have to be asked for: from a user's terminal, pipe or file, or from a
 * network connection. One request is under way at a time; what it brings goes to the readers in their order.
 *
 * A request cannot be taken back. If its reader is withdrawn, or is content with less, the bytes stay here for the
 * next reader: nothing is lost when a process moves while it waits for input.
 *
 * Whoever may not wait has to hear of what is there at the user or the peer now, not of what is here: such a question
 * hurries the request that is under way, which costs one round trip to the source.
 */
import { ERRNO, ErrnoError, type Errno } from '../abi/errno.ts';
import { scatter, totalLength } from '../abi/memory.ts';
import { LIMITS } from '../base/limits.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Readiness, Settled } from '../vfs/openfile.ts';
import { Pollers } from './pollers.ts';

export interface Source {
  /**
   * Asks for 1 to `max` bytes; none is the end of the stream. Answers exactly once, and belongs to nobody else
   * meanwhile. The bytes belong to the receiver.
   */
  read(max: number, done: (result: Settled<Uint8Array>) => void): void;
  /**
   * The read that is under way may wait no longer: it is answered with what is there now, be it the end, or with the
   * errno `again`. Not answered from inside this call. A source whose reads never wait for long does nothing.
   */
  hurry(): void;
}

export interface InletOptions {
  /** The end of the stream is final. A terminal's is not: after Ctrl-D one can type on. */
  readonly finalEnd: boolean;
  /** How many bytes to ask for only in order to know whether there are any. */
  readonly pollBytes: number;
}

export interface ReadOptions {
  /** EAGAIN instead of waiting. */
  readonly nonblock: boolean;
  /** The bytes stay for the next read. */
  readonly peek: boolean;
  /** Wait until the buffers are full, or the stream ends. */
  readonly all: boolean;
}

interface Reader extends ReadOptions {
  /** What is not filled yet. */
  room: readonly Uint8Array[];
  wanted: number;
  count: number;
  readonly waiting: Waiting<Settled<number>>;
}

/** What stands behind the bytes that are here. */
type Outcome = { readonly end: true } | { readonly errno: Errno };

const NO_BYTES = new Uint8Array(0);

export class Inlet {
  readonly #source: Source;
  readonly #options: InletOptions;
  readonly #readers = new Set<Reader>();
  readonly #pollers = new Pollers(() => this.#readiness());
  #kept: Uint8Array = NO_BYTES;
  #outcome: Outcome | null = null;
  #asking = false;
  #afterAnswer: (() => void)[] = [];
  /** Those who have hurried the request that is under way. */
  #hurried: (() => void)[] = [];

  constructor(source: Source, options: InletOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Bytes that are here and not read. */
  get kept(): number {
    return this.#kept.length;
  }

  /** @returns bytes read into the buffers, 0 at the end. @throws ErrnoError `again`, or what the source failed with */
  read(buffers: readonly Uint8Array[], options: ReadOptions): Maybe<number> {
    const wanted = totalLength(buffers);
    if (wanted === 0) return 0;
    const reader: Reader = {
      ...options,
      room: buffers,
      wanted,
      count: 0,
      waiting: new Waiting<Settled<number>>(() => {
        this.#readers.delete(reader);
        if (reader.count > 0) reader.waiting.settle({ value: reader.count });
      }),
    };
    this.#readers.add(reader);
    this.#serve();
    let settled: Settled<number> | null = null;
    if (!reader.waiting.pending) reader.waiting.whenDone((result) => (settled = result));
    else if (options.nonblock) this.whenKnown(() => this.#giveUp(reader));
    return settled === null ? reader.waiting : unwrap(settled);
  }

  /** Calls back when all that the source has now is here: at once if anything is, or after its answer. */
  whenKnown(known: () => void): void {
    if (this.#readiness() !== null) {
      known();
      return;
    }
    this.#ask(this.#options.pollBytes);
    this.#hurried.push(known);
    if (this.#hurried.length === 1) this.#source.hurry();
  }

  /** Bytes that are here, or the end; asks the source if there is neither. */
  poll(): Maybe<Readiness> {
    const readiness = this.#pollers.poll();
    if (readiness instanceof Waiting) this.#ask(this.#options.pollBytes);
    return readiness;
  }

  /** Ends the stream here and now: readers find what is kept, then the end. */
  end(): void {
    this.#outcome = { end: true };
    this.#serve();
    // The source may answer no more.
    for (const known of this.#hurried.splice(0)) known();
  }

  /** Takes away what is here. @returns how many bytes it was */
  drop(): number {
    const dropped = this.#kept.length;
    this.#kept = NO_BYTES;
    if (!this.#options.finalEnd || (this.#outcome !== null && 'errno' in this.#outcome)) this.#outcome = null;
    return dropped;
  }

  /** Calls back when no request is under way: at once, or after its answer. */
  whenQuiet(quiet: () => void): void {
    if (this.#asking) this.#afterAnswer.push(quiet);
    else quiet();
  }

  /** A read that may not wait takes what it got. */
  #giveUp(reader: Reader): void {
    if (!this.#readers.delete(reader)) return;
    reader.waiting.settle(reader.count > 0 ? { value: reader.count } : { errno: ERRNO.again });
  }

  /** Gives what is here to those who wait for it, and asks for more if that is not enough. */
  #serve(): void {
    this.#give();
    this.#askForReaders();
  }

  #give(): void {
    for (const reader of this.#readers) if (!this.#satisfy(reader)) break;
    this.#pollers.changed();
  }

  #askForReaders(): void {
    const [first] = this.#readers;
    if (first === undefined) return;
    this.#ask(Math.min(first.wanted - (first.peek ? this.#kept.length : first.count), LIMITS.pipeBytes));
  }

  /** Gives the reader what there is. @returns whether it is done */
  #satisfy(reader: Reader): boolean {
    const got = reader.peek ? this.#peek(reader) : this.#take(reader);
    const full = got >= Math.min(reader.wanted, reader.peek ? LIMITS.pipeBytes : reader.wanted);
    const over = this.#outcome !== null && (reader.peek || this.#kept.length === 0);
    if (!full && !over && (got === 0 || reader.all)) return false;
    this.#readers.delete(reader);
    if (got > 0 || this.#outcome === null) reader.waiting.settle({ value: got });
    else reader.waiting.settle(this.#consumeOutcome(this.#outcome));
    return true;
  }

  #take(reader: Reader): number {
    const taken = scatter(this.#kept, reader.room);
    this.#kept = this.#kept.subarray(taken);
    reader.room = skip(reader.room, taken);
    reader.count += taken;
    return reader.count;
  }

  #peek(reader: Reader): number {
    return scatter(this.#kept, reader.room);
  }

  /** An error is told once, as is an end that is not final. */
  #consumeOutcome(outcome: Outcome): Settled<number> {
    if ('errno' in outcome) {
      this.#outcome = null;
      return outcome;
    }
    if (!this.#options.finalEnd) this.#outcome = null;
    return { value: 0 };
  }

  #ask(max: number): void {
    if (this.#asking || this.#outcome !== null || this.#kept.length >= LIMITS.pipeBytes) return;
    this.#asking = true;
    this.#source.read(Math.max(1, max), (result) => this.#answered(result));
  }

  #answered(result: Settled<Uint8Array>): void {
    this.#asking = false;
    const hurried = this.#hurried;
    this.#hurried = [];
    const nothing = hurried.length > 0 && 'errno' in result && result.errno === ERRNO.again;
    if (!nothing) this.#arrived(result);
    this.#give();
    // Those who cannot wait go first, or they would be asked for once more.
    for (const known of hurried) known();
    this.#askForReaders();
    if (nothing && this.#pollers.some) this.#ask(this.#options.pollBytes);
    const quiet = this.#afterAnswer;
    this.#afterAnswer = [];
    for (const callback of quiet) callback();
  }

  #arrived(result: Settled<Uint8Array>): void {
    if ('errno' in result) this.#outcome ??= { errno: result.errno };
    else if (result.value.length === 0) this.#outcome ??= { end: true };
    else this.#kept = this.#kept.length === 0 ? result.value : concat(this.#kept, result.value);
  }

  #readiness(): Readiness | null {
    const over = this.#outcome !== null;
    if (this.#kept.length === 0 && !over) return null;
    const hangup = this.#outcome !== null && 'end' in this.#outcome && this.#options.finalEnd;
    return { bytes: BigInt(this.#kept.length), hangup };
  }
}

/** The buffers without their first `count` bytes. */
function skip(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left < buffer.length) rest.push(buffer.subarray(left));
    left = Math.max(0, left - buffer.length);
  }
  return rest;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function unwrap<T>(settled: Settled<T>): T {
  if ('errno' in settled) throw new ErrnoError(settled.errno);
  return settled.value;
}
