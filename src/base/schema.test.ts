import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from './bytes.ts';
import {
  amount,
  bool,
  bytes,
  constant,
  decode,
  encode,
  f64,
  list,
  oneOf,
  optional,
  str,
  struct,
  u16,
  u32,
  u64,
} from './schema.ts';
import { fuzzed } from './testing/fuzzed.ts';

const message = struct({
  id: u32,
  name: str,
  kind: oneOf('first', 'second'),
  parts: list(struct({ size: u16, big: u64 }), 10),
  blob: optional(bytes(100)),
  last: bool,
});

const anyMessage = fc.record(
  {
    id: fc.integer({ min: 0, max: 0xffff_ffff }),
    name: fc.string({ unit: 'grapheme', maxLength: 50 }),
    kind: fc.constantFrom('first' as const, 'second' as const),
    parts: fc.array(
      fc.record(
        { size: fc.integer({ min: 0, max: 0xffff }), big: fc.bigInt(0n, (1n << 64n) - 1n) },
        { noNullPrototype: true },
      ),
      {
        maxLength: 10,
      },
    ),
    blob: fc.option(fc.uint8Array({ maxLength: 100 })),
    last: fc.boolean(),
  },
  { noNullPrototype: true },
);

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(anyMessage, (value) => {
      assert.deepEqual(decode(message, new ByteReader(encode(message, value))), value);
    }),
    fuzzed(100),
  );
});

test('any bytes are a message or a protocol error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decode(message, new ByteReader(bytes));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'protocol');
      }
    }),
    fuzzed(100),
  );
});

test('a cut message is a protocol error', () => {
  const encoded = encode(message, { id: 1, name: 'x', kind: 'first', parts: [], blob: null, last: true });
  for (let length = 0; length < encoded.length; length++) {
    assert.throws(() => decode(message, new ByteReader(encoded.subarray(0, length))), { code: 'protocol' });
  }
});

test('limits are held on both sides', () => {
  assert.throws(() => encode(bytes(3), new Uint8Array(4)), { code: 'protocol' });
  assert.throws(() => decode(bytes(3), new ByteReader(Uint8Array.of(4, 0, 0, 0, 1, 2, 3, 4))), { code: 'protocol' });
});

test('an amount is no number that nothing can have', () => {
  for (const value of [0, 0.5, Number.MAX_SAFE_INTEGER]) {
    assert.equal(decode(amount, new ByteReader(encode(f64, value))), value);
  }
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => decode(amount, new ByteReader(encode(f64, value))), { code: 'protocol' });
  }
});

test('fields are named as in the code, for their names become code', () => {
  const odd = struct({ 'a; b': u16 });
  assert.throws(() => encode(odd, { 'a; b': 1 }), /cannot be a field/);
  assert.throws(() => decode(odd, new ByteReader(Uint8Array.of(1, 0))), /cannot be a field/);
});

test('a constant takes no bytes', () => {
  const tagged = struct({ what: constant('dog'), legs: u16 });
  assert.deepEqual([...encode(tagged, { what: 'dog', legs: 4 })], [4, 0]);
  assert.deepEqual(decode(tagged, new ByteReader(Uint8Array.of(4, 0))), { what: 'dog', legs: 4 });
});
