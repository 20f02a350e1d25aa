/**
 * Synchronisation of files with the disk, off this thread: a disk that takes its time, or a file server that does not
 * answer, keeps nothing waiting but the call.
 */
import { fdatasync, fsync } from 'node:fs';
import { ErrnoError } from '../abi/errno.ts';
import { Waiting } from '../base/waiting.ts';
import { fromHost } from './hosterror.ts';
import type { Settled } from './openfile.ts';

/**
 * fsync or fdatasync of what has been written before. It may be withdrawn: made again, it is as if made once. If the
 * descriptor is closed meanwhile, another file may be synchronised, which does no harm.
 * @param over called when the descriptor is not needed any more, whether or not the call was withdrawn
 */
export function synchronise(fd: number, dataOnly: boolean, over: () => void = () => {}): Waiting<Settled<void>> {
  const waiting = new Waiting<Settled<void>>(() => {});
  (dataOnly ? fdatasync : fsync)(fd, (error) => {
    over();
    waiting.settle(error === null ? { value: undefined } : { errno: errnoOf(error) });
  });
  return waiting;
}

function errnoOf(error: NodeJS.ErrnoException) {
  const known = fromHost(error);
  if (known instanceof ErrnoError) return known.errno;
  throw error;
}
