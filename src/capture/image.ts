/**
 * The image of a process: what is sent when it moves, written when it is checkpointed. A stream of records, so that
 * memory goes from the live program to the wire, and from the wire into the new program's memory, without a copy of
 * the whole. All integers are little-endian.
 *
 *     image   := magic record*
 *     magic   := "GDWIMG" u16 format version (3)
 *     record  := u8 kind, u8[3] zero, u32 argument, u32 size, u8[size] content
 *
 *     kind 1  header: first, once. u32 engine version; u8[32] hash of the original module; for each memory, in their
 *             order: u32 size in 64 KiB pages and u32 maximum
 *     kind 2  state of one thread (state.ts), empty if it has not begun; the argument counts them, from 0 to at most
 *             LIMITS.threads - 1. Which thread it is, and what it waits for, the host says in kind 3
 *     kind 3  state of the process for the kernel, opaque here; at most once
 *     kind 4  memory: the content goes into memory (argument >> 24), to address (argument & 0xff_ffff) * 4096; size
 *             is a multiple of 4096 and at most LIMITS.imageRecordBytes. Pages that no record names are zero; a later
 *             record overwrites an earlier one
 *     kind 5  end: last, once. u8[32] digest
 *
 *     digest  := D(for each record before the end: its 12 bytes before the content, then C(content), 16 bytes)
 *
 * C is a fast checksum and D a cryptographic hash; both are injected. Godwit uses for C the tag of AES-128-GMAC with
 * the key "godwit-image-v1\0", a nonce of 12 zero bytes and the content as additional data, and for D SHA-256. The
 * digest finds damage and mix-ups; against attackers the link (TLS) or the keeper of the file must protect.
 *
 * Reading is decoding hostile bytes: every size is bounded before anything is allocated or written.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, encodeUtf8 } from '../base/bytes.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { ENGINE_VERSION } from './facts.ts';

export const IMAGE_VERSION = 3;
export const MODULE_HASH_BYTES = 32;
export const CHECKSUM_BYTES = 16;
export const DIGEST_BYTES = 32;
/** Granularity of memory records in bytes. */
export const IMAGE_PAGE_BYTES = 4096;

const WASM_PAGE_BYTES = 65_536;
const MAGIC = encodeUtf8('GDWIMG');
const RECORD_BYTES = 12;
const KIND = { header: 1, thread: 2, kernel: 3, memory: 4, end: 5 } as const;
const HEADER_BYTES = 4 + MODULE_HASH_BYTES;
/** For each memory, behind the header's other fields. */
const MEMORY_HEADER_BYTES = 8;
/** A memory record's argument: the memory's number above these bits, the page below. */
const PAGE_BITS = 24;
/** Pieces shorter than this are joined by copying: a frame for each would cost more than the copy. */
const JOINED_BYTES = 32_768;

export interface Digest {
  update(bytes: Uint8Array): void;
  /** {@link DIGEST_BYTES} bytes. */
  final(): Uint8Array;
}

export interface ImageHasher {
  /** {@link CHECKSUM_BYTES} bytes; the content may be a view of shared memory. */
  checksum(content: Uint8Array): Uint8Array;
  digest(): Digest;
}

export interface ImageMemory {
  readonly pages: number;
  readonly maximumPages: number;
}

export interface ImageHeader {
  readonly engineVersion: number;
  /** Hash of the original module, {@link MODULE_HASH_BYTES} bytes. */
  readonly moduleHash: Uint8Array;
  readonly memories: readonly ImageMemory[];
}

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

/** A piece of a memory that has content. */
interface Run {
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

  /** Looks through the memory for pages with content. */
  constructor(source: ImageSource, hasher: ImageHasher) {
    this.#source = source;
    this.#hasher = hasher;
    this.#digest = hasher.digest();
    this.#runs = source.memories.flatMap(({ bytes }, memory) => [...nonZeroRuns(memory, bytes)]);
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
    this.#digest.update(this.#hasher.checksum(content));
    yield header;
    yield content;
  }
}

function headerBytes(memories: number): number {
  return HEADER_BYTES + memories * MEMORY_HEADER_BYTES;
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

/** The pages with content, joined where they touch, cut at LIMITS.imageRecordBytes. `bytes` are whole 64 KiB pages. */
function* nonZeroRuns(memory: number, bytes: Uint8Array): Generator<Run, void> {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const wordsPerPage = IMAGE_PAGE_BYTES / 4;
  let start = -1;
  for (let at = 0; at < bytes.length; at += IMAGE_PAGE_BYTES) {
    const empty = isZero(words, at / 4, at / 4 + wordsPerPage);
    if (start >= 0 && (empty || at - start >= LIMITS.imageRecordBytes)) {
      yield { memory, start, end: at };
      start = -1;
    }
    if (start < 0 && !empty) start = at;
  }
  if (start >= 0) yield { memory, start, end: bytes.length };
}

function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i += 8) {
    const first = words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
    if ((first | words[i + 4]! | words[i + 5]! | words[i + 6]! | words[i + 7]!) !== 0) return false;
  }
  return true;
}

export interface LoadedImage {
  readonly header: ImageHeader;
  /** The digest, which was right. */
  readonly digest: Uint8Array;
  readonly threads: readonly Uint8Array[];
  readonly kernel: Uint8Array;
}

/** Where the reader is inside a record. */
interface Pending {
  readonly kind: number;
  readonly argument: number;
  readonly head: Uint8Array;
  /** Where the content goes: a part of the target's memory, or a buffer. */
  readonly content: Uint8Array;
  filled: number;
}

/** Takes an image in pieces of any size and puts memory where it belongs as it comes. */
export class ImageReader {
  readonly #hasher: ImageHasher;
  readonly #digest: Digest;
  readonly #place: (header: ImageHeader) => readonly Uint8Array[];
  #memories: readonly Uint8Array[] = [];
  #header: ImageHeader | null = null;
  readonly #threads: Uint8Array[] = [];
  #kernel: Uint8Array | null = null;
  #stateBytes = 0;
  #end: Uint8Array | null = null;
  #pending: Pending | null = null;
  /** Bytes of the magic or of a record's head that are not complete yet. */
  readonly #small = new Uint8Array(RECORD_BYTES);
  #smallFilled = 0;
  #smallWanted = 8;
  #started = false;

  /**
   * @param place called with the header, as soon as it is there; gives the memories to load into: zeroed, of the sizes
   *   that the header says
   */
  constructor(hasher: ImageHasher, place: (header: ImageHeader) => readonly Uint8Array[]) {
    this.#hasher = hasher;
    this.#digest = hasher.digest();
    this.#place = place;
  }

  get header(): ImageHeader | null {
    return this.#header;
  }

  /**
   * Takes the next bytes; they may be reused afterwards.
   * @throws GodwitError `corrupt` or `version_mismatch`; the reader is of no use then
   */
  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#end !== null) throw new GodwitError('corrupt', 'bytes behind the end of an image');
      const target =
        this.#pending === null ? this.#small.subarray(this.#smallFilled, this.#smallWanted) : this.#open(this.#pending);
      const taken = rest.subarray(0, target.length);
      target.set(taken);
      rest = rest.subarray(taken.length);
      if (this.#pending === null) this.#smallFilled += taken.length;
      else this.#pending.filled += taken.length;
      this.#advance();
    }
  }

  /**
   * @returns what the image held besides memory
   * @throws GodwitError `corrupt` if the image has not come to its end
   */
  finish(): LoadedImage {
    if (this.#end === null || this.#header === null) throw new GodwitError('corrupt', 'an image that breaks off');
    if (this.#threads.length === 0 || this.#kernel === null)
      throw new GodwitError('corrupt', 'an image without its states');
    return { header: this.#header, digest: this.#end, threads: this.#threads, kernel: this.#kernel };
  }

  #open(pending: Pending): Uint8Array {
    return pending.content.subarray(pending.filled);
  }

  #advance(): void {
    if (this.#pending === null && this.#smallFilled === this.#smallWanted) {
      this.#smallFilled = 0;
      if (this.#started) this.#begin(this.#small.slice());
      else this.#checkMagic();
    }
    // A record without content is complete at once.
    if (this.#pending !== null && this.#pending.filled === this.#pending.content.length) {
      const done = this.#pending;
      this.#pending = null;
      this.#complete(done);
    }
  }

  #checkMagic(): void {
    const r = new ByteReader(this.#small);
    if (r.raw(MAGIC.length).some((byte, i) => byte !== MAGIC[i])) throw new GodwitError('corrupt', 'not an image');
    const version = r.u16();
    if (version !== IMAGE_VERSION)
      throw new GodwitError('version_mismatch', `an image of format ${version}; ${IMAGE_VERSION} is wanted`);
    this.#started = true;
    this.#smallWanted = RECORD_BYTES;
  }

  #begin(head: Uint8Array): void {
    const r = new ByteReader(head);
    const kind = r.u32();
    const argument = r.u32();
    const size = r.u32();
    if ((this.#header === null) !== (kind === KIND.header))
      throw new GodwitError('corrupt', 'an image must have one header, first');
    // The digest covers all heads but that of the record that holds it.
    if (kind === KIND.end && argument !== 0) throw new GodwitError('corrupt', 'an image whose end has an argument');
    this.#pending = { kind, argument, head, content: this.#room(kind, argument, size), filled: 0 };
  }

  /** The place for a record's content, after checking that its size is right for its kind. */
  #room(kind: number, argument: number, size: number): Uint8Array {
    const exactly = (wanted: number): Uint8Array => {
      if (size !== wanted) throw new GodwitError('corrupt', `an image record of ${size} bytes, ${wanted} are wanted`);
      return new Uint8Array(size);
    };
    switch (kind) {
      case KIND.header:
        if (
          size < HEADER_BYTES ||
          size > headerBytes(LIMITS.memories) ||
          (size - HEADER_BYTES) % MEMORY_HEADER_BYTES !== 0
        )
          throw new GodwitError('corrupt', `an image with a header of ${size} bytes`);
        return new Uint8Array(size);
      case KIND.end:
        return exactly(DIGEST_BYTES);
      case KIND.thread:
      case KIND.kernel:
        this.#stateBytes += size;
        if (this.#stateBytes > LIMITS.imageStateBytes)
          throw new GodwitError('corrupt', `an image with ${this.#stateBytes} bytes of states`);
        return new Uint8Array(size);
      case KIND.memory:
        return this.#memoryRange(argument >>> PAGE_BITS, (argument % 2 ** PAGE_BITS) * IMAGE_PAGE_BYTES, size);
      default:
        throw new GodwitError('corrupt', `an image record of unknown kind ${kind}`);
    }
  }

  #memoryRange(index: number, start: number, size: number): Uint8Array {
    const memory = this.#memories[index];
    const fits = memory !== undefined && start + size <= memory.length && size <= LIMITS.imageRecordBytes;
    if (!fits || size % IMAGE_PAGE_BYTES !== 0) {
      throw new GodwitError('corrupt', `an image with ${size} bytes of memory ${index} at ${start}`);
    }
    return memory.subarray(start, start + size);
  }

  #complete({ kind, argument, head, content }: Pending): void {
    if (kind === KIND.end) {
      const expected = this.#digest.final();
      if (expected.some((byte, i) => byte !== content[i]))
        throw new GodwitError('corrupt', 'the digest of an image is wrong');
      this.#end = content;
      return;
    }
    this.#digest.update(head);
    this.#digest.update(this.#hasher.checksum(content));
    if (kind === KIND.header) this.#takeHeader(content);
    else if (kind === KIND.thread) {
      if (argument !== this.#threads.length || argument >= LIMITS.threads)
        throw new GodwitError('corrupt', `an image with thread ${argument} after ${this.#threads.length}`);
      this.#threads.push(content);
    } else if (kind === KIND.kernel) {
      if (this.#kernel !== null) throw new GodwitError('corrupt', 'an image with two kernel states');
      this.#kernel = content;
    }
  }

  #takeHeader(content: Uint8Array): void {
    const r = new ByteReader(content);
    const engineVersion = r.u32();
    if (engineVersion !== ENGINE_VERSION) {
      throw new GodwitError(
        'version_mismatch',
        `an image of engine ${engineVersion}; this is engine ${ENGINE_VERSION}`,
      );
    }
    const moduleHash = r.raw(MODULE_HASH_BYTES);
    const memories: ImageMemory[] = [];
    while (r.remaining > 0) memories.push(memorySize(r.u32(), r.u32()));
    this.#header = { engineVersion, moduleHash, memories };
    this.#memories = this.#place(this.#header);
    memories.forEach(({ pages }, index) => {
      const bytes = this.#memories[index]?.length ?? 0;
      if (bytes !== pages * WASM_PAGE_BYTES) {
        throw new GodwitError('limit', `memory ${index} to load into has ${bytes} bytes, not ${pages} pages`);
      }
    });
  }
}

function memorySize(pages: number, maximumPages: number): ImageMemory {
  if (pages > maximumPages || maximumPages > LIMITS.wideMemoryPages) {
    throw new GodwitError('corrupt', `an image with a memory of ${pages} to ${maximumPages} pages`);
  }
  return { pages, maximumPages };
}
