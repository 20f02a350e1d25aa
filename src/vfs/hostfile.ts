/**
 * A regular file of the host. Reads, writes and seeks are vfs/direct.ts, which a guest's own thread can do as well;
 * this adds what only the kernel does.
 *
 * Flags: append, sync, dsync and rsync are real flags of the OS descriptor (rsync as sync, which is what Linux makes
 * of it). Node has no fcntl, so a change of them opens the same file anew through /proc/self/fd, which keeps the
 * position (it is not the system's) but needs the permission to open the file; without it, or without procfs, the
 * change is refused with `notsup` rather than forgotten. nonblock means nothing for a regular file and is only kept.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FdFlags, FileType } from '../abi/types.ts';
import type { FileStat } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import type { Waiting } from '../base/waiting.ts';
import { checkAdvice } from './advice.ts';
import { DirectFile } from './direct.ts';
import { fileStatOf } from './filestat.ts';
import { host } from './hosterror.ts';
import { nativeCalls } from './native.ts';
import type { NewTime, OpenFile, Readiness, Settled } from './openfile.ts';
import { synchronise } from './sync.ts';
import { setFdTimes } from './times.ts';

/** The `open` flags for an access mode and witx `fdflags`. Neither reading nor writing is opened for reading. */
export function hostOpenFlags(access: Access, flags: number): number {
  let host: number = access.write ? (access.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  if ((flags & FdFlags.append) !== 0) host |= constants.O_APPEND;
  if ((flags & FdFlags.dsync) !== 0) host |= constants.O_DSYNC;
  if ((flags & (FdFlags.sync | FdFlags.rsync)) !== 0) host |= constants.O_SYNC;
  return host;
}

/** Flags that are properties of the OS descriptor. */
const HOST_FLAGS = FdFlags.append | FdFlags.dsync | FdFlags.rsync | FdFlags.sync;
const ALL_FLAGS = HOST_FLAGS | FdFlags.nonblock;

export interface Access {
  readonly read: boolean;
  readonly write: boolean;
}

const MAX_OFFSET = (1n << 63n) - 1n;

export class HostFile implements OpenFile {
  readonly filetype = FileType.regularFile;
  readonly direct: DirectFile;
  readonly #access: Access;
  #flags: number;

  /**
   * @param fd a descriptor of a regular file, opened with `hostOpenFlags(access, flags)`; belongs to the file now
   * @param flags witx `fdflags`
   */
  constructor(fd: number, access: Access, flags: number) {
    this.direct = DirectFile.create(fd, (flags & FdFlags.append) !== 0);
    this.#access = access;
    this.#flags = flags;
  }

  get flags(): number {
    return this.#flags;
  }

  get hostFd(): number {
    return this.direct.fd;
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): number {
    return this.direct.read(buffers, position);
  }

  write(buffers: readonly Uint8Array[], position: bigint | null): number {
    return this.direct.write(buffers, position);
  }

  seek(offset: bigint, whence: number): bigint {
    return this.direct.seek(offset, whence);
  }

  stat(): FileStat {
    return fileStatOf(this.#stats());
  }

  /** @throws ErrnoError `inval` for unknown flags, `notsup` if the system does not let them be changed */
  setFlags(flags: number): void {
    if ((flags & ~ALL_FLAGS) !== 0) throw new ErrnoError(ERRNO.inval);
    if (((flags ^ this.#flags) & HOST_FLAGS) !== 0) this.#reopen(flags);
    this.#flags = flags;
  }

  /** @throws ErrnoError `inval` for 2^63 and more and if the file is not open for writing, `fbig`, `nospc`, `io` */
  setSize(size: bigint): void {
    if (size > MAX_OFFSET) throw new ErrnoError(ERRNO.inval);
    // Beyond 2^53 a number could name another size than the one meant; no file system holds such files.
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new ErrnoError(ERRNO.fbig);
    const { fd } = this.direct;
    host(() => ftruncateSync(fd, Number(size)));
  }

  setTimes(atim: NewTime, mtim: NewTime): void {
    setFdTimes(this.direct.fd, atim, mtim);
  }

  /**
   * Sees to it that the bytes from `offset` on exist and have their place on the disk, as posix_fallocate does. Where
   * the system cannot be asked for that (vfs/native.ts, or a file system without it), zeros are appended for real:
   * nothing that is there is overwritten, whoever writes at the same time, and a full disk is found out now.
   * @param system the system's own calls; null to do without
   * @throws ErrnoError `inval` for no bytes, `fbig`, `badf` if not open for writing, `nospc`, and `notsup` where this
   *   cannot be done: more than LIMITS.allocateBytes at once; without the system's call also for a hole inside the
   *   file, and if it may not be opened again
   */
  allocate(offset: bigint, length: bigint, system = nativeCalls()): void {
    if (length === 0n) throw new ErrnoError(ERRNO.inval);
    const end = offset + length;
    if (end > MAX_OFFSET) throw new ErrnoError(ERRNO.fbig);
    if (!this.#access.write) throw new ErrnoError(ERRNO.badf);
    // However fast most file systems are at it: those in memory have to clear each byte.
    const few = length <= BigInt(LIMITS.allocateBytes);
    if (few && system?.fallocate(this.direct.fd, ANY_SIZE, offset, length) === 0) return;
    const { size, blocks } = this.#stats();
    if (offset < size && blocks * STAT_BLOCK < size) throw new ErrnoError(ERRNO.notsup);
    if (end <= size) return;
    if (end - size > BigInt(LIMITS.allocateBytes)) throw new ErrnoError(ERRNO.notsup);
    const fd = this.#openAgain(constants.O_WRONLY | constants.O_APPEND);
    try {
      this.#appendZeros(fd, size, end);
    } finally {
      closeSync(fd);
    }
  }

  #appendZeros(fd: number, from: bigint, end: bigint): void {
    const zeros = new Uint8Array(ZEROS_BYTES);
    let size = from;
    try {
      while (size < end) {
        const part = Math.min(ZEROS_BYTES, Number(end - size));
        size += BigInt(host(() => writeSync(fd, zeros, 0, part)));
      }
    } catch (error) {
      // All or nothing, unless someone else has written behind it.
      if (this.#stats().size === size) host(() => ftruncateSync(fd, Number(from)));
      throw error;
    }
  }

  advise(offset: bigint, length: bigint, advice: number): void {
    checkAdvice(offset, length, advice);
  }

  sync(dataOnly: boolean): Waiting<Settled<void>> {
    return synchronise(this.direct.fd, dataOnly);
  }

  /** Always ready; at the end of the file a read returns 0 at once, so that counts as ready too. */
  poll(direction: 'read' | 'write'): Readiness {
    if (direction === 'write') return { bytes: BigInt(LIMITS.homeCallBytes), hangup: false };
    const left = this.#stats().size - this.direct.tell();
    return { bytes: left > 0n ? left : 0n, hangup: false };
  }

  close(): void {
    const { fd } = this.direct;
    this.direct.replaceFd(-1, false);
    host(() => closeSync(fd));
  }

  #stats() {
    const { fd } = this.direct;
    return host(() => fstatSync(fd, { bigint: true }));
  }

  #reopen(flags: number): void {
    // In append mode the position may be the old descriptor's: fetched while that is there.
    this.direct.tell();
    const old = this.direct.fd;
    const fd = this.#openAgain(hostOpenFlags(this.#access, flags));
    this.direct.replaceFd(fd, (flags & FdFlags.append) !== 0);
    closeSync(old);
  }

  /** Another descriptor of the same file, even if it has no name any more. */
  #openAgain(flags: number): number {
    if (process.platform !== 'linux') throw new ErrnoError(ERRNO.notsup);
    try {
      return openSync(`/proc/self/fd/${this.direct.fd}`, flags | constants.O_NONBLOCK);
    } catch {
      // Not allowed (a file without write permission for its owner), or no procfs.
      throw new ErrnoError(ERRNO.notsup);
    }
  }
}

/** fallocate(2): the file grows if need be. */
const ANY_SIZE = 0;
/** st_blocks counts in these, whatever the file system. */
const STAT_BLOCK = 512n;
const ZEROS_BYTES = 1024 * 1024;
