/** Which inputs can be seeds. */
import { GodwitError } from '../../src/base/errors.ts';

/** Whether it reads the input: what is refused on purpose is no seed. Any other error is a bug, and thrown. */
export function isTaken(read: (input: Uint8Array) => unknown, input: Uint8Array): boolean {
  try {
    read(input);
    return true;
  } catch (error) {
    if (error instanceof GodwitError) return false;
    throw error;
  }
}
