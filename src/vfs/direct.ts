/**
 * Reads, writes and seeks on a host file: the calls that a guest's own thread carries out without the kernel, and
 * the same code for the kernel (vfs/hostfile.ts).
 *
 * Node has no lseek, so the position of an open file cannot be the operating system's. It lies in a few bytes of
 * shared memory instead, beside the descriptor's number, and every transfer says its position itself. All threads and
 * processes that share the open file share these bytes:
 *
 * | bytes | field | written by |
 * |---|---|---|
 * | 0–7, 16–23 | position, or AT_END: vfs/position.ts | whoever transfers or seeks, by compare-and-exchange |
 * | 8–11 | the OS descriptor, -1 once closed | the kernel |
 * | 12–15 | 1 if the OS descriptor is in append mode | the kernel |
 *
 * There is no lock, since a thread may be ended in the middle of a call and would keep it for ever. Two threads that
 * read at once never get the same bytes and two that write at once never the same place, as POSIX demands:
 * a writer takes its place before it writes, a reader that was overtaken reads again.
 *
 * The kernel must not close a file while another thread may be inside a call on it: the thread might meet the
 * number again as another file's. A thread's own fd_close and the end of all threads of a process are such moments. A
 * process with several threads has no others, so all its calls on files are the kernel's.
 */
import { fstatSync, readFileSync, readSync, readvSync, writeSync, writevSync } from 'node:fs';
import { ERRNO, ErrnoError } from '../abi/errno.ts';
import { totalLength } from '../abi/memory.ts';
import { Whence } from '../abi/types.ts';
import { fromHost, host } from './hosterror.ts';
import { AT_END, POSITION_BYTES, SharedPosition } from './position.ts';

const FD = 2;
const APPEND = 3;

/** An open host file as every thread sees it. Made from the same shared bytes in each. */
export class DirectFile {
  readonly shared: SharedArrayBuffer;
  readonly #position: SharedPosition;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#position = new SharedPosition(shared);
    this.#words = new Int32Array(shared);
  }

  /** For an OS descriptor just opened; its own position is 0 and stays unused. */
  static create(fd: number, append: boolean): DirectFile {
    const shared = new SharedArrayBuffer(POSITION_BYTES);
    SharedPosition.start(shared);
    const file = new DirectFile(shared);
    file.replaceFd(fd, append);
    return file;
  }

  /** @throws ErrnoError `badf` once the file is closed */
  get fd(): number {
    const fd = Atomics.load(this.#words, FD);
    if (fd < 0) throw new ErrnoError(ERRNO.badf);
    return fd;
  }

  get append(): boolean {
    return Atomics.load(this.#words, APPEND) !== 0;
  }

  /** The kernel's: gives the file another OS descriptor, or none (-1). */
  replaceFd(fd: number, append: boolean): void {
    Atomics.store(this.#words, APPEND, append ? 1 : 0);
    Atomics.store(this.#words, FD, fd);
  }

  /**
   * Fills the buffers from the start.
   * @param position in bytes from the start; null: the file's position, which moves on by what was read
   * @returns bytes read, 0 at the end of the file or if there is no room
   * @throws ErrnoError `badf` if it is not open for reading, `inval` for a position of 2^63 or more, `isdir`, `io`
   */
  read(buffers: readonly Uint8Array[], position: bigint | null): number {
    if (position !== null) return readAt(this.fd, buffers, checkOffset(position));
    for (;;) {
      const at = this.#resolve();
      const count = readAt(this.fd, buffers, at);
      if (this.#position.advance(at, count)) return count;
    }
  }

  /**
   * {@link read} at the file's position into one buffer, given as part of a larger array: making a view of each buffer
   * of each call would cost as much as the call itself.
   * @param start of the buffer in `bytes` @param length of the buffer, from 1 to 2^31-1; it lies within `bytes`
   */
  readInto(bytes: Uint8Array, start: number, length: number): number {
    for (;;) {
      const at = this.#resolve();
      const exact = exactly(at);
      if (exact === null) return this.read([bytes.subarray(start, start + length)], null);
      const count = this.readIntoAt(bytes, start, length, exact);
      if (this.#position.advance(at, count)) return count;
    }
  }

  /** {@link readInto} at `position`, from 0 to 2^53-1, leaving the file's own position. */
  readIntoAt(bytes: Uint8Array, start: number, length: number, position: number): number {
    try {
      return readSync(this.fd, bytes, start, length, position);
    } catch (error) {
      throw fromHost(error);
    }
  }

  /**
   * @param position in bytes from the start; null: the file's position, or its end in append mode
   * @returns bytes written, possibly fewer than given
   * @throws ErrnoError `badf` if it is not open for writing, `inval` for a position of 2^63 or more, `nospc`, `fbig`,
   *   `dquot`, `io`
   */
  write(buffers: readonly Uint8Array[], position: bigint | null): number {
    // In append mode Linux appends here as well, whatever the position (pwrite(2), BUGS); elsewhere the position counts.
    if (position !== null) return writeAt(this.fd, buffers, checkOffset(position));
    if (this.append) {
      const count = writeAt(this.fd, buffers, null);
      if (count > 0) this.#position.set(AT_END);
      return count;
    }
    const wanted = totalLength(buffers);
    const at = this.#take(wanted);
    let count = 0;
    try {
      count = writeAt(this.fd, buffers, at);
      return count;
    } finally {
      if (count !== wanted) this.#giveBack(at, count, wanted);
    }
  }

  /** {@link write} at the file's position from one buffer, given as with {@link readInto}. */
  writeFrom(bytes: Uint8Array, start: number, length: number): number {
    if (this.append) return this.write([bytes.subarray(start, start + length)], null);
    const at = this.#take(length);
    let count = 0;
    try {
      const exact = exactly(at);
      if (exact === null) throw new ErrnoError(ERRNO.fbig);
      count = this.writeFromAt(bytes, start, length, exact);
      return count;
    } finally {
      if (count !== length) this.#giveBack(at, count, length);
    }
  }

  /** {@link writeFrom} at `position`, from 0 to 2^53-1, leaving the file's own position. */
  writeFromAt(bytes: Uint8Array, start: number, length: number, position: number): number {
    try {
      return writeSync(this.fd, bytes, start, length, position);
    } catch (error) {
      throw fromHost(error);
    }
  }

  /**
   * @param whence as in witx
   * @returns the new position from the start
   * @throws ErrnoError `inval` for an unknown whence and for a position below 0 or of 2^63 or more
   */
  seek(offset: bigint, whence: number): bigint {
    if (whence === Whence.cur) {
      for (;;) {
        const at = BigInt(this.#resolve());
        const to = checkOffset(at + offset);
        if (this.#position.exchange(at, to)) return to;
      }
    }
    if (whence !== Whence.set && whence !== Whence.end) throw new ErrnoError(ERRNO.inval);
    const fd = this.fd;
    const from = whence === Whence.set ? 0n : host(() => fstatSync(fd, { bigint: true })).size;
    const to = checkOffset(from + offset);
    this.#position.set(to);
    return to;
  }

  /** The position from the start, in bytes. */
  tell(): bigint {
    return BigInt(this.#resolve());
  }

  /** Moves the position on by `length` and gives the one before. */
  #take(length: number): number | bigint {
    for (;;) {
      const at = this.#resolve();
      if (typeof at === 'bigint' && at + BigInt(length) > MAX_OFFSET) throw new ErrnoError(ERRNO.fbig);
      if (this.#position.advance(at, length)) return at;
    }
  }

  /** Of `taken` bytes from `at` on only `used` were: gives the rest back, unless someone has taken the place behind. */
  #giveBack(at: number | bigint, used: number, taken: number): void {
    const from = BigInt(at);
    this.#position.exchange(from + BigInt(taken), from + BigInt(used));
  }

  /** The position in bytes, asking the system where the last append ended if need be. */
  #resolve(): number | bigint {
    const at = this.#position.get();
    if (at !== AT_END) return at;
    this.#position.exchange(AT_END, hostPosition(this.fd));
    return this.#resolve();
  }
}

/** off_t has 64 bits and a sign. */
const MAX_OFFSET = (1n << 63n) - 1n;

function checkOffset(offset: bigint): bigint {
  if (offset < 0n || offset > MAX_OFFSET) throw new ErrnoError(ERRNO.inval);
  return offset;
}

/**
 * Where the operating system's own position is: behind the last write in append mode. Where it cannot be asked (no
 * procfs) the end of the file is the same, unless someone else has appended in between.
 */
function hostPosition(fd: number): bigint {
  if (process.platform === 'linux') {
    const position = /^pos:\s*(\d+)/.exec(host(() => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')))?.[1];
    if (position !== undefined) return BigInt(position);
  }
  return host(() => fstatSync(fd, { bigint: true })).size;
}

/**
 * Node's readvSync is no slower than readSync for a single buffer, but takes no bigint (it ignores one, and reads at
 * the descriptor's own position); readSync does.
 */
function readAt(fd: number, buffers: readonly Uint8Array[], position: number | bigint): number {
  const [first] = buffers;
  try {
    // A read of nothing still finds out whether the file is open for reading.
    if (first === undefined) return readvSync(fd, [NO_BYTES], 0);
    const exact = exactly(position);
    if (exact !== null) return readvSync(fd, buffers, exact);
    // As Linux: no byte that is asked for may lie beyond the largest offset.
    if (BigInt(position) > MAX_OFFSET - BigInt(first.length)) throw new ErrnoError(ERRNO.inval);
    return readSync(fd, first, 0, first.length, position);
  } catch (error) {
    throw fromHost(error);
  }
}

/** `position` null: at the descriptor's own position, which in append mode is the end. */
function writeAt(fd: number, buffers: readonly Uint8Array[], position: number | bigint | null): number {
  const [first] = buffers;
  try {
    if (first === undefined) return writevSync(fd, [NO_BYTES], 0);
    if (position === null) return writevSync(fd, buffers);
    const exact = exactly(position);
    if (exact !== null) return writevSync(fd, buffers, exact);
  } catch (error) {
    throw fromHost(error);
  }
  // No file system of today has files of 2^53 bytes, and writeSync takes no bigint.
  throw new ErrnoError(ERRNO.fbig);
}

/** A position as a number, null where that would not be exact. */
function exactly(position: number | bigint): number | null {
  if (typeof position === 'number') return position;
  return position <= SAFE ? Number(position) : null;
}
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const NO_BYTES = new Uint8Array(0);
