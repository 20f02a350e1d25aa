/** Memories as the host makes them: shared, with 32-bit or 64-bit addresses. */
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Addressed } from '../../wasm/module.ts';
import { I64 } from '../../wasm/types.ts';

/** Sizes are in pages of 64 KiB. */
export interface MemorySize {
  readonly initialPages: number;
  readonly maximumPages: number;
  /** Whether it has 64-bit addresses; the JavaScript interface then wants its sizes as BigInt. */
  readonly wide: boolean;
}

/** Pages that a memory with such addresses can have. */
function mostPages({ address }: Addressed): number {
  return address === I64 ? LIMITS.wideMemoryPages : LIMITS.memoryPages;
}

/** @throws GodwitError `limit` if it cannot be as large as it must be */
export function sizeOf(memory: Addressed): MemorySize {
  if (memory.minimum > mostPages(memory)) {
    throw new GodwitError('limit', `a memory of ${memory.minimum} pages; ${mostPages(memory)} are the most`);
  }
  const maximumPages = Math.min(memory.maximum ?? Number.POSITIVE_INFINITY, mostPages(memory));
  return { initialPages: memory.minimum, maximumPages, wide: memory.address === I64 };
}

/** @throws RangeError if the machine cannot give the memory */
export function createMemory({ initialPages, maximumPages, wide }: MemorySize): WebAssembly.Memory {
  if (!wide) return new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages, shared: true });
  const [initial, maximum] = [BigInt(initialPages), BigInt(maximumPages)];
  return new WebAssembly.Memory({ address: 'i64', initial, maximum, shared: true });
}

/** @throws RangeError if it cannot grow so far */
export function growMemory(memory: WebAssembly.Memory, pages: number, { wide }: MemorySize): void {
  if (wide) memory.grow(BigInt(pages));
  else memory.grow(pages);
}
