/** From a module's bytes to what can be run of it: a program that can be captured, or one that has to stay. */
import { Program } from './program.ts';
import { rewrite } from '../rewriting/rewrite.ts';
import { StayingProgram, shareMemories, stayingReason } from './staying.ts';

export type AnyProgram = Program | StayingProgram;

/**
 * @param bulkPiece as for `rewrite`
 * @returns the module as it is run: rewritten, or with no more than its memories shared
 * @throws GodwitError as `rewrite` does, for modules that cannot even be run
 */
export function prepare(original: Uint8Array, bulkPiece?: number): Uint8Array<ArrayBuffer> {
  try {
    return rewrite(original, bulkPiece).module;
  } catch (error) {
    const reason = stayingReason(error);
    if (reason === null) throw error;
    return shareMemories(original, reason);
  }
}

/**
 * @param prepared the compiled result of {@link prepare}
 * @throws GodwitError `version_mismatch` or `corrupt` if the two do not belong together
 */
export function openProgram(original: Uint8Array, prepared: WebAssembly.Module): AnyProgram {
  return StayingProgram.open(original, prepared) ?? Program.open(original, prepared);
}
