/**
 * Values in frame records that nothing reads any more. A record has what is needed at any safepoint of its function, so
 * that saving is the same at all of them; a local that holds a reference to an object of the host, and is dead where the
 * program was captured, must not keep it there.
 */
import { EXTERNREF } from '../../wasm/types.ts';
import type { ValueType } from '../../wasm/types.ts';
import type { Linker } from '../continuation/link.ts';
import { savedSize } from '../layout/frame.ts';
import { readFrames } from './frames.ts';
import type { Program } from './program.ts';

/**
 * Sets what nothing reads to zero, which is null for references.
 * @param frames the records of a captured stack, innermost first
 * @param root as for {@link readFrames}
 * @param kinds which kinds of saved values are looked at
 * @returns whether some of these kinds are left that are not zero
 */
export function clearUnread(frames: Uint8Array, linker: Linker, root: number, kinds: ReadonlySet<ValueType>): boolean {
  let left = false;
  for (const { index, site, end } of readFrames(frames, linker, root)) {
    const { saved, frameBytes } = linker.plan(index);
    let needed: ReadonlySet<number> | null | undefined;
    let at = end - frameBytes;
    for (const { local, kind } of saved) {
      const value = frames.subarray(at, (at += savedSize(kind)));
      if (!kinds.has(kind) || value.every((byte) => byte === 0)) continue;
      if (needed === undefined) needed = linker.needed(index, site);
      if (needed === null || needed.has(local)) left = true;
      else value.fill(0);
    }
  }
  return left;
}

const OBJECTS: ReadonlySet<ValueType> = new Set([EXTERNREF]);

/**
 * Whether frames or globals of a captured program hold references to objects of the host. Those in frames that nothing
 * reads are gone behind this.
 * @param root as for {@link readFrames}
 */
export function holdsObjects(
  { linker, numbering }: Program,
  root: number,
  frames: Uint8Array,
  globals: Uint8Array,
): boolean {
  const inFrames = clearUnread(frames, linker, root, OBJECTS);
  let at = 0;
  const inGlobals = numbering.stateGlobals.some(({ kind }) => {
    const value = globals.subarray(at, (at += savedSize(kind)));
    return OBJECTS.has(kind) && value.some((byte) => byte !== 0);
  });
  return inFrames || inGlobals;
}
