/**
 * The image of one guest (capture/image/image.ts) as it is sent and received when the guest moves: with this daemon's
 * checksums, and what the guest takes along (node/guests/guest-baggage.ts) as the part that is opaque to the engine.
 */
import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { hasher } from '../../capture/image/hasher.ts';
import { ImageReader } from '../../capture/image/image-reader.ts';
import { ImageWriter, contentOf } from '../../capture/image/image-writer.ts';
import { growMemory, type MemorySize } from '../../capture/layout/memory.ts';
import { decodeRest, encodeRest, type GuestRest } from './guest-baggage.ts';
import type { LoadedModule } from '../modules/modules.ts';
import { Remains } from './remains.ts';

/** Milliseconds for which a large memory may be looked through before everything else of the node has its turn. */
const TURN_MS = 10;

/**
 * The image of a guest that is frozen: read piece by piece from the live memory.
 * @throws GodwitError `cannot_move` if a thread's state holds a host reference
 */
export async function imageOf(
  module: LoadedModule,
  memories: readonly WebAssembly.Memory[],
  rest: GuestRest,
): Promise<ImageWriter> {
  const source = {
    moduleHash: Buffer.from(module.hash, 'hex'),
    memories: memories.map(({ buffer }) => ({
      bytes: new Uint8Array(buffer),
      maximumPages: LIMITS.wideMemoryPages,
    })),
    ...encodeRest(rest),
  };
  const parts = contentOf(source);
  let turn = performance.now();
  for (;;) {
    const { done, value } = parts.next();
    if (done === true) return new ImageWriter(source, hasher, value);
    if (performance.now() - turn < TURN_MS) continue;
    await setImmediate();
    turn = performance.now();
  }
}

/** A memory that an image comes into. */
export interface Receiving {
  readonly memory: WebAssembly.Memory;
  /** What it was asked for. */
  readonly size: MemorySize;
  /** Bytes from its start that may hold what its last guest has left there. */
  readonly usedBytes: number;
}

/**
 * How large to make memories for the image of a process with so many bytes of them: a single one as large as the
 * process's at once; of several none knows its share before the image comes.
 */
export function sizesToReceive(sizes: readonly MemorySize[], bytes: number): readonly MemorySize[] {
  const [only] = sizes;
  if (only === undefined || sizes.length > 1) return sizes;
  const initialPages = Math.max(only.initialPages, Math.ceil(bytes / 65_536));
  return [{ ...only, initialPages, maximumPages: Math.max(only.maximumPages, initialPages) }];
}

/** Takes the pieces of an image that arrives, memory straight to where it belongs. */
export class ImageLoader {
  readonly #reader: ImageReader;
  readonly #memories: readonly Receiving[];
  readonly #remains: readonly Remains[];
  #rest: GuestRest | null = null;

  constructor(module: LoadedModule, memories: readonly Receiving[]) {
    this.#memories = memories;
    this.#remains = memories.map(({ usedBytes }) => new Remains(usedBytes));
    this.#reader = new ImageReader(
      hasher,
      ({ memories: wanted, moduleHash }) => {
        if (Buffer.from(moduleHash).toString('hex') !== module.hash) {
          throw new GodwitError('corrupt', 'the image is of another module than announced');
        }
        if (wanted.length !== memories.length)
          throw new GodwitError('corrupt', `an image with ${wanted.length} memories`);
        return memories.map(({ memory, size }, index) => {
          const missing = wanted[index]!.pages - memory.buffer.byteLength / 65_536;
          // It may have grown since its home said how large it is.
          if (missing > 0) grow(memory, missing, size);
          return new Uint8Array(memory.buffer);
        });
      },
      (memory, start, end) => this.#remains[memory]?.overwrite(start, end),
    );
  }

  /**
   * @returns all but memory, as soon as it is there: memory still comes, and only {@link finish} finds what was damaged
   * @throws GodwitError `corrupt`, `version_mismatch`, `limit`
   */
  write(chunk: Uint8Array): GuestRest | null {
    this.#reader.push(chunk);
    const { states } = this.#reader;
    if (states !== null) this.#rest ??= decodeRest(states);
    return this.#rest;
  }

  /**
   * After this the memories hold what the image says and nothing else.
   * @throws GodwitError `corrupt` if the image is not complete, or not the one with this digest
   */
  finish(announced: Uint8Array): GuestRest {
    const { digest } = this.#reader.finish();
    this.#memories.forEach(({ memory }, index) => this.#remains[index]!.clear(memory));
    if (Buffer.compare(digest, announced) !== 0) throw new GodwitError('corrupt', 'the image is not the one announced');
    assert(this.#rest !== null, 'an image that is complete has its states');
    return this.#rest;
  }
}

function grow(memory: WebAssembly.Memory, pages: number, size: MemorySize): void {
  try {
    growMemory(memory, pages, size);
  } catch (error) {
    throw new GodwitError('limit', `the memory cannot grow by ${pages * 64} KiB here`, { cause: error });
  }
}
