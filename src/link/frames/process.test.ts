import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../../base/bytes.ts';
import { incarnation, makePid, nodeId } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Codec } from '../../base/schema.ts';
import { decode, encode, struct } from '../../base/schema.ts';
import { MIGRATION_FRAMES } from './migration.ts';
import { PROCESS_FRAMES } from './process.ts';
import type { FrameTable } from './table.ts';

const tables: readonly { name: string; frames: FrameTable; from: number; to: number }[] = [
  { name: 'process', frames: PROCESS_FRAMES, from: 0x40, to: 0x5f },
  { name: 'migration', frames: MIGRATION_FRAMES, from: 0x60, to: 0x7f },
];

for (const { name, frames, from, to } of tables) {
  test(`${name} frames have numbers of their own in their range`, () => {
    const types = Object.values(frames).map(({ type }) => type);
    assert.equal(new Set(types).size, types.length);
    assert(types.every((type) => type >= from && type <= to));
  });

  test(`any bytes are a ${name} frame, the same when encoded again, or a protocol error`, () => {
    const codecs = Object.values(frames).map(({ fields }) => struct(fields) as Codec<unknown>);
    fc.assert(
      fc.property(fc.constantFrom(...codecs), fc.uint8Array({ maxLength: 120 }), (codec, bytes) => {
        try {
          const message = decode(codec, new ByteReader(bytes));
          // Text and numbers that are not a number have more than one form; all else must come out as it went in.
          assert.equal(encode(codec, message).length, bytes.length);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'protocol');
        }
      }),
    );
  });
}

test('no node says that a guest has used what none can', () => {
  const usage = { cpuMs: 1.5, memoryBytes: BigInt(LIMITS.memoryBytes), localCalls: 0n, threads: 1, waiting: [] };
  const codec = struct(PROCESS_FRAMES.usage.fields);
  const frame = { pid: makePid(nodeId(1), 1), incarnation: incarnation(1), usage };
  assert.deepEqual(decode(codec, new ByteReader(encode(codec, frame))), frame);
  const impossible = [{ cpuMs: -1 }, { cpuMs: NaN }, { cpuMs: Infinity }, { memoryBytes: 2n ** 64n - 1n }];
  for (const wrong of [...impossible, { localCalls: 2n ** 53n }]) {
    const bytes = encode(codec, { ...frame, usage: { ...usage, ...wrong } });
    assert.throws(() => decode(codec, new ByteReader(bytes)), { code: 'protocol' });
  }
});

test('bulk frames end with their payload, which a link sends without a copy', () => {
  for (const name of ['image_chunk', 'module_chunk'] as const) {
    assert.equal(Object.keys(MIGRATION_FRAMES[name].fields).at(-1), 'payload');
  }
});
