import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { ERRNO, errnoName } from '../abi/errno.ts';
import { FdFlags, Whence } from '../abi/types.ts';
import { LIMITS } from '../base/limits.ts';
import { DirectFile } from './direct.ts';
import { HostDirectory } from './hostdirectory.ts';
import { HostFile } from './hostfile.ts';
import { nativeCalls } from './native.ts';
import { ErrnoError } from './openfile.ts';
import { openSpot } from './spot.ts';

const linux = process.platform === 'linux';

interface Opened {
  readonly file: HostFile;
  readonly name: string;
}

function open(t: TestContext, content: string, access = { read: true, write: true }, flags = 0): Opened {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-file-'));
  fs.writeFileSync(path.join(base, 'file'), content);
  const directory = new HostDirectory(openSpot(base), null);
  const file = directory.open('file', {
    ...access,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    followFinalLink: false,
    flags,
  });
  t.after(() => {
    if (Atomics.load(new Int32Array(shared), 2) !== -1) file.close();
    directory.close();
    fs.rmSync(base, { recursive: true });
  });
  assert.ok(file instanceof HostFile);
  const { shared } = file.direct;
  return { file, name: path.join(base, 'file') };
}

function fails(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => error instanceof ErrnoError && errnoName(error.errno) === errno);
}

/** Buffers of guest memory, with the lengths given. */
function room(...lengths: readonly number[]): Uint8Array[] {
  const memory = new SharedArrayBuffer(lengths.reduce((a, b) => a + b, 0) + 1);
  let at = 0;
  return lengths.map((length) => new Uint8Array(memory, (at += length) - length, length));
}

function bytes(text: string): Uint8Array[] {
  const buffers = room(text.length);
  buffers[0]?.set(new TextEncoder().encode(text));
  return buffers;
}

function text(buffers: readonly Uint8Array[]): string {
  return buffers.map((buffer) => Buffer.from(buffer).toString('latin1')).join('|');
}

const tell = (file: HostFile): bigint => file.direct.tell();

test('reads and writes move the position, positional ones do not', (t) => {
  const { file, name } = open(t, 'abcdefghij');
  const buffers = room(2, 3);
  assert.equal(file.read(buffers, null), 5);
  assert.equal(text(buffers), 'ab|cde');
  assert.equal(file.read(buffers, 7n), 3);
  assert.equal(text(buffers), 'hi|jde');
  assert.equal(tell(file), 5n);
  assert.equal(file.write([...bytes('F'), ...bytes('GH')], null), 3);
  assert.equal(file.write(bytes('A'), 0n), 1);
  assert.equal(tell(file), 8n);
  assert.equal(file.read(room(10), null), 2);
  assert.equal(file.read(room(10), null), 0);
  assert.equal(file.read([], null), 0);
  assert.equal(file.write([], null), 0);
  assert.equal(fs.readFileSync(name, 'utf8'), 'AbcdeFGHij');
});

test('seek', (t) => {
  const { file, name } = open(t, 'abcdefghij');
  assert.equal(file.seek(3n, Whence.set), 3n);
  assert.equal(file.seek(2n, Whence.cur), 5n);
  assert.equal(file.seek(-2n, Whence.cur), 3n);
  assert.equal(file.seek(-1n, Whence.end), 9n);
  fails('inval', () => file.seek(-1n, Whence.set));
  fails('inval', () => file.seek(-10n, Whence.cur));
  fails('inval', () => file.seek(0n, 3));
  const far = (1n << 63n) - 1n;
  assert.equal(file.seek(far, Whence.set), far);
  fails('inval', () => file.seek(1n, Whence.cur));
  assert.equal(tell(file), far);
  fails('inval', () => file.read(room(1), null));
  assert.equal(file.read(room(1), far - 1n), 0);
  assert.equal(file.read(room(1, 1), 1n << 60n), 0);
  fails('fbig', () => file.write(bytes('x'), null));
  file.seek(12n, Whence.set);
  file.write(bytes('x'), null);
  assert.equal(fs.readFileSync(name, 'latin1'), 'abcdefghij\0\0x');
  fails('inval', () => file.read(room(1), 1n << 63n));
  fails('inval', () => file.write(bytes('x'), 1n << 63n));
});

test('access is the operating system’s to say', (t) => {
  const reader = open(t, 'abc', { read: true, write: false }).file;
  fails('badf', () => reader.write(bytes('x'), null));
  fails('badf', () => reader.write([], null));
  fails('badf', () => reader.allocate(0n, 10n));
  fails('inval', () => reader.setSize(1n));
  assert.equal(reader.seek(0n, Whence.cur), 0n, 'a write that failed leaves the position');
  const writer = open(t, 'abc', { read: false, write: true }).file;
  fails('badf', () => writer.read(room(1), null));
  fails('badf', () => writer.read([], null));
});

test('append mode: every write goes to the end, wherever the position is', (t) => {
  const { file, name } = open(t, 'abc', { read: true, write: true }, FdFlags.append);
  assert.equal(tell(file), 0n);
  assert.equal(file.read(room(1), null), 1);
  file.write(bytes('DE'), null);
  assert.equal(tell(file), 5n);
  file.seek(0n, Whence.set);
  fs.appendFileSync(name, 'x');
  file.write([...bytes('F'), ...bytes('G')], null);
  fs.appendFileSync(name, 'y');
  // Behind its own write, not at the end that has moved on since.
  if (linux) assert.equal(tell(file), 8n);
  assert.equal(fs.readFileSync(name, 'utf8'), 'abcDExFGy');
});

test('append and sync can be switched while the file is open', { skip: !linux }, (t) => {
  const { file, name } = open(t, 'abcdef');
  const before = fs.readdirSync('/proc/self/fd').length;
  file.seek(2n, Whence.set);
  file.setFlags(FdFlags.append | FdFlags.nonblock);
  assert.equal(file.flags, FdFlags.append | FdFlags.nonblock);
  assert.equal(tell(file), 2n);
  file.write(bytes('G'), null);
  file.setFlags(FdFlags.sync);
  assert.equal(tell(file), 7n, 'the position behind an append outlives the switch');
  file.seek(0n, Whence.set);
  file.write(bytes('A'), null);
  fs.unlinkSync(name);
  // Not even a name is needed.
  file.setFlags(FdFlags.append);
  file.write(bytes('H'), null);
  const all = room(20);
  assert.equal(file.read(all, 0n), 8);
  assert.equal(text(all).slice(0, 8), 'AbcdefGH');
  fails('inval', () => file.setFlags(32));
  assert.equal(fs.readdirSync('/proc/self/fd').length, before);
});

test('size', (t) => {
  const { file, name } = open(t, 'abcdef');
  file.setSize(3n);
  file.setSize(5n);
  assert.equal(fs.readFileSync(name, 'latin1'), 'abc\0\0');
  fails('inval', () => file.setSize(1n << 63n));
  fails('fbig', () => file.setSize((1n << 63n) - 1n));
});

for (const system of [nativeCalls(), null]) {
  const how = system === null ? 'by writing' : 'by the system';
  test(`allocate extends, never shortens and never overwrites (${how})`, (t) => {
    const { file, name } = open(t, '');
    const allocate = (offset: bigint, length: bigint) => {
      file.allocate(offset, length, system);
    };
    allocate(0n, 100n);
    assert.equal(file.stat().size, 100n);
    assert.ok(fs.statSync(name).blocks > 0);
    file.write(bytes('content'), null);
    allocate(10n, 10n);
    assert.equal(file.stat().size, 100n);
    allocate(90n, 20n);
    assert.equal(file.stat().size, 110n);
    assert.equal(tell(file), 7n);
    assert.match(fs.readFileSync(name, 'latin1'), /^content\0{103}$/);
    fails('inval', () => allocate(0n, 0n));
    fails('fbig', () => allocate((1n << 63n) - 1n, 1n));
    fails('notsup', () => allocate(0n, BigInt(LIMITS.allocateBytes) + 111n));
  });
}

test('allocate fills holes', { skip: nativeCalls() === null && 'only by the system' }, (t) => {
  const { file, name } = open(t, '');
  file.setSize(100_000n);
  file.write(bytes('content'), 50_000n);
  const before = fs.statSync(name).blocks;
  file.allocate(0n, 100_000n);
  assert.ok(fs.statSync(name).blocks > before);
  assert.equal(file.stat().size, 100_000n);
  assert.equal(fs.readFileSync(name, 'latin1').replaceAll('\0', ''), 'content');
  // In append mode too it is the place that counts.
  file.setFlags(FdFlags.append);
  file.allocate(99_999n, 2n);
  assert.equal(file.stat().size, 100_001n);
});

test('times, to the nanosecond', (t) => {
  const { file } = open(t, '');
  const exact = 1_700_000_000_123_456_789n;
  file.setTimes(exact, 100n);
  // Without the system's own call (see vfs/times.ts) a double in seconds is what there is.
  const difference = file.stat().atim - exact;
  assert.ok(linux ? difference === 0n : difference ** 2n <= 120n ** 2n);
  assert.equal(file.stat().mtim, 100n);
  const before = file.stat();
  file.setTimes('now', null);
  assert.ok(file.stat().atim > exact);
  assert.equal(file.stat().mtim, before.mtim);
});

test('advice is checked and taken', (t) => {
  const { file } = open(t, 'abc');
  for (let advice = 0; advice <= 5; advice++) file.advise(0n, 100n, advice);
  fails('inval', () => file.advise(0n, 0n, 6));
  fails('inval', () => file.advise(1n << 63n, 1n, 0));
  assert.deepEqual(file.poll('read'), { bytes: 3n, hangup: false });
});

test('synchronisation waits for the disk, not in this thread', async (t) => {
  const { file } = open(t, 'abc');
  const sync = async (dataOnly: boolean) => {
    const waiting = file.sync(dataOnly);
    assert.ok(waiting.pending);
    return await new Promise((resolve) => waiting.whenDone(resolve));
  };
  assert.deepEqual(await sync(true), { value: undefined });
  assert.deepEqual(await sync(false), { value: undefined });
  const { fd } = file.direct;
  file.direct.replaceFd(2 ** 31 - 1, false);
  assert.deepEqual(await sync(false), { errno: ERRNO.badf });
  file.direct.replaceFd(fd, false);
});

test('after the last close nothing is done on the number any more', (t) => {
  const { file } = open(t, 'abc');
  const elsewhere = new DirectFile(file.direct.shared);
  file.close();
  fails('badf', () => elsewhere.read(room(1), null));
  fails('badf', () => elsewhere.write(bytes('x'), 0n));
});

test('a position in any state of sharing: compared with a model', (t) => {
  const { file, name } = open(t, '');
  const other = new DirectFile(file.direct.shared);
  const step = fc.oneof(
    fc.record({ do: fc.constant('write' as const), size: fc.nat({ max: 20 }), at: fc.option(fc.nat({ max: 50 })) }),
    fc.record({ do: fc.constant('read' as const), size: fc.nat({ max: 20 }), at: fc.option(fc.nat({ max: 50 })) }),
    fc.record({ do: fc.constant('seek' as const), size: fc.integer({ min: -40, max: 60 }), at: fc.nat({ max: 2 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      fs.truncateSync(name);
      file.seek(0n, Whence.set);
      let model = Buffer.alloc(0);
      let position = 0;
      for (const [i, { do: action, size, at }] of steps.entries()) {
        const via = i % 2 === 0 ? file : other;
        if (action === 'seek') {
          const to = size + [0, position, model.length][at]!;
          if (to < 0) fails('inval', () => via.seek(BigInt(size), at));
          else assert.equal(via.seek(BigInt(size), at), BigInt((position = to)));
          continue;
        }
        const from = at ?? position;
        let count: number;
        if (action === 'write') {
          const data = room(size >> 1, size - (size >> 1)).filter((part) => part.length > 0);
          for (const part of data) part.fill(i + 1);
          count = via.write(data, at === null ? null : BigInt(at));
          assert.equal(count, size);
          if (size > 0) {
            const grown = Buffer.alloc(Math.max(model.length, from + size));
            model.copy(grown);
            model = grown.fill(i + 1, from, from + size);
          }
        } else {
          const data = room(size);
          count = via.read(data, at === null ? null : BigInt(at));
          assert.equal(
            Buffer.from(data[0] ?? [])
              .subarray(0, count)
              .compare(model.subarray(from, from + size)),
            0,
          );
        }
        if (at === null) position += count;
      }
      assert.equal(tell(file), BigInt(position));
      assert.equal(fs.readFileSync(name).compare(model), 0);
    }),
    { numRuns: 60 },
  );
});

test('threads that share a file never write over each other, nor read the same bytes', async (t) => {
  const { file, name } = open(t, '');
  const ROUNDS = 300;
  const run = (action: 'write' | 'read', letter: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(
        `const { workerData, parentPort } = require('node:worker_threads');
         import(workerData.module).then(({ DirectFile }) => {
           const file = new DirectFile(workerData.shared);
           const buffer = new Uint8Array(8).fill(workerData.letter);
           let sum = 0;
           for (let i = 0; i < ${ROUNDS}; i++) {
             const count = file[workerData.action]([buffer.subarray(0, 1 + (i % 8))], null);
             for (let j = 0; j < count; j++) sum += buffer[j];
           }
           parentPort.postMessage(sum);
         });`,
        {
          eval: true,
          workerData: {
            module: new URL('./direct.ts', import.meta.url).href,
            shared: file.direct.shared,
            action,
            letter,
          },
        },
      );
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const written = await Promise.all([run('write', 1), run('write', 2)]);
  const content = fs.readFileSync(name);
  const count = (letter: number): number => content.filter((byte) => byte === letter).length;
  assert.deepEqual([count(1), count(2) * 2, count(0)], [...written, 0]);
  file.seek(0n, Whence.set);
  const read = await Promise.all([run('read', 0), run('read', 0)]);
  const total = content.reduce((a, b) => a + b, 0);
  assert.equal((read[0] ?? 0) + (read[1] ?? 0), total);
});
