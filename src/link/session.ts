/**
 * The part of a link that outlives its connections: which frames have not been acknowledged yet, and which have been
 * received. Pure bookkeeping; link.ts moves the frames.
 *
 * Sequence numbers are u32 and wrap. Those of a session start behind the low 32 bits of its id, which is random: so
 * the wrap is met from the first day on and not only by links that have run for months.
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../base/env.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { EncodedFrame } from './frames.ts';
import { stamp } from './frames.ts';
import { References } from './references.ts';

/** Steps from `a` forward to `b` on the circle of 2^32 sequence numbers. */
function distance(a: number, b: number): number {
  return (b - a) >>> 0;
}

export class Session {
  /** 0: there is none, and none has been proposed. */
  id = 0n;
  /** Both sides know of it. Before, `id` is only this side's proposal. */
  established = false;
  /** The last sequence number that has been received. */
  received = 0;

  /** The sequence number of the last acknowledged frame. */
  #acked = 0;
  /** Frames not acknowledged, oldest first, from `#head` on; what lies before is waste that is cut off now and then. */
  #frames: EncodedFrame[] = [];
  #head = 0;
  /** How many of them the current connection has been given, and how many any connection has. */
  #sent = 0;
  #everSent = 0;
  #bytes = 0;
  #unsentBytes = 0;
  readonly #references: References;

  /** @param references is told of memory that frames send by reference */
  constructor(references = new References()) {
    this.#references = references;
  }

  /** Bytes of all frames that have not been acknowledged. */
  get unackedBytes(): number {
    return this.#bytes;
  }

  /** Bytes of those that the current connection has not been given. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Starts a session under `id` with the frames that wait, which belong to no session yet. */
  begin(id: bigint, established: boolean): void {
    assert(!this.established, 'a session begins before the old one has been reset');
    this.id = id;
    this.established = established;
    this.received = this.#acked = Number(id & 0xffff_ffffn);
    this.#sent = this.#everSent = 0;
  }

  /** Ends the session: everything that waits is lost. */
  reset(): void {
    this.id = 0n;
    this.established = false;
    this.received = this.#acked = 0;
    for (const { parts } of this.#frames) if (parts[1]) this.#references.lost(parts[1].buffer);
    this.#frames = [];
    this.#head = this.#sent = this.#everSent = this.#bytes = this.#unsentBytes = 0;
  }

  /** Whether the frame fits into what a link may hold. */
  canHold(frame: EncodedFrame): boolean {
    return this.#bytes + frame.bytes <= LIMITS.linkQueueBytes;
  }

  push(frame: EncodedFrame): void {
    this.#frames.push(frame);
    const [, payload] = frame.parts;
    if (payload) this.#references.add(payload.buffer);
    this.#bytes += frame.bytes;
    this.#unsentBytes += frame.bytes;
  }

  /** The next frame for the current connection, ready to be sent, or null. */
  next(): EncodedFrame | null {
    const frame = this.#frames[this.#head + this.#sent];
    if (!frame) return null;
    this.#sent++;
    this.#unsentBytes -= frame.bytes;
    this.#everSent = Math.max(this.#everSent, this.#sent);
    stamp(frame, (this.#acked + this.#sent) >>> 0, this.received);
    return frame;
  }

  /**
   * The peer has everything up to `sequence`.
   * @throws GodwitError('protocol') if that was never sent
   */
  acknowledged(sequence: number): void {
    const count = distance(this.#acked, sequence);
    // An acknowledgement that is older than the last one came on a connection that has been replaced: nothing new.
    if (count === 0 || count >= 2 ** 31) return;
    if (count > this.#everSent) {
      throw new GodwitError('protocol', `frame ${sequence} is acknowledged, but has not been sent`);
    }
    const memories: ArrayBufferLike[] = [];
    for (let i = 0; i < count; i++) {
      const { bytes, parts } = this.#frames[this.#head + i] ?? NOTHING;
      const [, payload] = parts;
      if (payload) memories.push(payload.buffer);
      this.#bytes -= bytes;
      // Another connection has sent it.
      if (i >= this.#sent) this.#unsentBytes -= bytes;
    }
    // Cut off in large pieces, so that the cost of a frame does not depend on how many wait.
    this.#frames.fill(NOTHING, this.#head, this.#head + count);
    this.#head += count;
    if (this.#head > 1024 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head);
      this.#head = 0;
    }
    this.#acked = sequence;
    this.#sent = Math.max(0, this.#sent - count);
    this.#everSent -= count;
    for (const memory of memories) this.#references.acknowledged(memory);
  }

  /** A new connection: everything behind `sequence`, which the peer has, is sent again. */
  rewind(sequence: number): void {
    this.acknowledged(sequence);
    this.#sent = 0;
    this.#unsentBytes = this.#bytes;
  }

  /**
   * A numbered frame has arrived.
   * @returns whether it is new; false: it has been received before
   * @throws GodwitError('protocol') if one before it is missing
   */
  accept(sequence: number): boolean {
    const step = distance(this.received, sequence);
    if (step === 1) {
      this.received = sequence;
      return true;
    }
    if (step === 0 || step >= 2 ** 31) return false;
    throw new GodwitError('protocol', `frame ${sequence} follows ${this.received}`);
  }
}

/** Stands for a frame that has been acknowledged, so that its bytes can be freed. */
const NOTHING: EncodedFrame = { parts: [], bytes: 0 };

/** An id for a session that nobody knows yet: 64 random bits, never 0. */
export function newSessionId(random: Random): bigint {
  const bytes = new Uint8Array(8);
  random.fill(bytes);
  // 0 stands for no session.
  return new DataView(bytes.buffer).getBigUint64(0, true) || 1n;
}
