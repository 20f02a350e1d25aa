import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame } from '../../base/testing/same.ts';
import { ErrnoError } from '../../abi/errno.ts';
import { FdFlags } from '../../abi/types.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { Waiting } from '../../base/waiting.ts';
import type { Maybe, OpenFile, Settled } from '../../vfs/openfile.ts';
import { makePipe, PIPE_BUF } from './pipe.ts';
import { soFar } from './harness.ts';

const NONBLOCK = FdFlags.nonblock;

function waits<T>(maybe: Maybe<T>): Waiting<Settled<T>> {
  assert.ok(maybe instanceof Waiting);
  return maybe;
}

function write(pipe: { readonly writer: OpenFile }, text: string): Maybe<number> {
  return pipe.writer.write([encodeUtf8(text)], null);
}

function read(pipe: { readonly reader: OpenFile }, max: number): string {
  const buffer = new Uint8Array(max);
  const count = pipe.reader.read([buffer], null);
  assert.ok(typeof count === 'number');
  return decodeUtf8(buffer.subarray(0, count));
}

test('bytes come out in their order, into several buffers', () => {
  const pipe = makePipe();
  assert.equal(write(pipe, 'ab'), 2);
  assert.equal(write(pipe, 'cde'), 3);
  const [first, second] = [new Uint8Array(1), new Uint8Array(3)];
  assert.equal(pipe.reader.read([first, second], null), 4);
  assert.equal(decodeUtf8(first) + decodeUtf8(second), 'abcd');
  assert.equal(read(pipe, 10), 'e');
});

test('readers wait in their order, and one that is withdrawn takes nothing', () => {
  const pipe = makePipe();
  const buffers = [new Uint8Array(2), new Uint8Array(2), new Uint8Array(2)];
  const [first, second, third] = buffers.map((buffer) => waits(pipe.reader.read([buffer], null)));
  assert.ok(first && second && third);
  assert.ok(second.withdraw());
  write(pipe, 'abc');
  assert.equal(soFar(first), 2);
  assert.equal(soFar(third), 1);
  assert.deepEqual(buffers.map(decodeUtf8), ['ab', '\0\0', 'c\0']);
});

test('the end: what is left, then 0; writing to no reader is EPIPE', () => {
  const pipe = makePipe();
  write(pipe, 'x');
  pipe.writer.close();
  assert.equal(read(pipe, 5), 'x');
  assert.equal(read(pipe, 5), '');

  const other = makePipe();
  const reader = waits(other.reader.read([new Uint8Array(1)], null));
  other.writer.close();
  assert.equal(soFar(reader), 0);

  const third = makePipe(PIPE_BUF);
  assert.equal(write(third, 'x'.repeat(PIPE_BUF)), PIPE_BUF);
  const blocked = waits(write(third, 'y'));
  third.reader.close();
  assert.equal(soFar(blocked), 'pipe');
  assert.throws(() => write(third, 'z'), { message: 'pipe' });
  assert.equal(write(third, ''), 0);
});

test('a short write is whole or waits; a long one goes piece by piece and keeps its place', () => {
  const pipe = makePipe(PIPE_BUF);
  assert.equal(write(pipe, 'x'.repeat(PIPE_BUF - 1)), PIPE_BUF - 1);
  const short = waits(write(pipe, 'ab'));
  const long = waits(write(pipe, 'c'.repeat(2 * PIPE_BUF)));
  assert.equal(read(pipe, PIPE_BUF), 'x'.repeat(PIPE_BUF - 1));
  assert.equal(soFar(short), 2);
  assert.equal(read(pipe, PIPE_BUF), `ab${'c'.repeat(PIPE_BUF - 2)}`);
  assert.equal(read(pipe, PIPE_BUF), 'c'.repeat(PIPE_BUF));
  assert.equal(soFar(long), 2 * PIPE_BUF);
  assert.equal(read(pipe, PIPE_BUF), 'cc');
});

test('a withdrawn write leaves nothing behind, or tells what it has written', () => {
  const pipe = makePipe(PIPE_BUF);
  const long = waits(write(pipe, 'c'.repeat(PIPE_BUF + 5)));
  const short = waits(write(pipe, 'ab'));
  assert.equal(long.withdraw(), false);
  assert.equal(soFar(long), PIPE_BUF);
  assert.ok(short.withdraw());
  assert.equal(read(pipe, 2 * PIPE_BUF), 'c'.repeat(PIPE_BUF));
  assert.equal(read(makeEmpty(pipe), 1), '');
});

/** The pipe with its writing end closed, so that a read of nothing does not wait. */
function makeEmpty(pipe: { readonly reader: OpenFile; readonly writer: OpenFile }): typeof pipe {
  pipe.writer.close();
  return pipe;
}

test('without blocking: EAGAIN, or as much of a long write as fits', () => {
  const pipe = makePipe(PIPE_BUF);
  pipe.reader.setFlags(NONBLOCK);
  pipe.writer.setFlags(NONBLOCK);
  assert.throws(() => read(pipe, 1), { message: 'again' });
  assert.equal(write(pipe, 'x'.repeat(PIPE_BUF + 1)), PIPE_BUF);
  assert.throws(() => write(pipe, 'y'), { message: 'again' });
  assert.throws(() => write(pipe, 'y'.repeat(PIPE_BUF + 1)), { message: 'again' });
});

test('ends refuse what they are not for', () => {
  const { reader, writer } = makePipe();
  assert.throws(() => writer.read([], null), { message: 'badf' });
  assert.throws(() => reader.write([], null), { message: 'badf' });
  assert.throws(() => reader.read([], 0n), { message: 'spipe' });
  assert.throws(() => reader.seek(0n, 0), { message: 'spipe' });
  assert.throws(() => reader.setSize(0n), { message: 'inval' });
  assert.throws(() => reader.setFlags(FdFlags.append), { message: 'notsup' });
});

/** A pipe as a model: a queue of bytes, the bytes of waiting writers behind it. */
interface Written {
  readonly bytes: readonly number[];
  readonly waiting: Waiting<Settled<number>> | null;
}

const step = fc.oneof(
  fc.record({ do: fc.constant('write' as const), length: fc.integer({ min: 1, max: PIPE_BUF * 3 }) }),
  fc.record({ do: fc.constant('read' as const), length: fc.integer({ min: 1, max: PIPE_BUF * 2 }) }),
  fc.record({ do: fc.constant('withdraw' as const), length: fc.integer({ min: 0, max: 5 }) }),
);

test('any order of reads, writes and withdrawals keeps every byte, its order, and short writes whole', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, nonblock) => {
      const { reader, writer } = makePipe(PIPE_BUF + 100);
      if (nonblock) writer.setFlags(NONBLOCK);
      const writes: Written[] = [];
      const reads: { readonly buffer: Uint8Array; readonly waiting: Waiting<Settled<number>> }[] = [];
      const received: number[] = [];
      let next = 0;
      for (const { do: action, length } of steps) {
        if (action === 'write') {
          const bytes = Uint8Array.from({ length }, () => next++ % 251);
          try {
            const count = writer.write([bytes.slice()], null);
            const waiting = count instanceof Waiting ? count : null;
            writes.push({ bytes: count instanceof Waiting ? [...bytes] : [...bytes.subarray(0, count)], waiting });
            if (typeof count === 'number' && length <= PIPE_BUF) assert.equal(count, length);
          } catch (error) {
            assert.ok(error instanceof ErrnoError && nonblock && error.message === 'again');
          }
        } else if (action === 'read') {
          const buffer = new Uint8Array(length);
          const count = reader.read([buffer], null);
          if (count instanceof Waiting) reads.push({ buffer, waiting: count });
          else received.push(...buffer.subarray(0, count));
        } else {
          // Later writers first, so that partial effects come in too.
          const all = [...writes.map(({ waiting }) => waiting), ...reads.map(({ waiting }) => waiting)];
          all[all.length - 1 - length]?.withdraw();
        }
        for (let done = reads[0]; done !== undefined && !done.waiting.pending; done = reads[0]) {
          const count = soFar(done.waiting);
          if (typeof count === 'number') received.push(...done.buffer.subarray(0, count));
          reads.shift();
        }
      }
      const sent = writes.flatMap(({ bytes, waiting }) => {
        if (waiting === null) return bytes;
        if (waiting.pending) return [];
        const count = soFar(waiting);
        return typeof count === 'number' ? bytes.slice(0, count) : [];
      });
      // What pending writers have put in so far comes behind everything else, so what is known is a prefix.
      const known = Math.min(received.length, sent.length);
      assertSame(received.slice(0, known), sent.slice(0, known), 'received');
    }),
  );
});

test('poll: readable, writable, hung up; and it can be withdrawn', () => {
  const pipe = makePipe(PIPE_BUF);
  assert.deepEqual(pipe.writer.poll('write'), { bytes: BigInt(PIPE_BUF), hangup: false });
  const readable = waits(pipe.reader.poll('read'));
  const withdrawn = waits(pipe.reader.poll('read'));
  assert.ok(withdrawn.withdraw());
  write(pipe, 'a');
  assert.deepEqual(soFar(readable), { bytes: 1n, hangup: false });
  const writable = waits(pipe.writer.poll('write'));
  pipe.reader.close();
  assert.deepEqual(soFar(writable), { bytes: 0n, hangup: true });
  const other = makePipe();
  other.writer.close();
  assert.deepEqual(other.reader.poll('read'), { bytes: 0n, hangup: true });
});
