/**
 * The standard streams of a client, as the daemon uses them: each operation becomes a message with an id, and the
 * client's answer settles it. When the client is gone the streams behave as a terminal that was hung up: input is at
 * its end, everything else fails with EIO.
 */
import { ERRNO } from '../abi/errno.ts';
import type { FileStat } from '../abi/types.ts';
import type { FileEnd } from '../kernel/file-end.ts';
import { assert } from '../base/assert.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { StdioPort } from '../node/daemon.ts';
import type { Settled } from '../vfs/openfile.ts';
import { nullPort } from '../node/null-stdio.ts';
import type { StdioName, ToClient, ToDaemon } from './protocol.ts';

/** The client's messages that answer an operation. */
export type Answer = Extract<ToDaemon, { kind: 'data' | 'count' | 'position' | 'fileStat' | 'failed' | 'done' }>;
/** What the client says about one stream in `run`. */
export type StdioDescription = Extract<ToDaemon, { kind: 'run' }>['stdio'][StdioName];

interface Operation {
  /** Takes the answer, or refuses one that does not fit. */
  answered(answer: Answer): void;
  hungUp(): void;
}

const misfit = (answer: Answer): GodwitError =>
  new GodwitError('protocol', `the answer ${answer.kind} to operation ${answer.id} does not fit`);

/** What everything but input meets when the client is gone. */
const HUNG_UP = { errno: ERRNO.io };

function dataOf(max: number): (answer: Answer) => Uint8Array {
  assert(max > 0 && max <= LIMITS.pipeBytes, `a read of ${max} bytes`);
  return (answer) => {
    if (answer.kind !== 'data' || answer.bytes.length > max) throw misfit(answer);
    return answer.bytes;
  };
}

function countOf({ length }: Uint8Array): (answer: Answer) => number {
  assert(length <= LIMITS.pipeBytes, `a write of ${length} bytes`);
  return (answer) => {
    if (answer.kind !== 'count' || answer.count > length) throw misfit(answer);
    return answer.count;
  };
}

function finished(answer: Answer): void {
  if (answer.kind !== 'done') throw misfit(answer);
}

export class RemoteStdio {
  readonly #send: (message: ToClient) => void;
  readonly #operations = new Map<number, Operation>();
  #lastId = 0;
  #gone = false;

  constructor(send: (message: ToClient) => void) {
    this.#send = send;
  }

  port(fd: StdioName, { kind, flags, readable, writable }: StdioDescription): StdioPort {
    if (kind === 'null' || kind === 'closed') return nullPort(kind);
    let pull: number | null = null;
    return {
      kind,
      flags,
      readable,
      writable,
      file: kind === 'file' ? this.#file(fd) : undefined,
      read: (max, done) => {
        this.#start(
          (id) => {
            pull = id;
            return { kind: 'pull', id, fd, max };
          },
          { value: new Uint8Array() },
          (result) => {
            pull = null;
            done(result);
          },
          dataOf(max),
        );
      },
      hurry: () => {
        if (pull !== null && !this.#gone) this.#send({ kind: 'hurry', id: pull, fd });
      },
      write: (bytes, done) => {
        this.#start((id) => ({ kind: 'write', id, fd, bytes }), HUNG_UP, done, countOf(bytes));
      },
      seek: (offset, whence, done) => {
        this.#start<bigint>(
          (id) => ({ kind: 'seek', id, fd, offset, whence }),
          HUNG_UP,
          done,
          (answer) => {
            if (answer.kind !== 'position') throw misfit(answer);
            return answer.position;
          },
        );
      },
      stat: (done) => {
        this.#start<FileStat>(
          (id) => ({ kind: 'stat', id, fd }),
          HUNG_UP,
          done,
          (answer) => {
            if (answer.kind !== 'fileStat') throw misfit(answer);
            return answer.stat;
          },
        );
      },
    };
  }

  #file(fd: StdioName): FileEnd {
    return {
      readAt: (offset, max, done) => {
        this.#start((id) => ({ kind: 'readAt', id, fd, offset, max }), HUNG_UP, done, dataOf(max));
      },
      writeAt: (offset, bytes, done) => {
        this.#start((id) => ({ kind: 'writeAt', id, fd, offset, bytes }), HUNG_UP, done, countOf(bytes));
      },
      sync: (dataOnly, done) => this.#start((id) => ({ kind: 'sync', id, fd, dataOnly }), HUNG_UP, done, finished),
      setSize: (size, done) => this.#start((id) => ({ kind: 'setSize', id, fd, size }), HUNG_UP, done, finished),
      setTimes: (atim, mtim, done) => {
        this.#start((id) => ({ kind: 'setTimes', id, fd, atim, mtim }), HUNG_UP, done, finished);
      },
      allocate: (offset, length, done) => {
        this.#start((id) => ({ kind: 'allocate', id, fd, offset, length }), HUNG_UP, done, finished);
      },
    };
  }

  /** @throws GodwitError `protocol` on an answer to nothing or one that does not fit its question */
  answer(answer: Answer): void {
    const operation = this.#operations.get(answer.id);
    if (!operation) throw new GodwitError('protocol', `an answer to operation ${answer.id}, which is not under way`);
    operation.answered(answer);
  }

  /** The client is gone: settles what is under way and whatever comes later. */
  hangUp(): void {
    this.#gone = true;
    const underWay = [...this.#operations.values()];
    for (const operation of underWay) operation.hungUp();
  }

  #start<T>(
    message: (id: number) => ToClient,
    afterHangup: Settled<T>,
    done: (result: Settled<T>) => void,
    result: (answer: Answer) => T,
  ): void {
    if (this.#gone) {
      queueMicrotask(() => done(afterHangup));
      return;
    }
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const settle = (value: Settled<T>): void => {
      this.#operations.delete(id);
      done(value);
    };
    this.#operations.set(id, {
      answered: (answer) => settle(answer.kind === 'failed' ? { errno: answer.errno } : { value: result(answer) }),
      hungUp: () => settle(afterHangup),
    });
    this.#send(message(id));
  }
}
