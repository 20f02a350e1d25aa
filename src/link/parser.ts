/**
 * Cuts a stream of bytes into frames. No I/O inside: it is fed slices of any size and calls back for every frame that
 * is complete. It holds one unfinished frame at most, bounded by its limit.
 */
import { copyOf } from '../base/bytes.ts';
import type { Frame, FrameHeader } from './frames.ts';
import { decodeFrame, decodeHeader, HEADER_BYTES } from './frames.ts';

/** @returns false to stop: what is left of the slice is dropped */
export type FrameSink = (frame: Frame, header: FrameHeader) => boolean;

export class FrameParser {
  /** Bytes that a frame's fields may take; small until the peer has introduced itself. */
  limit: number;
  /** The header, then the fields, of a frame that has not arrived completely. */
  #header: FrameHeader | null = null;
  #partial: Uint8Array<ArrayBuffer>;
  #filled = 0;
  readonly #head = new Uint8Array(HEADER_BYTES);
  /** For frames whose memory may be used again: new memory for every chunk would double the cost of receiving. */
  #transient = new Uint8Array();

  constructor(limit: number) {
    this.limit = limit;
    this.#partial = this.#head;
  }

  /**
   * @param slice the next bytes, which may be overwritten as soon as this returns: nothing of a frame is a view of them,
   *   but for the byte strings of transient frames
   * @throws GodwitError('protocol') at the first byte that cannot be right; the parser is of no use afterwards
   */
  push(slice: Uint8Array, sink: FrameSink): void {
    let at = 0;
    for (;;) {
      if (!this.#header) {
        if (this.#filled === 0 && slice.length - at >= HEADER_BYTES) {
          this.#header = decodeHeader(slice, at, this.limit);
          at += HEADER_BYTES;
        } else {
          at += this.#collect(slice, at);
          if (this.#filled < HEADER_BYTES) return;
          this.#header = decodeHeader(this.#head, 0, this.limit);
          this.#filled = 0;
        }
      }
      const header = this.#header;
      let body: Uint8Array;
      if (this.#filled === 0 && slice.length - at >= header.length) {
        // Not `subarray`: that of a Buffer is a Buffer, whose `slice` does not copy as users of the frame expect.
        body = new Uint8Array(slice.buffer, slice.byteOffset + at, header.length);
        if (!header.transient) body = copyOf(body);
        at += header.length;
      } else {
        if (this.#filled === 0) this.#partial = header.transient ? this.#reused(header.length) : fresh(header.length);
        at += this.#collect(slice, at);
        if (this.#filled < header.length) return;
        body = this.#partial;
        this.#filled = 0;
      }
      this.#header = null;
      this.#partial = this.#head;
      if (!sink(decodeFrame(header.type, body), header)) return;
    }
  }

  /** Copies what is there into the unfinished part. @returns the number of bytes taken */
  #collect(slice: Uint8Array, at: number): number {
    const size = Math.min(this.#partial.length - this.#filled, slice.length - at);
    this.#partial.set(size === slice.length ? slice : slice.subarray(at, at + size), this.#filled);
    this.#filled += size;
    return size;
  }

  #reused(length: number): Uint8Array<ArrayBuffer> {
    if (this.#transient.length !== length) this.#transient = fresh(length);
    return this.#transient;
  }
}

/**
 * Memory for the fields of a frame, whose end lies on 8 bytes, and with it the start of a chunk of memory at its end:
 * V8 copies into shared memory eight bytes at a time if both places are aligned alike, and otherwise one at a time.
 */
function fresh(length: number): Uint8Array<ArrayBuffer> {
  const before = -length & 7;
  return new Uint8Array(new ArrayBuffer(before + length), before);
}
