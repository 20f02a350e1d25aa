/**
 * Synchronisation of files with the disk, off this thread: a disk that takes its time, or a file server that does not
 * answer, keeps nothing waiting but such calls.
 */
import { fdatasync, fsync } from 'node:fs';
import { ErrnoError } from '../abi/errno.ts';
import { Waiting } from '../base/waiting.ts';
import { fromHost } from './hosterror.ts';
import type { Settled } from './openfile.ts';

/**
 * As many at a time: Node has four threads for all that would block, the look-up of names and the opening of named pipes
 * among it. Files of a disk that does not answer wait for each other, and nothing else does.
 */
const MOST = 2;
let underWay = 0;
/** In the order of the calls. */
const queue = new Set<() => void>();

/**
 * fsync or fdatasync of what has been written before. It may be withdrawn: made again, it is as if made once. If the
 * descriptor is closed meanwhile, it fails with `badf`, or another file is synchronised, which does no harm.
 * @param over called when the descriptor is not needed any more, whether or not the call was withdrawn
 */
export function synchronise(fd: number, dataOnly: boolean, over: () => void = () => {}): Waiting<Settled<void>> {
  const begin = (): void => {
    underWay++;
    (dataOnly ? fdatasync : fsync)(fd, (error) => {
      underWay--;
      over();
      waiting.settle(error === null ? { value: undefined } : { errno: errnoOf(error) });
      beginNext();
    });
  };
  const waiting = new Waiting<Settled<void>>(() => {
    if (queue.delete(begin)) over();
  });
  queue.add(begin);
  beginNext();
  return waiting;
}

function beginNext(): void {
  for (const begin of queue) {
    if (underWay === MOST) return;
    queue.delete(begin);
    begin();
  }
}

function errnoOf(error: NodeJS.ErrnoException) {
  const known = fromHost(error);
  if (known instanceof ErrnoError) return known.errno;
  throw error;
}
