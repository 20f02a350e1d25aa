import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter, copyOf } from './bytes.ts';

test('a writer grows at every kind of value', () => {
  const writer = new ByteWriter(1);
  writer.u8(1);
  writer.u8(2);
  writer.u16(3);
  writer.u32(4);
  writer.u64(5n);
  writer.f64(6.5);
  writer.raw(Uint8Array.of(7));
  const reader = new ByteReader(writer.done());
  assert.deepEqual([reader.u8(), reader.u8(), reader.u16(), reader.u32()], [1, 2, 3, 4]);
  assert.deepEqual([reader.u64(), reader.f64(), reader.u8()], [5n, 6.5, 7]);
});

test('a copy has the bytes, whatever becomes of the original and of other copies', () => {
  const lengths = [0, 1, 511, 512, 513, 5000];
  const copies = Array.from({ length: 60 }, (_, i) => {
    const original = new Uint8Array(lengths[i % lengths.length]!).fill(i);
    const copy = copyOf(original);
    original.fill(0xff);
    return copy;
  });
  for (const [i, copy] of copies.entries()) {
    assert.equal(copy.length, lengths[i % lengths.length]);
    assert.ok(copy.every((byte) => byte === i));
  }
});
