/**
 * What a host has done with the stack while it was unwound can be seen in the records that are left. A resume calls again
 * the import that was innermost, and nothing else of the host: so no other frame of the host may have been on the stack.
 */
import { GodwitError } from '../../base/errors.ts';
import { TRAILER_BYTES } from '../layout/frame.ts';
import type { Numbering } from '../layout/numbering.ts';

/**
 * @param records of a stack that has just been unwound, innermost first, as the program's code has left them
 * @param polled whether a poll has unwound it, and not a function of the host
 * @throws GodwitError `cannot_move` if they are not all of the stack: it cannot be taken up again
 */
export function requireWholeStack(records: Uint8Array<ArrayBuffer>, polled: boolean, numbering: Numbering): void {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  // A frame that calls the host is the innermost one of what the program knows to be on the stack.
  let innermost = false;
  // Below them may be what a forged state held and nothing has taken up: no size is trusted to be one.
  for (let end = records.length; end >= TRAILER_BYTES; end -= Math.max(view.getUint32(end - 8, true), TRAILER_BYTES)) {
    if (innermost) throw pastTheEngine();
    const index = view.getUint32(end - 16, true);
    innermost = index < numbering.imports || numbering.waitUse(index) !== undefined;
  }
  if (!innermost && !polled) {
    throw new GodwitError(
      'cannot_move',
      'captured in a function of the host that the program has not imported but got as a reference: it cannot be called again',
    );
  }
}

function pastTheEngine(): GodwitError {
  return new GodwitError(
    'cannot_move',
    'captured in a function that an import has called by a reference of its own, past the engine: the import cannot be called again',
  );
}

/** An import has caught what unwinds the stack, and has run on over the frames that were gone. */
export function stoppedUnwinding(): GodwitError {
  return new GodwitError('cannot_move', 'a function of the host has caught what was unwinding the stack');
}
