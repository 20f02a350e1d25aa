/**
 * Character devices of the host that never make a reader or writer wait: null, zero, full, random and urandom. A
 * given directory may well contain such a device file, and programs expect them to work.
 *
 * Every other special file is refused when it is opened: a terminal, a FIFO or a tape would hold the whole node while
 * one guest waits for it. Pipes, terminals and sockets come to a guest as descriptors of the kernel instead.
 */
import { closeSync, fstatSync, readvSync, statSync, writevSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import type { FileStat } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { fileStatOf } from './filestat.ts';
import { host } from './hosterror.ts';
import type { NewTime, OpenFile, Readiness } from './openfile.ts';
import { setFdTimes } from './times.ts';

const NEVER_WAITING = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'];

let known: ReadonlySet<bigint> | undefined;

/** Whether this device is one of those that never wait: by its number, whatever the file's name. */
export function neverWaits(device: BigIntStats): boolean {
  known ??= new Set(
    NEVER_WAITING.flatMap((path) => {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stats?.isCharacterDevice() === true ? [stats.rdev] : [];
    }),
  );
  return device.isCharacterDevice() && known.has(device.rdev);
}

function refuse(errno: 'spipe' | 'inval' | 'nodev'): never {
  throw new ErrnoError(ERRNO[errno]);
}

export class HostDevice implements OpenFile {
  readonly filetype = FileType.characterDevice;
  /** Reads go through the kernel, which cuts them: a guest's own gigabyte of zeros would stop at nothing. */
  readonly hostFd = null;
  flags: number;
  readonly #fd: number;

  /** @param fd a descriptor of a device that {@link neverWaits}; belongs to the object now */
  constructor(fd: number, flags: number) {
    this.#fd = fd;
    this.flags = flags;
  }

  read(buffers: readonly Uint8Array[], position: bigint | null): number {
    if (position !== null) refuse('spipe');
    return host(() => readvSync(this.#fd, cut(buffers)));
  }

  write(buffers: readonly Uint8Array[], position: bigint | null): number {
    if (position !== null) refuse('spipe');
    return host(() => writevSync(this.#fd, cut(buffers)));
  }

  seek(): never {
    return refuse('spipe');
  }

  stat(): FileStat {
    return fileStatOf(host(() => fstatSync(this.#fd, { bigint: true })));
  }

  /** Nothing that a flag says matters to a device that never waits and has no end. */
  setFlags(flags: number): void {
    this.flags = flags;
  }

  setSize(): never {
    return refuse('inval');
  }

  setTimes(atim: NewTime, mtim: NewTime): void {
    setFdTimes(this.#fd, atim, mtim);
  }

  allocate(): never {
    return refuse('nodev');
  }

  advise(): never {
    return refuse('spipe');
  }

  /** As Linux answers for them. */
  sync(): never {
    return refuse('inval');
  }

  poll(): Readiness {
    return { bytes: BigInt(LIMITS.homeCallBytes), hangup: false };
  }

  close(): void {
    host(() => closeSync(this.#fd));
  }
}

/** So much of the buffers that the daemon is not held up: POSIX lets reads and writes be short. */
function cut(buffers: readonly Uint8Array[]): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let room: number = LIMITS.homeCallBytes;
  for (const buffer of buffers) {
    if (room === 0) break;
    const part = buffer.subarray(0, room);
    parts.push(part);
    room -= part.length;
  }
  return parts.length > 0 ? parts : [new Uint8Array(0)];
}
