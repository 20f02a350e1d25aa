/** fd_advise of a file. */
import { ERRNO, ErrnoError } from '../abi/errno.ts';

/** witx `advice` has six values, 0 to 5. */
const MAX_ADVICE = 5;
const MAX_OFFSET = (1n << 63n) - 1n;

/**
 * Advice is a hint, so taking note of it and doing nothing is all that it asks for.
 * @throws ErrnoError `inval` for advice that is none, and for a range that ends behind any file
 */
export function checkAdvice(offset: bigint, length: bigint, advice: number): void {
  if (advice > MAX_ADVICE || offset + length > MAX_OFFSET) throw new ErrnoError(ERRNO.inval);
}
