/** Reading images (image.ts): bytes of a peer or a file. */
import { ByteReader } from '../../base/bytes.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { ENGINE_VERSION } from '../layout/facts.ts';
import {
  DIGEST_BYTES,
  IMAGE_PAGE_BYTES,
  IMAGE_VERSION,
  KIND,
  MAGIC,
  MEMORY_HEADER_BYTES,
  MODULE_HASH_BYTES,
  PAGE_BITS,
  RECORD_BYTES,
  WASM_PAGE_BYTES,
  headerBytes,
} from './image.ts';
import type { Digest, ImageHasher, ImageHeader, ImageMemory } from './image.ts';

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
  /** Bytes of the content. */
  readonly size: number;
  /** Where the content goes: a part of the target's memory, or a buffer, which may still have to grow. */
  content: Uint8Array;
  filled: number;
}

/** Room for a state at first; it grows as the state comes, so that nobody gets memory by only claiming to fill it. */
const FIRST_STATE_BYTES = 64 * 1024;

/** Takes an image in pieces of any size and puts memory where it belongs as it comes. */
export class ImageReader {
  readonly #hasher: ImageHasher;
  readonly #digest: Digest;
  readonly #place: (header: ImageHeader) => readonly Uint8Array[];
  readonly #fills: (memory: number, start: number, end: number) => void;
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
   * @param place called with the header, as soon as it is there; gives the memories to load into, of the sizes that the
   *   header says: zeroed, or what `fills` has not named is zeroed by the caller behind {@link finish}
   * @param fills told which bytes of a memory (its number) a record is about to fill: whole pages of IMAGE_PAGE_BYTES
   */
  constructor(
    hasher: ImageHasher,
    place: (header: ImageHeader) => readonly Uint8Array[],
    fills: (memory: number, start: number, end: number) => void = () => {},
  ) {
    this.#hasher = hasher;
    this.#digest = hasher.digest();
    this.#place = place;
    this.#fills = fills;
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

  /** The states of the threads and of the kernel, as soon as they are there. Whether they are as they were sent {@link finish} tells. */
  get states(): Pick<LoadedImage, 'threads' | 'kernel'> | null {
    return this.#kernel === null ? null : { threads: this.#threads, kernel: this.#kernel };
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
    const { content, filled, size } = pending;
    if (filled === content.length && filled < size) {
      pending.content = new Uint8Array(Math.min(size, 2 * filled));
      pending.content.set(content);
    }
    return pending.content.subarray(pending.filled);
  }

  #advance(): void {
    if (this.#pending === null && this.#smallFilled === this.#smallWanted) {
      this.#smallFilled = 0;
      if (this.#started) this.#begin(this.#small.slice());
      else this.#checkMagic();
    }
    // A record without content is complete at once.
    if (this.#pending !== null && this.#pending.filled === this.#pending.size) {
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
    this.#pending = { kind, argument, head, size, content: this.#room(kind, argument, size), filled: 0 };
  }

  /** The place for a record's content, or for its beginning, after checking that its size is right for its kind. */
  #room(kind: number, argument: number, size: number): Uint8Array {
    const exactly = (wanted: number): Uint8Array => {
      if (size !== wanted) throw new GodwitError('corrupt', `an image record of ${size} bytes, ${wanted} are wanted`);
      return new Uint8Array(size);
    };
    switch (kind) {
      case KIND.header:
        if (
          size < headerBytes(0) ||
          size > headerBytes(LIMITS.memories) ||
          (size - headerBytes(0)) % MEMORY_HEADER_BYTES !== 0
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
        return new Uint8Array(Math.min(size, FIRST_STATE_BYTES));
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
    this.#fills(index, start, start + size);
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
      if (argument !== this.#threads.length || argument >= LIMITS.threads || this.#kernel !== null)
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
