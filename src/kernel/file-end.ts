/**
 * What can be done with a standard stream that is a regular file, beyond reading and writing it in order: by whoever
 * has its descriptor, so that the open file stays the one that the shell and other programs share.
 */
import type { NewTime, Settled } from '../vfs/openfile.ts';

type Done<T> = (result: Settled<T>) => void;

/** Each answers exactly once, never from inside the call. Errors are those of `HostFile`. */
export interface FileEnd {
  /** Reads at most `max` bytes, 1 to LIMITS.pipeBytes, at `offset`, leaving the position; none: the end. */
  readAt(offset: bigint, max: number, done: Done<Uint8Array>): void;
  /** Writes 1 to LIMITS.pipeBytes bytes, or the first of them, at `offset`, leaving the position. */
  writeAt(offset: bigint, bytes: Uint8Array, done: Done<number>): void;
  sync(dataOnly: boolean, done: Done<void>): void;
  setSize(size: bigint, done: Done<void>): void;
  setTimes(atim: NewTime, mtim: NewTime, done: Done<void>): void;
  allocate(offset: bigint, length: bigint, done: Done<void>): void;
}
