import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame } from '../base/testing/same.ts';
import { GodwitError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { decodeArgs } from './decode.ts';
import type { Raw } from './decode.ts';
import { encodeResults } from './encode.ts';
import { ERRNO, ErrnoError, errnoName } from './errno.ts';
import type { ParamKind, ResultKind, ResultTypes } from './kinds.ts';
import { applyReply, decodeReply, decodeRequest, encodeReply, encodeRequest } from './marshal.ts';
import type { Outcome } from './marshal.ts';
import { gather, scatter, totalLength } from './memory.ts';
import { CALL_NAMES, callIndex, PREVIEW1 } from './preview1.ts';
import type { Preview1Name } from './preview1.ts';
import { shapeOf } from './signature.ts';
import { FileType } from './types.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

const AWAY = CALL_NAMES.filter((name) => PREVIEW1[name].runs !== 'here');
const MEMORY_BYTES = 8192;

/** Raw arguments for a call, and the words in memory that its pointers need. */
const RAW: { readonly [K in ParamKind]: fc.Arbitrary<Raw[]> } = {
  u8: fc.tuple(fc.integer({ min: 0, max: 0xff })),
  u16: fc.tuple(fc.integer({ min: 0, max: 0xffff })),
  u32: fc.tuple(fc.integer()),
  u64: fc.tuple(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n)),
  s64: fc.tuple(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n)),
  fd: fc.tuple(fc.integer()),
  path: fc.tuple(fc.integer({ min: 1024, max: 1100 }), fc.integer({ min: 0, max: 40 })),
  inBuffers: fc.tuple(fc.constant(512), fc.integer({ min: 0, max: 4 })),
  outBuffers: fc.tuple(fc.constant(512), fc.integer({ min: 0, max: 4 })),
  outBytes: fc.tuple(fc.integer({ min: 2048, max: 2100 }), fc.integer({ min: 0, max: 100 })),
  stringPointers: fc.constant([]),
  stringBytes: fc.constant([]),
  subscriptions: fc.tuple(fc.constant(4096)),
  events: fc.tuple(fc.constant(5000)),
  pollCount: fc.tuple(fc.integer({ min: 1, max: 3 })),
};

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const filetype = fc.constantFrom(...Object.values(FileType));
const RESULTS: { readonly [K in ResultKind]: fc.Arbitrary<ResultTypes[K]> } = {
  size: u32,
  u16,
  u64,
  fd: u32,
  fdstat: fc.record({ filetype, flags: u16, rightsBase: u64, rightsInheriting: u64 }),
  filestat: fc.record({ dev: u64, ino: u64, filetype, nlink: u64, size: u64, atim: u64, mtim: u64, ctim: u64 }),
  prestat: fc.record({ tag: fc.nat(255), nameLength: u32 }),
};

/** A call as a guest would make it: with all pointers right. */
const anyCall = fc.constantFrom(...AWAY).chain((name) => {
  const shape = shapeOf(name);
  const outPointers = shape.results.map((_, i) => fc.constant<Raw[]>([6000 + i * 64]));
  return fc.record({
    name: fc.constant(name),
    raw: fc.tuple(...shape.params.map(({ kind }) => RAW[kind]), ...outPointers).map((parts) => parts.flat()),
    results: fc.record(
      Object.fromEntries(shape.results.map(({ name: result, kind }) => [result, RESULTS[kind]])),
    ) as fc.Arbitrary<Record<string, unknown>>,
    errno: fc.option(fc.constantFrom(...Object.values(ERRNO))),
    filling: fc.uint8Array({ minLength: 400, maxLength: 400 }),
    filled: fc.nat({ max: 400 }),
  });
});

/** Memory with four buffers of different lengths at 512, ASCII at 1024, subscriptions at 4096. */
function guestMemory(): Uint8Array {
  const memory = new Uint8Array(new SharedArrayBuffer(MEMORY_BYTES));
  const view = new DataView(memory.buffer);
  for (let i = 0; i < 4; i++) {
    view.setUint32(512 + i * 8, 3000 + i * 100, true);
    view.setUint32(516 + i * 8, [10, 0, 33, 1][i] ?? 0, true);
  }
  for (let i = 0; i < 200; i++) memory[1024 + i] = 0x61 + (i % 26);
  for (let i = 0; i < 100; i++) memory[2048 + i] = i;
  for (let i = 0; i < 400; i++) memory[3000 + i] = 255 - (i % 256);
  for (let i = 0; i < 3; i++) {
    view.setBigUint64(4096 + i * 48, BigInt(i) + 5n, true);
    view.setUint8(4104 + i * 48, i);
    view.setUint32(4112 + i * 48, i + 7, true);
  }
  return memory;
}

type AnyCall = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

/** A kernel that knows no call: fills out-buffers and gives results as the test says. */
function carryOut(call: AnyCall, args: object): Outcome<Preview1Name> {
  if (call.errno !== null) return { errno: call.errno };
  const results = { ...call.results };
  for (const { name, kind } of shapeOf(call.name).params) {
    const value = (args as Record<string, unknown>)[name];
    if (kind !== 'outBuffers' && kind !== 'outBytes') continue;
    const buffers = kind === 'outBuffers' ? (value as Uint8Array[]) : [value as Uint8Array];
    const count = Math.min(call.filled, totalLength(buffers));
    scatter(call.filling.subarray(0, count), buffers);
    if ('count' in results) results['count'] = count;
  }
  if (call.name === 'poll_oneoff') {
    results['count'] = 1;
    results['events'] = [{ userdata: 3n, error: 8, type: 2, bytes: 4n, flags: 1 }];
  }
  return { results };
}

test('a call carried out far away leaves the same memory and errno as one at home', () => {
  fc.assert(
    fc.property(anyCall, (call) => {
      const atHome = guestMemory();
      const outcome = carryOut(call, decodeArgs(call.name, call.raw, atHome));
      if ('results' in outcome) encodeResults(call.name, call.raw, atHome, outcome.results);

      const away = guestMemory();
      const args = decodeArgs(call.name, call.raw, away);
      const request = decodeRequest(encodeRequest(call.name, args));
      assert.equal(request.name, call.name);
      const { name } = call;
      const reply = encodeReply(name, request.args as typeof args, carryOut(call, request.args));
      const errno = applyReply(name, call.raw, away, reply);
      assert.equal(errno, call.errno ?? 0);
      assertSame(away.slice(), atHome.slice(), 'memory');
    }),
    fuzzed(1000),
  );
});

test('a request carries the same arguments', () => {
  fc.assert(
    fc.property(anyCall, ({ name, raw }) => {
      const args = decodeArgs(name, raw, guestMemory());
      const request = decodeRequest(encodeRequest(name, args));
      for (const { name: param, kind } of shapeOf(name).params) {
        const sent = (args as Record<string, unknown>)[param];
        const got = (request.args as Record<string, unknown>)[param];
        if (kind === 'inBuffers') assert.deepEqual(joined(got), joined(sent));
        else if (kind === 'outBuffers') assert.equal(joined(got).length, joined(sent).length);
        else if (kind === 'outBytes') assert.equal((got as Uint8Array).length, (sent as Uint8Array).length);
        else assert.deepEqual(got, sent);
      }
    }),
    fuzzed(100),
  );
});

function joined(buffers: unknown): Uint8Array {
  return gather(buffers as readonly Uint8Array[], MEMORY_BYTES);
}

test('long reads and writes are cut', () => {
  const memory = new Uint8Array(new SharedArrayBuffer(2 << 20));
  const view = new DataView(memory.buffer);
  view.setUint32(0, 64, true);
  view.setUint32(4, 1 << 20, true);
  const write = decodeRequest(encodeRequest('fd_write', decodeArgs('fd_write', [1, 0, 1, 8], memory)));
  assert.ok(write.name === 'fd_write');
  assert.equal(totalLength(write.args.buffers), LIMITS.homeCallBytes);
  const read = decodeRequest(encodeRequest('fd_read', decodeArgs('fd_read', [0, 0, 1, 8], memory)));
  assert.ok(read.name === 'fd_read');
  assert.equal(totalLength(read.args.buffers), LIMITS.homeCallBytes);
  const reply = encodeReply('fd_read', read.args, { results: { count: LIMITS.homeCallBytes } });
  assert.equal(applyReply('fd_read', [0, 0, 1, 8], memory, reply), 0);
  assert.equal(view.getUint32(8, true), LIMITS.homeCallBytes);
});

test('a directory listing that only the limit has cut does not look like its end', () => {
  const memory = new Uint8Array(new SharedArrayBuffer(2 << 20));
  const raw = [3, 64, 1 << 20, 0n, 8];
  const request = decodeRequest(encodeRequest('fd_readdir', decodeArgs('fd_readdir', raw, memory)));
  assert.ok(request.name === 'fd_readdir');
  const full = encodeReply('fd_readdir', request.args, { results: { count: LIMITS.homeCallBytes } });
  assert.equal(errnoName(applyReply('fd_readdir', raw, memory, full)), 'nobufs');
  const part = encodeReply('fd_readdir', request.args, { results: { count: 100 } });
  assert.equal(applyReply('fd_readdir', raw, memory, part), 0);
});

test('calls that run where the guest is are not carried', () => {
  for (const name of CALL_NAMES) {
    if (PREVIEW1[name].runs !== 'here') continue;
    assert.throws(() => decodeRequest(Uint8Array.of(callIndex(name), 0, 0, 0, 0, 0, 0, 0, 0)), refused);
  }
});

const refused = (error: unknown): boolean => error instanceof GodwitError && error.code === 'protocol';

test('any bytes are a request or a protocol error', () => {
  fc.assert(
    fc.property(anyCall, fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 60 }), (call, noise, at) => {
      for (const bytes of [noise, spoilt(requestOf(call), noise, at)]) {
        try {
          decodeRequest(bytes);
        } catch (error) {
          assert.ok(refused(error), String(error));
        }
      }
    }),
    fuzzed(2000),
  );
});

test('any bytes are a reply or a protocol error, and then nothing is written', () => {
  fc.assert(
    fc.property(anyCall, fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 60 }), (call, noise, at) => {
      const request = decodeRequest(requestOf(call));
      const reply = encodeReply(call.name, request.args as never, carryOut(call, request.args));
      for (const bytes of [noise, spoilt(reply, noise, at)]) {
        const memory = guestMemory();
        try {
          applyReply(call.name, call.raw, memory, bytes);
        } catch (error) {
          assert.ok(refused(error), String(error));
          assertSame(memory.slice(), guestMemory().slice(), 'memory');
        }
      }
    }),
    fuzzed(2000),
  );
});

function requestOf(call: AnyCall): Uint8Array {
  return encodeRequest(call.name, decodeArgs(call.name, call.raw, guestMemory()));
}

/** Good bytes with noise in the middle, or cut off. */
function spoilt(bytes: Uint8Array, noise: Uint8Array, at: number): Uint8Array {
  if (noise.length === 0) return bytes.subarray(0, at);
  const out = bytes.slice();
  out.set(noise.subarray(0, Math.max(0, out.length - at)), Math.min(at, out.length));
  return out;
}

test('a reply may not claim more than there is room for', () => {
  const memory = guestMemory();
  const args = decodeArgs('fd_read', [0, 512, 1, 6000], memory);
  const reply = encodeReply('fd_read', { fd: 0, buffers: [new Uint8Array(11)] }, { results: { count: 11 } });
  assert.throws(() => decodeReply('fd_read', args, reply), refused);
});

test('arguments that another thread has spoilt meanwhile give an errno', () => {
  const memory = guestMemory();
  const reply = encodeReply('fd_read', { fd: 0, buffers: [new Uint8Array(5)] }, { results: { count: 5 } });
  assert.equal(applyReply('fd_read', [0, MEMORY_BYTES, 1, 6000], memory, reply), ERRNO.fault);
  assert.throws(() => decodeArgs('fd_read', [0, MEMORY_BYTES, 1, 6000], memory), ErrnoError);
});
