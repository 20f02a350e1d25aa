/**
 * Little-endian byte reading and writing with bounds checks. Everything that is decoded from a peer or a file goes
 * through {@link ByteReader}: it never reads past its end and fails with one kind of error.
 */
import { GodwitError } from './errors.ts';

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** @throws TypeError if the bytes are not UTF-8. Copies bytes of a shared memory first: TextDecoder refuses those. */
export function decodeUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice());
}

/** The UTF-8 form; lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return utf8Encoder.encode(text);
}

export class ByteReader {
  readonly bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  #take(size: number): number {
    const at = this.offset;
    if (size > this.bytes.length - at) {
      throw new GodwitError('protocol', `${size} bytes wanted at offset ${at}, ${this.bytes.length - at} are left`);
    }
    this.offset = at + size;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return this.bytes[at]!;
  }

  u16(): number {
    return u16At(this.bytes, this.#take(2));
  }

  u32(): number {
    return u32At(this.bytes, this.#take(4));
  }

  u64(): bigint {
    return this.view(8).getBigUint64(0, true);
  }

  f64(): number {
    return this.view(8).getFloat64(0, true);
  }

  /** The next `size` bytes as a view, not a copy. */
  raw(size: number): Uint8Array {
    const at = this.#take(size);
    return this.bytes.subarray(at, at + size);
  }

  /** The next `size` bytes, for numbers in them. */
  view(size: number): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#take(size), size);
  }
}

// Most messages hold small numbers only, and making a DataView costs more than reading them byte by byte.

/** The u16 at `at`, which lies within. */
export function u16At(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** The u32 at `at`, which lies within. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Writes a u32 at `at`, which lies within. */
export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/**
 * Memory that short results share, for making an ArrayBuffer takes longer than filling it. It is small, because one
 * short result that is kept keeps all of it.
 */
const SLAB_BYTES = 8192;
/** A writer that starts larger has memory of its own. */
const SHARED_CAPACITY = 512;

let slab = new ArrayBuffer(SLAB_BYTES);
let slabView = new DataView(slab);
let slabUsed = 0;

/** @returns where in the slab so many bytes are from now on someone's: at most {@link SHARED_CAPACITY} */
function takeShared(size: number): number {
  if (slabUsed + size > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabView = new DataView(slab);
    slabUsed = 0;
  }
  const at = slabUsed;
  slabUsed += size;
  return at;
}

/** A copy; of a short one as a view of memory that it shares with others. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  // The place first: it may be in another slab.
  const at = length <= SHARED_CAPACITY ? takeShared(length) : 0;
  const copy = length <= SHARED_CAPACITY ? new Uint8Array(slab, at, length) : new Uint8Array(length);
  copy.set(bytes);
  return copy;
}

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole buffer, in which `#bytes` begin at `#base`. */
  #view: DataView;
  #base: number;
  length = 0;

  constructor(capacity = 256) {
    if (capacity <= SHARED_CAPACITY) {
      this.#base = takeShared(capacity);
      this.#bytes = new Uint8Array(slab, this.#base, capacity);
      this.#view = slabView;
    } else {
      this.#bytes = new Uint8Array(capacity);
      this.#view = new DataView(this.#bytes.buffer);
      this.#base = 0;
    }
  }

  #room(size: number): number {
    const at = this.length;
    const needed = at + size;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
      this.#base = 0;
    }
    this.length = needed;
    return at;
  }

  // In all of these the room comes first: it may replace the buffer and the view that are written to.

  u8(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#room(2);
    this.#view.setUint16(this.#base + at, value, true);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(this.#base + at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigUint64(this.#base + at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(this.#base + at, value, true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** The next `size` bytes, zero until `write` has put something there. */
  record(size: number, write: (view: DataView, at: number) => void): void {
    const at = this.#room(size);
    write(this.#view, this.#base + at);
  }

  /** What has been written, as a view (maybe of a larger buffer) that later writes may leave behind. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }
}
