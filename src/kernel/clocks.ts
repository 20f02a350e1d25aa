/**
 * The clocks that home can answer for: the wall clock and the monotonic one of its machine. A guest's own thread
 * answers clock_time_get itself (guest/local.ts), with the CPU time that only it knows and a monotonic clock that goes
 * on across moves; here they serve poll_oneoff, and a guest that asks home all the same.
 *
 * Specification: witx, clock_res_get, clock_time_get; an unsupported clock is EINVAL.
 */
import type { Clock } from '../base/env.ts';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { ClockId } from '../abi/types.ts';

/** Nanoseconds: what Node's clocks really distinguish; the specification forbids 0. */
const RESOLUTION = 1000n;

/** Monotonic time in nanoseconds. */
function monotonicNanos(clock: Clock): bigint {
  return BigInt(Math.round(clock.now() * 1e6));
}

const READERS: ReadonlyMap<number, (clock: Clock) => bigint> = new Map([
  [ClockId.realtime, (clock: Clock) => clock.wallNanos()],
  [ClockId.monotonic, monotonicNanos],
]);

/**
 * @param id a witx `clockid`
 * @returns nanoseconds
 * @throws ErrnoError `inval` for a clock that is unknown or not home's to tell
 */
export function clockResolution(id: number): bigint {
  if (!READERS.has(id)) throw new ErrnoError(ERRNO.inval);
  return RESOLUTION;
}

/**
 * @param id a witx `clockid`
 * @returns nanoseconds: since 1970 (realtime) or since some moment (monotonic)
 * @throws ErrnoError `inval` for a clock that is unknown or not home's to tell
 */
export function clockTime(clock: Clock, id: number): bigint {
  const read = READERS.get(id);
  if (read === undefined) throw new ErrnoError(ERRNO.inval);
  return BigInt.asUintN(64, read(clock));
}
