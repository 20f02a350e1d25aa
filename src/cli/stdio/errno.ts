/** From the errors of node:fs and node:net to errno numbers. */
import { ERRNO, type Errno, type ErrnoName } from '../../abi/errno.ts';

/** `EPIPE` gives ERRNO.pipe; what has no counterpart is EIO. */
export function errnoOf(error: unknown): Errno {
  const { code } = error as NodeJS.ErrnoException;
  // Node's own word for writing behind an end that was already reported.
  if (code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_WRITE_AFTER_END') return ERRNO.pipe;
  const name = code?.startsWith('E') ? code.slice(1).toLowerCase() : '';
  return ERRNO[name as Exclude<ErrnoName, 'success'>] ?? ERRNO.io;
}
