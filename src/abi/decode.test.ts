import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame } from '../base/testing/same.ts';
import { LIMITS } from '../base/limits.ts';
import { decodeArgs } from './decode.ts';
import type { Raw } from './decode.ts';
import { encodeResults, stringSizes, writeStrings } from './encode.ts';
import { ErrnoError, errnoName } from './errno.ts';
import { CALL_NAMES } from './preview1.ts';
import { signatureOf } from './signature.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

/** Guest memory with words and bytes at places. */
class Guest {
  readonly memory: Uint8Array;
  readonly view: DataView;

  constructor(size = 65_536) {
    this.memory = new Uint8Array(new SharedArrayBuffer(size));
    this.view = new DataView(this.memory.buffer);
  }

  words(at: number, ...words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.view.setUint32(at + i * 4, word, true);
  }

  text(at: number, text: string): number {
    const bytes = new TextEncoder().encode(text);
    this.memory.set(bytes, at);
    return bytes.length;
  }
}

function fails(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => error instanceof ErrnoError && errnoName(error.errno) === errno);
}

test('paths: bytes of UTF-8, within memory and the limit', () => {
  const guest = new Guest();
  const open = (pointer: number, length: number): string =>
    decodeArgs('path_create_directory', [3, pointer, length], guest.memory).path;
  assert.equal(open(100, guest.text(100, 'ä€😀/x')), 'ä€😀/x');
  assert.equal(open(0, 0), '');
  assert.equal(open(guest.memory.length, 0), '');
  fails('fault', () => open(guest.memory.length + 1, 0));
  fails('fault', () => open(guest.memory.length - 3, 4));
  fails('fault', () => open(-1, 2));
  guest.memory.fill(0x61, 0, LIMITS.pathBytes + 1);
  assert.equal(open(0, LIMITS.pathBytes).length, LIMITS.pathBytes);
  fails('nametoolong', () => open(0, LIMITS.pathBytes + 1));
  for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80]]) {
    guest.memory.set(bad, 10);
    fails('ilseq', () => open(10, bad.length));
  }
  fails('inval', () => open(200, guest.text(200, 'file\0')));
  // A byte order mark is a character of the name like any other.
  assert.equal(open(300, guest.text(300, '\ufeffx')), '\ufeffx');
});

test('buffers are views, checked before anything happens', () => {
  const guest = new Guest();
  guest.words(16, 1000, 4, 2000, 0, 3000, 2);
  const { buffers } = decodeArgs('fd_read', [5, 16, 3, 64], guest.memory);
  assert.deepEqual(
    buffers.map((buffer) => [buffer.byteOffset, buffer.length, buffer.buffer === guest.memory.buffer]),
    [
      [1000, 4, true],
      [3000, 2, true],
    ],
  );
  const read = (pointer: number, count: number, result = 0): unknown =>
    decodeArgs('fd_read', [5, pointer, count, result], guest.memory);
  fails('inval', () => read(0, LIMITS.ioVectors + 1));
  fails('inval', () => read(0, -1));
  fails('fault', () => read(guest.memory.length - 4, 1));
  fails('fault', () => read(16, 3, guest.memory.length - 3));
  guest.words(16, guest.memory.length - 1, 2);
  fails('fault', () => read(16, 1));
  guest.words(16, 0xffff_ffff, 0xffff_ffff);
  fails('fault', () => read(16, 1));
  // An empty buffer must lie in memory as well.
  guest.words(16, guest.memory.length + 1, 0);
  fails('fault', () => read(16, 1));
});

test('buffers whose bytes do not fit into the result are refused', () => {
  // 256 buffers of 16 MiB each, all the same bytes.
  const guest = new Guest(16 << 20);
  for (let i = 0; i < 256; i++) guest.words(i * 8, 0, 16 << 20);
  fails('inval', () => decodeArgs('fd_write', [1, 0, 256, 0], guest.memory));
  assert.equal(decodeArgs('fd_write', [1, 0, 255, 0], guest.memory).buffers.length, 255);
});

test('out-pointers are checked too', () => {
  const guest = new Guest();
  const end = guest.memory.length;
  fails('fault', () => decodeArgs('fd_filestat_get', [3, end - 63], guest.memory));
  assert.deepEqual(decodeArgs('fd_filestat_get', [3, end - 64], guest.memory), { fd: 3 });
  fails('fault', () => decodeArgs('args_sizes_get', [0, end - 3], guest.memory));
  fails('fault', () => decodeArgs('sock_recv', [3, 0, 0, 0, 0, end - 1], guest.memory));
});

test('numbers', () => {
  const { memory } = new Guest();
  assert.equal(decodeArgs('fd_close', [-1], memory).fd, 0xffff_ffff);
  assert.equal(decodeArgs('fd_seek', [3, -1n, 0, 0], memory).offset, -1n);
  assert.equal(decodeArgs('fd_allocate', [3, -1n, 1n], memory).offset, (1n << 64n) - 1n);
  fails('inval', () => decodeArgs('proc_raise', [256], memory));
  fails('inval', () => decodeArgs('fd_fdstat_set_flags', [3, 65_536], memory));
});

test('poll_oneoff', () => {
  const guest = new Guest();
  const poll = (count: number, events = 4096): unknown =>
    decodeArgs('poll_oneoff', [0, events, count, 8], guest.memory);
  guest.view.setBigUint64(0, 77n, true);
  guest.view.setUint8(8, 0);
  guest.words(16, 1);
  guest.view.setBigUint64(24, 1000n, true);
  guest.view.setUint16(40, 1, true);
  guest.view.setBigUint64(48, 78n, true);
  guest.view.setUint8(56, 2);
  guest.words(64, 5);
  assert.deepEqual(poll(2), {
    subscriptions: [
      { type: 'clock', userdata: 77n, clock: 1, timeout: 1000n, abstime: true },
      { type: 'fdWrite', userdata: 78n, fd: 5 },
    ],
    events: undefined,
    capacity: 2,
  });
  fails('inval', () => poll(0));
  fails('inval', () => poll(LIMITS.pollSubscriptions + 1));
  fails('fault', () => poll(2, guest.memory.length - 63));
  guest.view.setUint8(56, 3);
  fails('inval', () => poll(2));
  guest.view.setUint16(40, 2, true);
  fails('inval', () => poll(1));
});

test('arguments and environment', () => {
  const guest = new Guest();
  const strings = ['prog', '', 'ä'].map((text) => new TextEncoder().encode(text));
  assert.deepEqual(stringSizes(strings), { count: 3, bytes: 9 });
  writeStrings(guest.memory, 100, 200, strings);
  assert.deepEqual(
    [100, 104, 108].map((at) => guest.view.getUint32(at, true)),
    [200, 205, 206],
  );
  assert.deepEqual(guest.memory.slice(200, 210), new TextEncoder().encode('prog\0\0ä\0\0'));
  const before = guest.memory.slice();
  fails('fault', () => writeStrings(guest.memory, 100, guest.memory.length - 8, strings));
  fails('fault', () => writeStrings(guest.memory, guest.memory.length - 11, 200, strings));
  assertSame(guest.memory.slice(), before, 'memory after a call that fails');
  writeStrings(guest.memory, guest.memory.length, guest.memory.length, []);
});

test('results go to their pointers', () => {
  const guest = new Guest();
  encodeResults('sock_recv', [3, 0, 0, 0, 100, 200], guest.memory, { count: 7, roflags: 1 });
  assert.deepEqual([guest.view.getUint32(100, true), guest.view.getUint16(200, true)], [7, 1]);
  encodeResults('clock_time_get', [0, 0n, 8], guest.memory, { time: (1n << 64n) - 1n });
  assert.equal(guest.view.getBigUint64(8, true), (1n << 64n) - 1n);
  encodeResults('poll_oneoff', [0, 1000, 2, 300], guest.memory, {
    count: 1,
    events: [{ userdata: 9n, error: 8, type: 1, bytes: 3n, flags: 1 }],
  });
  assert.deepEqual(
    [guest.view.getBigUint64(1000, true), guest.view.getUint16(1008, true), guest.view.getUint32(300, true)],
    [9n, 8, 1],
  );
});

test('any arguments on any memory are decoded or refused with an errno', () => {
  const small = fc.integer({ min: -4, max: 600 });
  const i32 = fc.oneof({ weight: 6, arbitrary: small }, fc.integer());
  const i64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
  const anyCall = fc.constantFrom(...CALL_NAMES).chain((name) => {
    const types = signatureOf(name).params;
    const raw: fc.Arbitrary<Raw[]> = fc.tuple(...types.map((type): fc.Arbitrary<Raw> => (type === 'i32' ? i32 : i64)));
    return fc.record({ name: fc.constant(name), raw });
  });
  fc.assert(
    fc.property(anyCall, fc.uint8Array({ minLength: 512, maxLength: 512 }), ({ name, raw }, bytes) => {
      const guest = new Guest(512);
      // Words of small numbers, so that pointers and lengths often fit.
      guest.memory.set(bytes.map((byte, i) => (i % 4 === 0 ? byte : i % 4 === 1 ? byte & 1 : 0)));
      try {
        decodeArgs(name, raw, guest.memory);
      } catch (error) {
        assert.ok(error instanceof ErrnoError, String(error));
      }
    }),
    fuzzed(2000),
  );
});
