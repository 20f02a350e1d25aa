import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame } from '../../base/testing/same.ts';
import { GodwitError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { ImageReader } from './image-reader.ts';
import type { LoadedImage } from './image-reader.ts';
import { ImageWriter } from './image-writer.ts';
import type { ImageSource } from './image-writer.ts';
import { IMAGE_PAGE_BYTES, IMAGE_VERSION } from './image.ts';
import type { ImageHasher } from './image.ts';
import { fuzzed } from '../../base/testing/fuzzed.ts';

const key = Buffer.from('godwit-image-v1\0');
const hasher: ImageHasher = {
  checksum(content) {
    const cipher = createCipheriv('aes-128-gcm', key, new Uint8Array(12));
    cipher.setAAD(content);
    cipher.final();
    return cipher.getAuthTag();
  },
  digest() {
    const hash = createHash('sha256');
    return {
      update: (bytes) => {
        hash.update(bytes);
      },
      final: () => hash.digest(),
    };
  },
};

const PAGES = 8;
const WASM_PAGE = 65_536;

function source(pagesWithContent: readonly number[], seed: number): ImageSource {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 20, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  for (const page of pagesWithContent)
    bytes[page * IMAGE_PAGE_BYTES + ((seed * 7919) % IMAGE_PAGE_BYTES)] = 1 + (seed % 255);
  return {
    moduleHash: new Uint8Array(32).fill(seed & 0xff),
    memories: [
      { bytes: new Uint8Array(WASM_PAGE), maximumPages: 1 },
      { bytes, maximumPages: 20 },
    ],
    threads: [Uint8Array.of(1, 2, 3), new Uint8Array(seed % 1000)],
    kernel: new Uint8Array(seed % 77).fill(9),
  };
}

function joined(image: ImageSource): Uint8Array {
  const writer = new ImageWriter(image, hasher);
  const pieces: Uint8Array[] = [];
  for (let piece = writer.next(100_000); piece !== null; piece = writer.next(100_000))
    pieces.push(Uint8Array.from(piece));
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.length, writer.bytes);
  assert.ok(bytes.subarray(-32).equals(writer.digest()));
  return bytes;
}

/** Feeds an image in pieces of the given size. */
function load(bytes: Uint8Array, size: number): { image: LoadedImage; memory: Uint8Array } {
  let memory = new Uint8Array(0);
  const reader = new ImageReader(hasher, (header) => {
    const memories = header.memories.map(({ pages }) => new Uint8Array(pages * WASM_PAGE));
    memory = memories[1] ?? memory;
    return memories;
  });
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return { image: reader.finish(), memory };
}

test('an image that was written is read, in pieces of any size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(PAGES * 16 - 1), { maxLength: 60 }),
      fc.nat(100_000),
      fc.integer({ min: 1, max: 300_000 }),
      (pages, seed, size) => {
        const original = source(pages, seed);
        const { image, memory } = load(joined(original), size);
        assert.deepEqual(image.header.moduleHash, original.moduleHash);
        assert.deepEqual(image.header.memories, [
          { pages: 1, maximumPages: 1 },
          { pages: PAGES, maximumPages: 20 },
        ]);
        assertSame(image.threads, original.threads, 'threads');
        assertSame(image.kernel, original.kernel, 'kernel');
        assertSame(memory, original.memories[1]!.bytes, 'memory');
      },
    ),
    fuzzed(60),
  );
});

test('pages without content are not sent', () => {
  assert.ok(joined(source([], 5)).length < 500);
  const one = joined(source([17], 5)).length;
  assert.ok(one > IMAGE_PAGE_BYTES && one < 2 * IMAGE_PAGE_BYTES);
});

test('many short runs of pages are sent in few pieces', () => {
  const everySecond = Array.from({ length: PAGES * 8 }, (_, i) => 2 * i);
  const writer = new ImageWriter(source(everySecond, 5), hasher);
  let pieces = 0;
  while (writer.next(100_000) !== null) pieces++;
  assert.equal(pieces, Math.ceil(writer.bytes / 100_000));
});

test('content at the ends of the parts in which a memory is looked through is sent', () => {
  const part = 8 * 2 ** 20;
  const bytes = new Uint8Array(2 * part + WASM_PAGE);
  for (const end of [part, 2 * part, bytes.length]) bytes.fill(end % 251 || 1, end - 3 * IMAGE_PAGE_BYTES, end);
  bytes[part] = 5;
  const original: ImageSource = {
    ...source([], 1),
    memories: [
      { bytes: new Uint8Array(0), maximumPages: 1 },
      { bytes, maximumPages: 400 },
    ],
  };
  assert.ok(Buffer.from(load(joined(original), 100_000).memory).equals(Buffer.from(bytes)));
});

test('a process without memory has an image too', () => {
  const original: ImageSource = { ...source([], 1), memories: [] };
  assert.deepEqual(load(joined(original), 50).image.header.memories, []);
});

test('a process has as many threads as it may, and no more', () => {
  const states = Array.from({ length: LIMITS.threads }, (_, i) => new Uint8Array(i % 2));
  const most = { ...source([], 3), threads: states };
  assert.deepEqual(load(joined(most), 50).image.threads, states);
  const more = { ...most, threads: [...states, Uint8Array.of(1)] };
  assert.throws(() => load(joined(more), 50), { code: 'corrupt' });
});

test('states are there before memory, and those of threads before that of the kernel', () => {
  const original = source([1, 2], 9);
  const bytes = joined(original);
  const reader = new ImageReader(hasher, ({ memories }) =>
    memories.map(({ pages }) => new Uint8Array(pages * WASM_PAGE)),
  );
  const states = (): number => original.threads.reduce((sum, { length }) => sum + length, original.kernel.length);
  for (let at = 0; reader.states === null; at += 10) {
    assert.ok(at < states() + 300, 'no memory comes before');
    reader.push(bytes.subarray(at, at + 10));
  }
  assert.deepEqual(reader.states, { threads: original.threads, kernel: original.kernel });
  // A thread behind the kernel.
  const head = Buffer.alloc(12);
  head.writeUInt32LE(2, 0);
  head.writeUInt32LE(original.threads.length, 4);
  const small = joined({ ...source([], 9), memories: [] });
  assert.throws(() => load(Buffer.concat([small.subarray(0, -44), head, small.subarray(-44)]), 1000), {
    code: 'corrupt',
    message: /with thread \d+ after/,
  });
});

test('any change of an image is found', () => {
  const bytes = joined(source([1, 2, 3, 40], 77));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= change;
      assert.throws(() => load(changed, 10_000), GodwitError);
    }),
    // The head of the end: the only bytes that the digest does not cover.
    { ...fuzzed(300), examples: Array.from({ length: 12 }, (_, i) => [bytes.length - 44 + i, 1]) },
  );
  assert.throws(() => load(bytes.subarray(0, -1), 1000), { code: 'corrupt' });
  assert.throws(() => load(Buffer.concat([bytes, Uint8Array.of(0)]), 1000), { code: 'corrupt' });
});

test('a state gets memory as it comes, not as it is announced', () => {
  const original = source([], 5);
  const bytes = joined({ ...original, kernel: new Uint8Array(300_000).fill(3) });
  assertSame(load(bytes, 1000).image.kernel, new Uint8Array(300_000).fill(3), 'kernel');
  // The last record but the end is the kernel's state: it says 100 MB now, of which nothing comes.
  const head = Buffer.from(bytes).lastIndexOf(Buffer.from([3, 0, 0, 0, 0, 0, 0, 0])) + 8;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(head, 100_000_000, true);
  const before = process.memoryUsage().arrayBuffers;
  assert.throws(() => load(bytes.subarray(0, head + 4), 1000), { code: 'corrupt', message: /breaks off/ });
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
});

test('any bytes are an image or an error, with little memory', () => {
  const magic = [...Buffer.from('GDWIMG'), IMAGE_VERSION, 0];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, withMagic) => {
      assert.throws(() => load(Uint8Array.from([...(withMagic ? magic : []), ...bytes]), 64), GodwitError);
    }),
    fuzzed(300),
  );
});
