/**
 * Setting the times of a path. `path` is a single name in a directory that is held, or the directory itself.
 */
import { lutimesSync, utimesSync } from 'node:fs';
import { hostTime } from './filestat.ts';
import { host } from './hosterror.ts';
import type { NewTime } from './openfile.ts';

/** @param follow whether a link at the end of `path` is followed */
export function setPathTimes(path: string, follow: boolean, atim: NewTime, mtim: NewTime): void {
  host(() => (follow ? utimesSync : lutimesSync)(path, hostTime(atim), hostTime(mtim)));
}
