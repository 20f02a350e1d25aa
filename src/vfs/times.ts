/**
 * Setting the times of files.
 *
 * Node's own functions take seconds as a double, which around the year 2026 has steps of 238 ns. "Now" and
 * "unchanged" are exact (libuv hands both to the system), and so are whole seconds and whatever else a double holds;
 * for any other time utimensat(2) and futimens(2) are called directly where that is possible (vfs/native.ts). Where it
 * is not, such a time is off by at most 119 ns.
 */
import { futimesSync, lutimesSync, utimesSync } from 'node:fs';
import { host } from './hosterror.ts';
import { nativeCalls } from './native.ts';
import type { NewTime } from './openfile.ts';

/** @param fd a descriptor of the file itself, not one for looking up names */
export function setFdTimes(fd: number, atim: NewTime, mtim: NewTime): void {
  const exact = needsExact(atim) || needsExact(mtim) ? nativeCalls() : null;
  if (exact?.futimens(fd, timespecs(atim, mtim)) === 0) return;
  // Also where the exact call has failed: this one fails in the same way, and says why.
  host(() => futimesSync(fd, hostTime(atim), hostTime(mtim)));
}

/** @param follow whether a link at the end of `path` is followed */
export function setPathTimes(path: string, follow: boolean, atim: NewTime, mtim: NewTime): void {
  const exact = needsExact(atim) || needsExact(mtim) ? nativeCalls() : null;
  if (exact?.utimensat(AT_FDCWD, path, timespecs(atim, mtim), follow ? 0 : AT_SYMLINK_NOFOLLOW) === 0) return;
  host(() => (follow ? utimesSync : lutimesSync)(path, hostTime(atim), hostTime(mtim)));
}

/** `UTIME_OMIT`: libuv's value for it is NaN, which Node lets through only inside a Date. */
const UNCHANGED = new Date(Number.NaN);
/** `UTIME_NOW`: libuv's value for it is infinity, which Node lets through only as a string. */
const NOW = 'Infinity';
const NANOS = 1_000_000_000n;

/** What the `utimes` functions of Node take for a time. */
export function hostTime(time: NewTime): number | string | Date {
  if (time === null) return UNCHANGED;
  return time === 'now' ? NOW : Number(time) / 1e9;
}

/** Whether a time loses something in {@link hostTime}, by the arithmetic with which libuv takes it apart again. */
export function needsExact(time: NewTime): boolean {
  if (typeof time !== 'bigint') return false;
  const double = Number(time) / 1e9;
  const seconds = Math.trunc(double);
  return BigInt(seconds) * NANOS + BigInt(Math.trunc((double - seconds) * 1e9)) !== time;
}

// <fcntl.h> and <sys/stat.h> of Linux, the same on all its 64-bit processors.
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;

/** Two `struct timespec` (each two 64-bit integers): access, then modification. */
function timespecs(...times: readonly [atim: NewTime, mtim: NewTime]): Uint8Array {
  const words = times.flatMap((time) => {
    if (time === null) return [0n, UTIME_OMIT];
    return time === 'now' ? [0n, UTIME_NOW] : [time / NANOS, time % NANOS];
  });
  return new Uint8Array(new BigInt64Array(words).buffer);
}
