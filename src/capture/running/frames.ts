/**
 * Reading frame records of a state that may be hostile. Checked is what keeps the engine itself safe: that every
 * record fits its function, where the stack begins and where it ends. Neighbours that cannot have called each other
 * fail by themselves, as a trap: a continuation calls the next one indirectly, with the type that it expects. Whatever
 * a forged record makes the program's code do, it does in the program's own sandbox.
 */
import { GodwitError } from '../../base/errors.ts';
import { TRAILER_BYTES } from '../layout/frame.ts';
import type { Module } from '../../wasm/module.ts';
import type { Root } from './state.ts';
import type { Linker } from '../continuation/link.ts';

export interface FrameRecord {
  /** The function, by the original's index, and the site at which it was. */
  readonly index: number;
  readonly site: number;
  /** Offset behind the record. */
  readonly end: number;
}

/** The index of the function that was called from outside, in the original; -1, which no function has, if there is none. */
export function rootIndex({ start, exports }: Module, root: Root): number {
  if (root.type === 'start') return start ?? -1;
  return exports.find(({ kind, name }) => kind === 'function' && name === root.name)?.index ?? -1;
}

/**
 * @param area the records, innermost first
 * @param root the function that was called: the outermost record must be of one with the same results
 * @returns the records, innermost first
 * @throws GodwitError `corrupt`
 */
export function readFrames(area: Uint8Array, linker: Linker, root: number): FrameRecord[] {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const frames: FrameRecord[] = [];
  let end = area.length;
  while (end > 0) {
    if (end < TRAILER_BYTES) throw new GodwitError('corrupt', 'a state with a broken frame');
    const index = view.getUint32(end - 16, true);
    const site = view.getUint32(end - 12, true);
    const size = view.getUint32(end - 8, true);
    const plan = linker.plan(index);
    if (size !== plan.frameBytes || size > end || site >= plan.sites) {
      throw new GodwitError('corrupt', `a state with a frame that does not fit function ${index}`);
    }
    frames.push({ index, site, end });
    end -= size;
  }
  // It may be another function of the same results, which the called one has tail-called.
  if (frames[0] === undefined || !linker.sameResults(frames[0].index, root))
    throw new GodwitError('corrupt', 'a state whose outermost frame cannot have been called');
  return frames.toReversed();
}
