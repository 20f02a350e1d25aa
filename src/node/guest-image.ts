/**
 * The image of one guest (capture/image.ts) as it is sent and received when the guest moves: with this daemon's
 * checksums, and what the guest takes along (node/guest-baggage.ts) as the part that is opaque to the engine.
 */
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { hasher } from '../capture/hasher.ts';
import { ImageReader } from '../capture/image-reader.ts';
import { ImageWriter } from '../capture/image-writer.ts';
import { growMemory, type MemorySize } from '../capture/memory.ts';
import type { ImageSource } from '../migration/hosts.ts';
import { decodeRest, encodeRest, type GuestRest } from './guest-baggage.ts';
import type { LoadedModule } from './modules.ts';

/**
 * The image of a guest that is frozen: read piece by piece from the live memory.
 * @throws GodwitError `cannot_move` if a thread's state holds a host reference
 */
export function imageOf(module: LoadedModule, memories: readonly WebAssembly.Memory[], rest: GuestRest): ImageSource {
  return new ImageWriter(
    {
      moduleHash: Buffer.from(module.hash, 'hex'),
      memories: memories.map(({ buffer }) => ({
        bytes: new Uint8Array(buffer),
        maximumPages: LIMITS.wideMemoryPages,
      })),
      ...encodeRest(rest),
    },
    hasher,
  );
}

/** Takes the pieces of an image that arrives, memory straight to where it belongs. */
export class ImageLoader {
  readonly #reader: ImageReader;
  readonly #module: LoadedModule;

  /** @param sizes of those memories as they were asked for */
  constructor(module: LoadedModule, memories: readonly WebAssembly.Memory[], sizes: readonly MemorySize[]) {
    this.#module = module;
    this.#reader = new ImageReader(hasher, ({ memories: wanted }) => {
      if (wanted.length !== memories.length)
        throw new GodwitError('corrupt', `an image with ${wanted.length} memories`);
      return memories.map((memory, index) => {
        const missing = wanted[index]!.pages - memory.buffer.byteLength / 65_536;
        // It may have grown since its home said how large it is.
        if (missing > 0) grow(memory, missing, sizes[index]!);
        return new Uint8Array(memory.buffer);
      });
    });
  }

  /** @throws GodwitError `corrupt`, `version_mismatch`, `limit` */
  write(chunk: Uint8Array): void {
    this.#reader.push(chunk);
  }

  /** @throws GodwitError `corrupt` if the image is not complete, or not the one with this digest or of this module */
  finish(announced: Uint8Array): GuestRest {
    const { header, digest, threads, kernel } = this.#reader.finish();
    if (Buffer.compare(digest, announced) !== 0) throw new GodwitError('corrupt', 'the image is not the one announced');
    if (Buffer.from(header.moduleHash).toString('hex') !== this.#module.hash) {
      throw new GodwitError('corrupt', 'the image is of another module than announced');
    }
    return decodeRest({ threads, kernel });
  }
}

function grow(memory: WebAssembly.Memory, pages: number, size: MemorySize): void {
  try {
    growMemory(memory, pages, size);
  } catch (error) {
    throw new GodwitError('limit', `the memory cannot grow by ${pages * 64} KiB here`, { cause: error });
  }
}
