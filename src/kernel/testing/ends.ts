/** The user's and the network's side of streams and sockets, played by a test. */
import { ERRNO, type Errno } from '../../abi/errno.ts';
import { type FileStat, FileType } from '../../abi/types.ts';
import { assert } from '../../base/assert.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Settled } from '../../vfs/openfile.ts';
import type { ConnectionEnd, ListenerEnd } from '../socket.ts';
import type { StreamEnd, StreamKindName } from '../stream.ts';

export const FILE_STAT: FileStat = {
  dev: 1n,
  ino: 2n,
  filetype: FileType.regularFile,
  nlink: 1n,
  size: 3n,
  atim: 0n,
  mtim: 0n,
  ctim: 0n,
};

/** Holds every request until the test answers it, and checks the contract: at most one read and one write at a time. */
export class TestEnd implements StreamEnd, ConnectionEnd {
  readonly kind: StreamKindName;
  flags = 0;
  readable = true;
  writable = true;
  /** The `max` of the read that is asked for, or null. */
  asked: number | null = null;
  /** The read that is asked for may not wait. */
  hurried = false;
  /** The bytes of the write that is asked for, or null. */
  writing: Uint8Array | null = null;
  /** All that was answered as written. */
  output = '';
  readonly events: string[] = [];
  /** The program has closed it. */
  left = false;
  #read: ((result: Settled<Uint8Array>) => void) | null = null;
  #write: ((result: Settled<number>) => void) | null = null;
  #seek: ((result: Settled<bigint>) => void) | null = null;

  constructor(kind: StreamKindName = 'pipe') {
    this.kind = kind;
  }

  read(max: number, done: (result: Settled<Uint8Array>) => void): void {
    assert(this.#read === null, 'one read at a time');
    assert(max > 0 && max <= LIMITS.pipeBytes, `a read of ${max} bytes`);
    this.asked = max;
    this.#read = done;
  }

  hurry(): void {
    assert(this.#read !== null && !this.hurried, 'only a read under way is hurried, and once');
    this.hurried = true;
  }

  write(bytes: Uint8Array, done: (result: Settled<number>) => void): void {
    assert(this.#write === null, 'one write at a time');
    assert(bytes.length > 0 && bytes.length <= LIMITS.pipeBytes, `a write of ${bytes.length} bytes`);
    this.writing = bytes;
    this.#write = done;
  }

  seek(offset: bigint, whence: number, done: (result: Settled<bigint>) => void): void {
    this.events.push(`seek ${offset} ${whence}`);
    this.#seek = done;
  }

  stat(done: (result: Settled<FileStat>) => void): void {
    queueMicrotask(() => done({ value: FILE_STAT }));
  }

  endWriting(): void {
    this.events.push('end');
  }

  leave(): void {
    this.left = true;
  }

  close(): void {
    this.events.push('close');
  }

  /** Answers the read that is asked for. An empty text is the end. */
  type(text: string): void {
    this.answerRead({ value: encodeUtf8(text) });
  }

  answerRead(result: Settled<Uint8Array>): void {
    const done = this.#read;
    assert(done !== null, 'a read is asked for');
    assert('errno' in result || result.value.length <= (this.asked ?? 0), 'not more than asked for');
    this.#read = null;
    this.asked = null;
    this.hurried = false;
    done(result);
  }

  /** Answers the hurried read: there is nothing now. */
  haveNothing(): void {
    assert(this.hurried, 'the read is hurried');
    this.answerRead({ errno: ERRNO.again });
  }

  /** Answers the write that is asked for. @param count bytes taken; all if left out */
  take(count = this.writing?.length ?? 0): void {
    const done = this.#write;
    assert(done !== null && this.writing !== null, 'a write is asked for');
    this.output += decodeUtf8(this.writing.subarray(0, count));
    this.#write = null;
    this.writing = null;
    done({ value: count });
  }

  failWrite(errno: Errno): void {
    const done = this.#write;
    assert(done !== null, 'a write is asked for');
    this.#write = null;
    this.writing = null;
    done({ errno });
  }

  answerSeek(position: bigint): void {
    const done = this.#seek;
    assert(done !== null, 'a seek is asked for');
    this.#seek = null;
    done({ value: position });
  }
}

export class TestListener implements ListenerEnd {
  closed = false;
  /** The accept that is asked for may not wait. */
  hurried = false;
  #accept: ((result: Settled<ConnectionEnd>) => void) | null = null;

  get asked(): boolean {
    return this.#accept !== null;
  }

  accept(done: (result: Settled<ConnectionEnd>) => void): void {
    assert(this.#accept === null, 'one accept at a time');
    this.#accept = done;
  }

  hurry(): void {
    assert(this.#accept !== null && !this.hurried, 'only an accept under way is hurried, and once');
    this.hurried = true;
  }

  close(): void {
    this.closed = true;
  }

  /** A connection comes in. */
  connect(end: ConnectionEnd = new TestEnd('socket')): void {
    this.#answer({ value: end });
  }

  /** Answers the hurried accept: nobody waits now. */
  haveNobody(): void {
    assert(this.hurried, 'the accept is hurried');
    this.#answer({ errno: ERRNO.again });
  }

  #answer(result: Settled<ConnectionEnd>): void {
    const done = this.#accept;
    assert(done !== null, 'an accept is asked for');
    this.#accept = null;
    this.hurried = false;
    done(result);
  }
}
