/**
 * The calls that programs make by the million, in their ordinary case: without an object for the arguments, one for
 * the results and a typed array for each buffer, which together cost more than the system does.
 *
 * The table stays what these calls are (abi/preview1.ts). A function here either does exactly what the generic path
 * does, or leaves the call to that path by returning {@link GENERIC} before it has had any effect: for everything that
 * the guest gets wrong about pointers, for several buffers, for a descriptor of the kernel's. fast.test.ts compares
 * the two on random calls.
 */
import { ErrnoError } from '../abi/errno.ts';
import { stringSizes } from '../abi/encode.ts';
import { IOVEC } from '../abi/layout.ts';
import { ClockId } from '../abi/types.ts';
import type { DirectFile } from '../vfs/direct.ts';
import type { CallEnvironment } from './calls.ts';
import type { AllowedCalls } from './descriptors.ts';
import type { GuestMemory } from './memory.ts';
import type { Progress } from './progress.ts';

/** Returned instead of an errno: the generic path has to carry out the call. */
export const GENERIC = -1;

/** Linux transfers at most this much at once, and Node takes lengths as i32. */
const MOST_BYTES = 0x7fff_f000;
/** Of those, all but one empty. */
const MOST_VECTORS = 2;
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const POINTER_AT = IOVEC.offsets['pointer'] ?? 0;
const LENGTH_AT = IOVEC.offsets['length'] ?? 0;

const errnoOf = (error: unknown): number => {
  if (error instanceof ErrnoError) return error.errno;
  throw error;
};

/** The fast functions of one thread. Arguments are those of WebAssembly: i32 of either sign, i64 of either sign. */
export function fastCalls(environment: CallEnvironment, memory: GuestMemory, progress: Progress) {
  const { table, random } = environment;

  const sizes =
    (of: 'args' | 'env') =>
    (countAt: number, bytesAt: number): number => {
      if (!memory.covers(countAt >>> 0, 4) || !memory.covers(bytesAt >>> 0, 4)) return GENERIC;
      progress.local();
      const { count, bytes } = stringSizes(environment.process()[of]);
      memory.view.setUint32(countAt >>> 0, count, true);
      memory.view.setUint32(bytesAt >>> 0, bytes, true);
      return 0;
    };

  /** The file of a descriptor that this thread may use itself, null otherwise. */
  const fileOf = (fd: number, need: keyof AllowedCalls, also: keyof AllowedCalls): DirectFile | null => {
    if (progress.askFirst) return null;
    const descriptor = table.get(fd >>> 0);
    return descriptor !== undefined && descriptor.may[need] && descriptor.may[also] ? descriptor.file : null;
  };

  // The only buffer of a transfer, as `oneBuffer` has found it.
  let start = 0;
  let length = 0;
  /**
   * Finds the buffer of a transfer that has only one, and checks the place of the result. Empty ones do not count:
   * wasi-libc's streams give one for a buffer of theirs that holds nothing yet.
   */
  const oneBuffer = (vectors: number, count: number, result: number): boolean => {
    if (count < 1 || count > MOST_VECTORS) return false;
    const first = vectors >>> 0;
    if (!memory.covers(first, count * IOVEC.size) || !memory.covers(result >>> 0, 4)) return false;
    length = 0;
    for (let at = first; at < first + count * IOVEC.size; at += IOVEC.size) {
      const pointer = memory.view.getUint32(at + POINTER_AT, true);
      const size = memory.view.getUint32(at + LENGTH_AT, true);
      if (!memory.covers(pointer, size) || (size > 0 && length > 0)) return false;
      if (size > 0) {
        start = pointer;
        length = size;
      }
    }
    return length > 0 && length <= MOST_BYTES;
  };

  return {
    args_sizes_get: sizes('args'),
    environ_sizes_get: sizes('env'),

    clock_time_get(clock: number, _precision: bigint, time: number): number {
      if (clock === ClockId.processCputime || !memory.covers(time >>> 0, 8)) return GENERIC;
      const now = environment.process().clocks.time(clock >>> 0);
      if (typeof now !== 'bigint') return GENERIC;
      progress.local();
      memory.view.setBigUint64(time >>> 0, now, true);
      return 0;
    },

    random_get(pointer: number, size: number): number {
      if (!memory.covers(pointer >>> 0, size >>> 0)) return GENERIC;
      progress.local();
      random.fill(memory.bytes, pointer >>> 0, size >>> 0);
      return 0;
    },

    fd_read(fd: number, vectors: number, count: number, result: number): number {
      const file = fileOf(fd, 'read', 'read');
      if (file === null || !oneBuffer(vectors, count, result)) return GENERIC;
      progress.local();
      try {
        memory.view.setUint32(result >>> 0, file.readInto(memory.bytes, start, length), true);
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    },

    fd_write(fd: number, vectors: number, count: number, result: number): number {
      const file = fileOf(fd, 'write', 'write');
      if (file === null || !oneBuffer(vectors, count, result)) return GENERIC;
      progress.local();
      try {
        memory.view.setUint32(result >>> 0, file.writeFrom(memory.bytes, start, length), true);
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    },

    fd_pread(fd: number, vectors: number, count: number, offset: bigint, result: number): number {
      const file = fileOf(fd, 'read', 'seek');
      if (file === null || offset < 0n || offset > SAFE || !oneBuffer(vectors, count, result)) return GENERIC;
      progress.local();
      try {
        memory.view.setUint32(result >>> 0, file.readIntoAt(memory.bytes, start, length, Number(offset)), true);
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    },

    fd_pwrite(fd: number, vectors: number, count: number, offset: bigint, result: number): number {
      const file = fileOf(fd, 'write', 'seek');
      if (file === null || offset < 0n || offset > SAFE || !oneBuffer(vectors, count, result)) return GENERIC;
      progress.local();
      try {
        memory.view.setUint32(result >>> 0, file.writeFromAt(memory.bytes, start, length, Number(offset)), true);
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    },

    fd_seek(fd: number, offset: bigint, whence: number, result: number): number {
      const file = fileOf(fd, 'seek', 'seek');
      if (file === null || !memory.covers(result >>> 0, 8)) return GENERIC;
      progress.local();
      try {
        memory.view.setBigUint64(result >>> 0, file.seek(offset, whence), true);
        return 0;
      } catch (error) {
        return errnoOf(error);
      }
    },
  };
}
