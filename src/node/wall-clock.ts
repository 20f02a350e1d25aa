/**
 * Wall-clock time finer than the system's own, of which Node gives whole milliseconds only. What comes behind the
 * milliseconds is taken from the monotonic clock; the milliseconds never are: a wall clock is set, is slewed, and goes
 * on while a machine is suspended, which is why it is asked for at all.
 */

/** Of the times within one millisecond since 1970 that a double can tell apart, the last: they are 2^-12 ms apart. */
const LAST_IN_MS = 1 - 2 ** -12;

/**
 * @param wall the system's wall clock in whole milliseconds
 * @param monotonic milliseconds with fractions, from any start
 * @returns the wall clock in milliseconds with fractions: always within the millisecond that `wall` tells, and never
 *   backwards while that does not go backwards
 */
export function fineWallClock(wall: () => number, monotonic: () => number): () => number {
  let offset = wall() - monotonic();
  return () => {
    const now = wall();
    const fine = monotonic() + offset;
    const shown = Math.min(Math.max(fine, now), now + LAST_IN_MS);
    offset += shown - fine;
    return shown;
  };
}
