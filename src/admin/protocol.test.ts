import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from '../abi/errno.ts';
import { FileType } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import {
  FrameReader,
  type ToClient,
  type ToDaemon,
  decodeToClient,
  decodeToDaemon,
  encodeToClient,
  encodeToDaemon,
} from './protocol.ts';
import { FAKE_STATS } from './testing/fake-daemon.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

const stdio = { kind: 'pipe', flags: 4, readable: true, writable: false } as const;
const SPEC = {
  program: '/a/b.wasm',
  args: ['b.wasm', 'ä', ''],
  env: ['A=1'],
  cwd: '/a',
  umask: 0o27,
  dirs: [{ host: '/a', guest: '.' }],
  listen: ['127.0.0.1:0'],
  pin: true,
  detach: false,
  hopMicros: 500.5,
  node: 'node2',
};
const STAT = { dev: 1n, ino: 2n, filetype: FileType.regularFile, nlink: 1n, size: 3n, atim: 4n, mtim: 5n, ctim: 6n };

const TO_DAEMON_SAMPLES: readonly ToDaemon[] = [
  { kind: 'hello', magic: 1, version: 1 },
  { kind: 'call', id: 7, method: 'ps', body: new Uint8Array() },
  {
    kind: 'run',
    spec: SPEC,
    stdio: { stdin: stdio, stdout: stdio, stderr: stdio },
    terminal: { columns: 80, rows: 25 },
  },
  { kind: 'signal', signal: 2 },
  { kind: 'resize', columns: 1, rows: 2 },
  { kind: 'data', id: 1, bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'count', id: 1, count: 5 },
  { kind: 'position', id: 1, position: 1n << 40n },
  { kind: 'fileStat', id: 2, stat: STAT },
  { kind: 'failed', id: 3, errno: ERRNO.pipe },
  { kind: 'done', id: 4 },
];

const TO_CLIENT_SAMPLES: readonly ToClient[] = [
  { kind: 'welcome', version: 1, self: { id: 1, name: 'n', address: '[::1]:1' } },
  { kind: 'answer', id: 1, body: Uint8Array.of(9) },
  { kind: 'failure', id: 0, code: 'not_found', message: 'no' },
  { kind: 'started', pid: 65_537 },
  { kind: 'pull', id: 1, fd: 'stdin', max: 10 },
  { kind: 'hurry', id: 1, fd: 'stdin' },
  { kind: 'write', id: 2, fd: 'stderr', bytes: Uint8Array.of(1) },
  { kind: 'seek', id: 3, fd: 'stdout', offset: -5n, whence: 1 },
  { kind: 'stat', id: 4, fd: 'stdin' },
  { kind: 'ended', end: { how: 'signalled', signal: 9, message: 'trap' }, stats: FAKE_STATS },
  { kind: 'readAt', id: 5, fd: 'stdin', offset: 1n << 40n, max: 10 },
  { kind: 'writeAt', id: 6, fd: 'stdout', offset: 0n, bytes: Uint8Array.of(1) },
  { kind: 'sync', id: 7, fd: 'stdout', dataOnly: true },
  { kind: 'setSize', id: 8, fd: 'stdout', size: 3n },
  { kind: 'setTimes', id: 9, fd: 'stdout', atim: null, mtim: 'now' },
  { kind: 'setTimes', id: 9, fd: 'stdout', atim: 0n, mtim: 5n },
  { kind: 'allocate', id: 10, fd: 'stdout', offset: 1n, length: 2n },
];

const payload = (frame: Uint8Array): Uint8Array => frame.subarray(4);

test('every message comes back as it was', () => {
  for (const message of TO_DAEMON_SAMPLES) {
    assert.deepEqual(decodeToDaemon(payload(encodeToDaemon(message))), message);
  }
  for (const message of TO_CLIENT_SAMPLES) {
    assert.deepEqual(decodeToClient(payload(encodeToClient(message))), message);
  }
});

test('an interval between moves that no timer has is refused', () => {
  const stdios = { stdin: stdio, stdout: stdio, stderr: stdio };
  for (const hopMicros of [0, -1, NaN, Infinity, LIMITS.hopMicros + 1]) {
    const run: ToDaemon = { kind: 'run', spec: { ...SPEC, hopMicros }, stdio: stdios, terminal: null };
    assert.throws(() => decodeToDaemon(payload(encodeToDaemon(run))), { code: 'protocol' });
  }
});

test('a umask that is none is refused', () => {
  const stdios = { stdin: stdio, stdout: stdio, stderr: stdio };
  for (const umask of [LIMITS.umask + 1, 0xffff]) {
    const run: ToDaemon = { kind: 'run', spec: { ...SPEC, umask }, stdio: stdios, terminal: null };
    assert.throws(() => decodeToDaemon(payload(encodeToDaemon(run))), { code: 'protocol' });
  }
});

test('frames are found however the bytes are cut', () => {
  const frames = TO_DAEMON_SAMPLES.map(encodeToDaemon);
  const stream = Buffer.concat(frames);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 100 }), (sizes) => {
      const reader = new FrameReader();
      const found: Uint8Array[] = [];
      let at = 0;
      for (const size of sizes) {
        found.push(...reader.push(stream.subarray(at, at + size)));
        at = Math.min(stream.length, at + size);
      }
      found.push(...reader.push(stream.subarray(at)));
      assert.deepEqual(
        found.map((bytes) => Buffer.from(bytes)),
        frames.map((frame) => Buffer.from(payload(frame))),
      );
    }),
    fuzzed(100),
  );
});

test('a length that no frame has ends the reading', () => {
  for (const length of [0, LIMITS.controlFrameBytes + 1, 0xffff_ffff]) {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, length, true);
    assert.throws(() => [...new FrameReader().push(header)], { code: 'protocol' });
  }
});

function attempt(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'protocol');
  }
}

test('any bytes are a message or a protocol error, in both directions', () => {
  const changed = fc.record({
    sample: fc.nat(),
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    length: fc.nat({ max: 400 }),
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      attempt(decodeToDaemon, bytes);
      attempt(decodeToClient, bytes);
    }),
    fuzzed(100),
  );
  // Rubbish rarely gets past the first field: messages with one byte changed, or cut, get deeper.
  fc.assert(
    fc.property(changed, ({ sample, at, byte, length }) => {
      const up = payload(encodeToDaemon(TO_DAEMON_SAMPLES[sample % TO_DAEMON_SAMPLES.length]!));
      up[at % up.length] = byte;
      attempt(decodeToDaemon, up.subarray(0, length));
      const down = payload(encodeToClient(TO_CLIENT_SAMPLES[sample % TO_CLIENT_SAMPLES.length]!));
      down[at % down.length] = byte;
      attempt(decodeToClient, down.subarray(0, length));
    }),
    fuzzed(2000),
  );
});

test('a message too long for a frame is refused where it is made', () => {
  const arg = 'x'.repeat(60_000);
  const spec = { ...SPEC, args: Array.from({ length: 100 }, () => arg) };
  const stdios = { stdin: stdio, stdout: stdio, stderr: stdio };
  assert.throws(() => encodeToDaemon({ kind: 'run', spec, stdio: stdios, terminal: null }), { code: 'limit' });
});
