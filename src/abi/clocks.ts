/**
 * The clocks of preview 1 on top of Godwit's own: for `here` calls, in the guest's thread and in the kernel alike.
 *
 * Specification: witx, clock_res_get, clock_time_get; an unsupported clock is EINVAL. The CPU-time clocks are not
 * supported: a process that moves has used the processors of several machines, and no node can measure that at once.
 */
import type { Clock } from '../base/env.ts';
import { ERRNO, ErrnoError } from './errno.ts';
import { ClockId } from './types.ts';

/** Nanoseconds: what Node's clocks really distinguish; the specification forbids 0. */
const RESOLUTION = 1000n;

/** Monotonic time in nanoseconds. */
export function monotonicNanos(clock: Clock): bigint {
  return BigInt(Math.round(clock.now() * 1e6));
}

const READERS: ReadonlyMap<number, (clock: Clock) => bigint> = new Map([
  [ClockId.realtime, (clock: Clock) => clock.wallNanos()],
  [ClockId.monotonic, monotonicNanos],
]);

/**
 * @param id a witx `clockid`
 * @returns nanoseconds
 * @throws ErrnoError `inval` for a clock that is unknown or not supported
 */
export function clockResolution(id: number): bigint {
  if (!READERS.has(id)) throw new ErrnoError(ERRNO.inval);
  return RESOLUTION;
}

/**
 * @param id a witx `clockid`
 * @returns nanoseconds: since 1970 (realtime) or since some moment (monotonic)
 * @throws ErrnoError `inval` for a clock that is unknown or not supported
 */
export function clockTime(clock: Clock, id: number): bigint {
  const read = READERS.get(id);
  if (read === undefined) throw new ErrnoError(ERRNO.inval);
  return BigInt.asUintN(64, read(clock));
}
