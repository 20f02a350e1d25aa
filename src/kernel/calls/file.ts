/**
 * Calls on what an open descriptor refers to: reading, writing, positions, attributes, listing.
 */
import { ERRNO, ErrnoError, type Errno } from '../../abi/errno.ts';
import { DIRENT } from '../../abi/layout.ts';
import { signalNamed } from '../../abi/signals.ts';
import { FstFlags, Rights, Whence } from '../../abi/types.ts';
import { encodeUtf8 } from '../../base/bytes.ts';
import { Waiting } from '../../base/waiting.ts';
import type { Maybe, NewTime, OpenFile } from '../../vfs/openfile.ts';
import {
  type ArgsOf,
  type CallContext,
  checkFlags,
  directoryAt,
  type Implementation,
  isSocket,
  NOTHING,
} from './implementation.ts';
import { mapMaybe, refuse } from '../maybe.ts';

const SIGPIPE = signalNamed('PIPE');

/** witx `advice`: normal, sequential, random, willneed, dontneed, noreuse. */
const LAST_ADVICE = 5;

const counted = (count: Maybe<number>) => mapMaybe(count, (count) => ({ count }));
const finished = (done: Maybe<void>) => mapMaybe(done, () => NOTHING);

export const fd_read: Implementation<'fd_read'> = ({ process }, { fd, buffers }) =>
  counted(process.descriptors.require(fd, Rights.fd_read).file.read(buffers, null));

export const fd_pread: Implementation<'fd_pread'> = ({ process }, { fd, buffers, offset }) =>
  counted(process.descriptors.require(fd, Rights.fd_read | Rights.fd_seek).file.read(buffers, offset));

export const fd_write: Implementation<'fd_write'> = (context, { fd, buffers }) => {
  const { file } = context.process.descriptors.require(fd, Rights.fd_write);
  return counted(brokenPipe(context, file, () => file.write(buffers, null)));
};

export const fd_pwrite: Implementation<'fd_pwrite'> = ({ process }, { fd, buffers, offset }) =>
  counted(process.descriptors.require(fd, Rights.fd_write | Rights.fd_seek).file.write(buffers, offset));

/**
 * EPIPE comes with SIGPIPE, whose default action ends the process (POSIX, write): that is what makes
 * `program | head` end, as it does without Godwit, since most C programs do not look at errors of output. Preview 1
 * has no way to ignore the signal as a server does, so on a connection it is not raised, as with MSG_NOSIGNAL.
 */
function brokenPipe({ process, control }: CallContext, file: OpenFile, write: () => Maybe<number>): Maybe<number> {
  const check = (errno: Errno): void => {
    if (errno === ERRNO.pipe && !isSocket(file)) control.signal(process, SIGPIPE);
  };
  try {
    const count = write();
    if (!(count instanceof Waiting)) return count;
    const watched = new Waiting<{ readonly value: number } | { readonly errno: Errno }>(() => {
      count.withdraw();
    });
    count.whenDone((result) => {
      watched.settle(result);
      if ('errno' in result) check(result.errno);
    });
    return watched;
  } catch (error) {
    if (error instanceof ErrnoError) check(error.errno);
    throw error;
  }
}

export const fd_seek: Implementation<'fd_seek'> = ({ process }, { fd, offset, whence }) => {
  // Asking for the position changes nothing and needs the smaller right only (witx, `rights`: fd_tell).
  const asks = offset === 0n && whence === Whence.cur;
  const { file } = process.descriptors.require(fd, asks ? Rights.fd_tell : Rights.fd_seek);
  if (whence > Whence.end) refuse('inval');
  return mapMaybe(file.seek(offset, whence), (position) => ({ position }));
};

export const fd_tell: Implementation<'fd_tell'> = ({ process }, { fd }) =>
  mapMaybe(process.descriptors.require(fd, Rights.fd_tell).file.seek(0n, Whence.cur), (position) => ({ position }));

export const fd_advise: Implementation<'fd_advise'> = ({ process }, { fd, offset, length, advice }) => {
  const { file } = process.descriptors.require(fd, Rights.fd_advise);
  if (advice > LAST_ADVICE) refuse('inval');
  file.advise(offset, length, advice);
  return NOTHING;
};

export const fd_allocate: Implementation<'fd_allocate'> = ({ process }, { fd, offset, length }) => {
  const { file } = process.descriptors.require(fd, Rights.fd_allocate);
  // As posix_fallocate.
  if (length === 0n) refuse('inval');
  return finished(file.allocate(offset, length));
};

export const fd_datasync: Implementation<'fd_datasync'> = ({ process }, { fd }) =>
  finished(process.descriptors.require(fd, Rights.fd_datasync).file.sync(true));

export const fd_sync: Implementation<'fd_sync'> = ({ process }, { fd }) =>
  finished(process.descriptors.require(fd, Rights.fd_sync).file.sync(false));

export const fd_filestat_get: Implementation<'fd_filestat_get'> = ({ process }, { fd }) =>
  mapMaybe(process.descriptors.require(fd, Rights.fd_filestat_get).file.stat(), (stat) => ({ stat }));

export const fd_filestat_set_size: Implementation<'fd_filestat_set_size'> = ({ process }, { fd, size }) =>
  finished(process.descriptors.require(fd, Rights.fd_filestat_set_size).file.setSize(size));

export const fd_filestat_set_times: Implementation<'fd_filestat_set_times'> = ({ process }, args) => {
  const { file } = process.descriptors.require(args.fd, Rights.fd_filestat_set_times);
  const { atim, mtim } = newTimes(args);
  return finished(file.setTimes(atim, mtim));
};

/** @throws ErrnoError `inval` if a time is both given and "now", or for unknown flags */
export function newTimes(args: Pick<ArgsOf<'fd_filestat_set_times'>, 'atim' | 'mtim' | 'flags'>): {
  readonly atim: NewTime;
  readonly mtim: NewTime;
} {
  checkFlags(args.flags, FstFlags);
  return {
    atim: newTime(args.flags, FstFlags.atim, FstFlags.atimNow, args.atim),
    mtim: newTime(args.flags, FstFlags.mtim, FstFlags.mtimNow, args.mtim),
  };
}

function newTime(flags: number, given: number, now: number, time: bigint): NewTime {
  const isGiven = (flags & given) !== 0;
  const isNow = (flags & now) !== 0;
  if (isGiven && isNow) refuse('inval');
  if (isNow) return 'now';
  return isGiven ? time : null;
}

/**
 * Packs entries behind one another; the last one is cut off where the room ends. The caller knows from a full buffer
 * that there is more, and goes on behind the last whole entry by its cookie (witx, fd_readdir).
 */
export const fd_readdir: Implementation<'fd_readdir'> = ({ process }, { fd, entries, cookie }) => {
  const directory = directoryAt(process, fd, Rights.fd_readdir);
  let count = 0;
  for (const entry of directory.entries(cookie)) {
    if (count === entries.length) break;
    const name = encodeUtf8(entry.name);
    const record = new Uint8Array(DIRENT.size + name.length);
    DIRENT.write(new DataView(record.buffer), 0, {
      next: entry.next,
      ino: entry.ino,
      nameLength: name.length,
      filetype: entry.filetype,
    });
    record.set(name, DIRENT.size);
    const part = record.subarray(0, entries.length - count);
    entries.set(part, count);
    count += part.length;
  }
  return { count };
};
