/**
 * An open file description in the sense of POSIX: what several descriptors (after a dup or fork) share. One interface
 * for files, directories, pipes, terminals and sockets; each implementation is one file in vfs/ or kernel/.
 *
 * Failure: a method throws {@link ErrnoError}. Waiting: a method that may block returns a `Waiting`, which settles
 * with a value or an errno. What an object does not support it refuses with the errno that POSIX gives.
 */
import type { Errno } from '../abi/errno.ts';
import type { DirEntry, FileStat, FileType } from '../abi/types.ts';
import type { Waiting } from '../base/waiting.ts';
import type { DirectFile } from './direct.ts';

export { ErrnoError } from '../abi/errno.ts';

export type Settled<T> = { readonly value: T } | { readonly errno: Errno };
/** A result that is there now, or comes later. */
export type Maybe<T> = T | Waiting<Settled<T>>;

/** How ready a file is: bytes that can be read or written without waiting, and whether the other end is gone. */
export interface Readiness {
  readonly bytes: bigint;
  readonly hangup: boolean;
}

/** witx `fstflags`, resolved: nanoseconds since the epoch, 'now', or null for unchanged. */
export type NewTime = bigint | 'now' | null;

export interface OpenFile {
  readonly filetype: FileType;
  /** witx `fdflags` as last set. */
  readonly flags: number;
  /** The operating system's descriptor if there is {@link direct}, otherwise null; it changes when append mode is switched. */
  readonly hostFd: number | null;
  /**
   * How reads, writes and seeks may be done at once by any thread of this daemon without the kernel: for a regular
   * file; other kinds have none. Another thread gets `direct.shared` and makes a DirectFile of it.
   */
  readonly direct?: DirectFile;
  /** Fills the buffers from the start. `position` null: at the file's position, which moves on. @returns bytes read, 0 at the end */
  read(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number>;
  /** @returns bytes written, possibly fewer than given */
  write(buffers: readonly Uint8Array[], position: bigint | null): Maybe<number>;
  /** `whence` as in witx. @returns the new position from the start */
  seek(offset: bigint, whence: number): Maybe<bigint>;
  stat(): Maybe<FileStat>;
  setFlags(flags: number): void;
  setSize(size: bigint): Maybe<void>;
  setTimes(atim: NewTime, mtim: NewTime): Maybe<void>;
  allocate(offset: bigint, length: bigint): Maybe<void>;
  advise(offset: bigint, length: bigint, advice: number): void;
  sync(dataOnly: boolean): Maybe<void>;
  /** Ready at once, or a wait for it. Regular files are always ready. */
  poll(direction: 'read' | 'write'): Maybe<Readiness>;
  /**
   * Of a file whose input is somewhere else: calls back, at once or after a round trip, when polls that wait to read
   * have been told what is there now. A file without this always knows.
   */
  whenKnown?(known: () => void): void;
  /** The last descriptor is gone. */
  close(): void;
}

/** What path_open asks for, with rights and flags already reduced to what they mean for the file system. */
export interface OpenOptions {
  readonly read: boolean;
  readonly write: boolean;
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
  readonly directory: boolean;
  readonly followFinalLink: boolean;
  /** witx `fdflags` */
  readonly flags: number;
}

/** A directory that is open: all paths are relative to it and never leave the preopened directory that it came from. */
export interface Directory extends OpenFile {
  open(path: string, options: OpenOptions): Maybe<OpenFile>;
  /** The entries behind `cookie` (0: from the start), `.` and `..` first; the same cookie gives the same place again. */
  entries(cookie: bigint): Iterable<DirEntry>;
  makeDirectory(path: string): void;
  removeDirectory(path: string): void;
  unlink(path: string): void;
  statPath(path: string, followFinalLink: boolean): FileStat;
  setPathTimes(path: string, followFinalLink: boolean, atim: NewTime, mtim: NewTime): void;
  readLink(path: string): Uint8Array;
  symlink(target: string, path: string): void;
  link(path: string, followFinalLink: boolean, to: Directory, toPath: string): void;
  rename(path: string, to: Directory, toPath: string): void;
}

export interface Socket extends OpenFile {
  accept(flags: number): Maybe<Socket>;
  /** @returns bytes received (0: the peer has ended) and roflags */
  receive(buffers: readonly Uint8Array[], flags: number): Maybe<{ readonly count: number; readonly roflags: number }>;
  send(buffers: readonly Uint8Array[], flags: number): Maybe<number>;
  shutdown(how: number): void;
}
