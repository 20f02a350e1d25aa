/**
 * path_open in a host directory: what may be opened and how, once the path is resolved. The rules are POSIX open(2)'s
 * as Linux carries them out; the last component is never left to the operating system to follow.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { fromHost, host, hostErrorCode } from './hosterror.ts';
import { HostDevice, neverWaits } from './hostdevice.ts';
import { HostFile, hostOpenFlags } from './hostfile.ts';
import type { OpenFile, OpenOptions } from './openfile.ts';
import type { Found } from './resolve.ts';
import { type Umask, withUmask } from './umask.ts';

/** Never followed, never waited for (a FIFO), never the daemon's controlling terminal. Windows has none of them. */
const ALWAYS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Permissions of new files before the umask. */
const NEW_FILE_MODE = 0o666;

/** What openFound asks its directory for: the thing found is a directory. */
export const IS_DIRECTORY: unique symbol = Symbol('is a directory');
/** What is there has changed between the look and the opening: resolve the path again. */
export const CHANGED: unique symbol = Symbol('changed');

function refuse(errno: keyof typeof ERRNO): never {
  throw new ErrnoError(ERRNO[errno]);
}

/** @throws ErrnoError `inval` for combinations of flags that have no meaning */
export function checkOptions(options: OpenOptions): void {
  // As Linux since 6.4 and wasmtime: a directory cannot be created by opening it.
  if (options.directory && options.create) refuse('inval');
}

/** Opens what a path names, or creates it. */
export function openFound(
  found: Found,
  options: OpenOptions,
  umask: Umask,
): OpenFile | typeof IS_DIRECTORY | typeof CHANGED {
  const { stats } = found;
  if (options.create && found.slash && found.name !== null) refuse('isdir');
  if (stats === undefined) return createFile(found, options, umask);
  if (options.create && options.exclusive) refuse('exist');
  if (stats.isDirectory()) {
    if (options.write || options.create || options.truncate) refuse('isdir');
    return IS_DIRECTORY;
  }
  if (stats.isSymbolicLink()) refuse(options.directory ? 'notdir' : 'loop');
  if (options.directory || found.slash) refuse('notdir');
  if (stats.isFile()) return openRegular(found, options);
  if (neverWaits(stats)) return openDevice(found, options);
  // POSIX: a socket cannot be opened. The other kinds could wait.
  return refuse(stats.isSocket() ? 'nxio' : 'notsup');
}

function createFile(found: Found, options: OpenOptions, umask: Umask): OpenFile | typeof CHANGED {
  if (!options.create) refuse('noent');
  const flags = hostOpenFlags(options, options.flags) | constants.O_CREAT | constants.O_EXCL | ALWAYS;
  try {
    const fd = withUmask(umask, () => openSync(found.path, flags, NEW_FILE_MODE));
    return new HostFile(fd, options, options.flags);
  } catch (error) {
    if (hostErrorCode(error) === 'EEXIST' && !options.exclusive) return CHANGED;
    throw fromHost(error);
  }
}

function openRegular(found: Found, options: OpenOptions): OpenFile | typeof CHANGED {
  // O_TRUNC without write access is undefined in POSIX, but path_open may ask for it: by a descriptor of its own.
  if (options.truncate && !options.write) {
    const fd = openChecked(found.path, constants.O_WRONLY | constants.O_TRUNC);
    if (fd === CHANGED) return CHANGED;
    closeSync(fd);
  }
  const truncate = options.truncate && options.write ? constants.O_TRUNC : 0;
  const fd = openChecked(found.path, hostOpenFlags(options, options.flags) | truncate);
  return fd === CHANGED ? CHANGED : new HostFile(fd, options, options.flags);
}

/** A descriptor of a regular file, which is looked at once more: it may have been replaced since. */
function openChecked(path: string, flags: number): number | typeof CHANGED {
  let fd: number;
  try {
    fd = openSync(path, flags | ALWAYS);
  } catch (error) {
    const code = hostErrorCode(error);
    // Removed, or replaced by a link (EMLINK is FreeBSD's word for it), since it was looked at.
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'EMLINK') return CHANGED;
    throw fromHost(error);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return CHANGED;
}

function openDevice(found: Found, options: OpenOptions): OpenFile | typeof CHANGED {
  const fd = host(() => openSync(found.path, hostOpenFlags(options, 0) | ALWAYS));
  if (neverWaits(fstatSync(fd, { bigint: true }))) return new HostDevice(fd, options.flags);
  closeSync(fd);
  return CHANGED;
}
