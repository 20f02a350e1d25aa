/**
 * Results that are there now or come later, put together.
 */
import { ERRNO, ErrnoError, type ErrnoName } from '../abi/errno.ts';
import { Waiting } from '../base/waiting.ts';
import type { Maybe, Settled } from '../vfs/openfile.ts';

/** @throws ErrnoError always */
export function refuse(errno: Exclude<ErrnoName, 'success'>): never {
  throw new ErrnoError(ERRNO[errno]);
}

/** What `make` returns, or the errno that it throws. Anything else that it throws is a bug of ours and passes. */
export function settled<T>(make: () => T): Settled<T> {
  try {
    return { value: make() };
  } catch (error) {
    if (error instanceof ErrnoError) return { errno: error.errno };
    throw error;
  }
}

/**
 * Makes another result of a result, now or when it comes. `make` may fail with ErrnoError either way.
 *
 * Withdrawing what this returns withdraws what it was made of; if that settles instead, with a partial result, so
 * does this.
 */
export function mapMaybe<T, U>(maybe: Maybe<T>, make: (value: T) => U): Maybe<U> {
  if (!(maybe instanceof Waiting)) return make(maybe);
  const mapped = new Waiting<Settled<U>>(() => {
    maybe.withdraw();
  });
  maybe.whenDone((result) => {
    mapped.settle('errno' in result ? result : settled(() => make(result.value)));
  });
  return mapped;
}
