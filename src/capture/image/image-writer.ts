/** Writing images (image.ts). */
import { assert } from '../../base/assert.ts';
import { ByteWriter } from '../../base/bytes.ts';
import { LIMITS } from '../../base/limits.ts';
import { ENGINE_VERSION } from '../layout/facts.ts';
import {
  DIGEST_BYTES,
  IMAGE_PAGE_BYTES,
  IMAGE_VERSION,
  KIND,
  MAGIC,
  PAGE_BITS,
  RECORD_BYTES,
  WASM_PAGE_BYTES,
  headerBytes,
} from './image.ts';
import type { Digest, ImageHasher } from './image.ts';

/** Pieces shorter than this are joined by copying: a frame for each would cost more than the copy. */
const JOINED_BYTES = 32_768;

export interface ImageSource {
  readonly moduleHash: Uint8Array;
  /** The live memories; they must not change while the image is written. */
  readonly memories: readonly { readonly bytes: Uint8Array; readonly maximumPages: number }[];
  /** Encoded states, one for each thread; empty for one that has not begun. */
  readonly threads: readonly Uint8Array[];
  readonly kernel: Uint8Array;
}

function head(kind: number, argument: number, content: Uint8Array): Uint8Array {
  const w = new ByteWriter(RECORD_BYTES);
  w.u32(kind);
  w.u32(argument);
  w.u32(content.length);
  return w.done();
}

/** Bytes of memory that are looked through at a time, whole records: 20 ms where the system has to provide each page first. */
const PART_BYTES = 8 * 2 ** 20;

/** A piece of a memory that has content. */
export interface Run {
  readonly memory: number;
  readonly start: number;
  readonly end: number;
}

/** Writes an image piece by piece; memory comes as views of the source, to be sent before it changes. */
export class ImageWriter {
  /** The length of the whole image. */
  readonly bytes: number;
  readonly #source: ImageSource;
  readonly #hasher: ImageHasher;
  readonly #digest: Digest;
  readonly #runs: readonly Run[];
  readonly #pieces: Generator<Uint8Array, void>;
  #current: Uint8Array = new Uint8Array(0);
  #final: Uint8Array | null = null;

  /** @param runs the pages with content, from {@link contentOf} */
  constructor(source: ImageSource, hasher: ImageHasher, runs: readonly Run[] = allContentOf(source)) {
    this.#source = source;
    this.#hasher = hasher;
    this.#digest = hasher.digest();
    this.#runs = runs;
    const contents = [
      headerBytes(source.memories.length),
      ...source.threads.map(({ length }) => length),
      source.kernel.length,
      ...this.#runs.map(({ start, end }) => end - start),
      DIGEST_BYTES,
    ];
    this.bytes = contents.reduce((sum, size) => sum + RECORD_BYTES + size, MAGIC.length + 2);
    this.#pieces = this.#write();
  }

  /** What pieces of memory are views of. */
  get buffers(): ReadonlySet<ArrayBufferLike> {
    return new Set(this.#source.memories.map(({ bytes }) => bytes.buffer));
  }

  /** The next 1 to `most` bytes; null at the end. A view of the memory, or a copy of pieces too short to go alone. */
  next(most: number): Uint8Array | null {
    if (!this.#more()) return null;
    if (this.#current.length >= JOINED_BYTES) return this.#take(most);
    const joined = new ByteWriter(JOINED_BYTES);
    do joined.raw(this.#take(most - joined.length));
    while (joined.length < most && this.#more() && this.#current.length < JOINED_BYTES);
    return joined.done();
  }

  /** Makes sure that there are bytes to take. @returns false at the end */
  #more(): boolean {
    while (this.#current.length === 0) {
      const { done, value } = this.#pieces.next();
      if (done === true) return false;
      this.#current = value;
    }
    return true;
  }

  #take(most: number): Uint8Array {
    const piece = this.#current.subarray(0, most);
    this.#current = this.#current.subarray(piece.length);
    return piece;
  }

  /** The digest, once {@link next} has given null. */
  digest(): Uint8Array {
    assert(this.#final !== null, 'the image has been written');
    return this.#final;
  }

  *#write(): Generator<Uint8Array, void> {
    const source = this.#source;
    const magic = new ByteWriter(8);
    magic.raw(MAGIC);
    magic.u16(IMAGE_VERSION);
    yield magic.done();
    yield* this.#record(KIND.header, 0, encodeHeader(source));
    for (const [number, state] of source.threads.entries()) yield* this.#record(KIND.thread, number, state);
    yield* this.#record(KIND.kernel, 0, source.kernel);
    for (const { memory, start, end } of this.#runs) {
      const argument = memory * 2 ** PAGE_BITS + start / IMAGE_PAGE_BYTES;
      yield* this.#record(KIND.memory, argument, source.memories[memory]!.bytes.subarray(start, end));
    }
    this.#final = this.#digest.final();
    yield head(KIND.end, 0, this.#final);
    yield this.#final;
  }

  *#record(kind: number, argument: number, content: Uint8Array): Generator<Uint8Array, void> {
    const header = head(kind, argument, content);
    this.#digest.update(header);
    yield header;
    yield content;
    // Now that it is on its way.
    this.#digest.update(this.#hasher.checksum(content));
  }
}

function encodeHeader({ moduleHash, memories }: ImageSource): Uint8Array {
  const w = new ByteWriter(headerBytes(memories.length));
  w.u32(ENGINE_VERSION);
  w.raw(moduleHash);
  for (const { bytes, maximumPages } of memories) {
    w.u32(bytes.length / WASM_PAGE_BYTES);
    w.u32(maximumPages);
  }
  return w.done();
}

/**
 * Looks through the memories for pages with content, which may take seconds: pages that nobody has used yet come into
 * being by that. Yields after each part.
 */
export function* contentOf({ memories }: Pick<ImageSource, 'memories'>): Generator<undefined, readonly Run[]> {
  const runs: Run[] = [];
  for (const [memory, { bytes }] of memories.entries()) {
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      runs.push(...nonZeroRuns(memory, bytes, at, Math.min(at + PART_BYTES, bytes.length)));
      yield;
    }
  }
  return runs;
}

function allContentOf(source: ImageSource): readonly Run[] {
  const parts = contentOf(source);
  for (;;) {
    const { done, value } = parts.next();
    if (done === true) return value;
  }
}

/** The pages with content of a part, joined where they touch, cut at LIMITS.imageRecordBytes. */
function* nonZeroRuns(memory: number, bytes: Uint8Array, from: number, to: number): Generator<Run, void> {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const wordsPerPage = IMAGE_PAGE_BYTES / 4;
  let start = -1;
  for (let at = from; at < to; at += IMAGE_PAGE_BYTES) {
    const empty = isZero(words, at / 4, at / 4 + wordsPerPage);
    if (start >= 0 && (empty || at - start >= LIMITS.imageRecordBytes)) {
      yield { memory, start, end: at };
      start = -1;
    }
    if (start < 0 && !empty) start = at;
  }
  if (start >= 0) yield { memory, start, end: to };
}

function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i += 8) {
    const first = words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
    if ((first | words[i + 4]! | words[i + 5]! | words[i + 6]! | words[i + 7]!) !== 0) return false;
  }
  return true;
}
