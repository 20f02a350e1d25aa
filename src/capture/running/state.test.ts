import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GodwitError } from '../../base/errors.ts';
import { ENGINE_VERSION } from '../layout/facts.ts';
import { decodeState, encodeState } from './state.ts';
import type { MachineState } from './state.ts';
import { fuzzed } from '../../base/testing/fuzzed.ts';

const bytes = fc.uint8Array({ maxLength: 200 }).map((list) => Uint8Array.from(list));
const functionIndex = fc.nat(0x7fff_ffff);

const anyState: fc.Arbitrary<MachineState> = fc.record(
  {
    root: fc.oneof(
      fc.constant({ type: 'start' } as const),
      fc.string({ unit: 'grapheme', maxLength: 20 }).map((name) => ({ type: 'export', name }) as const),
    ),
    frames: bytes,
    globals: bytes,
    references: fc.array(functionIndex).map((list) => Int32Array.from(list)),
    exceptions: fc.array(bytes, { maxLength: 5 }),
    tables: fc.array(
      fc.record(
        {
          table: fc.nat(0xffff_ffff),
          entries: fc.array(fc.oneof(functionIndex, fc.constant(-1))).map((list) => Int32Array.from(list)),
        },
        { noNullPrototype: true },
      ),
    ),
    hostReference: fc.constant(false),
  },
  { noNullPrototype: true },
);

/** A state that encodes to the same bytes, or a refusal. */
function checkAny(input: Uint8Array): void {
  let state: MachineState;
  try {
    state = decodeState(input);
  } catch (error) {
    assert(error instanceof GodwitError && error.code === 'corrupt', String(error));
    return;
  }
  assert.deepEqual(encodeState(state), Uint8Array.from(input));
}

const version = [...new Uint8Array(Uint32Array.of(ENGINE_VERSION).buffer)];

test('a state that was encoded is decoded', () => {
  fc.assert(
    fc.property(anyState, (state) => assert.deepEqual(decodeState(encodeState(state)), state)),
    fuzzed(100),
  );
});

test('any bytes are a state or corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => checkAny(Uint8Array.from([...version, ...rest]))),
    {
      ...fuzzed(2000),
    },
  );
  assert.throws(() => decodeState(new Uint8Array()), { code: 'corrupt' });
  assert.throws(() => decodeState(new Uint8Array(40)), { code: 'version_mismatch' });
});

test('a state with some bytes changed, or cut off, is a state or corrupt', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(anyState, changes, fc.boolean(), (state, changed, cut) => {
      const encoded = encodeState(state);
      for (const [at, value] of changed) encoded[4 + (at % (encoded.length - 4))] = value;
      checkAny(cut ? encoded.subarray(0, 4 + ((changed[0]?.[0] ?? 0) % (encoded.length - 4))) : encoded);
    }),
    fuzzed(100),
  );
});

test('counts are believed only as far as there are bytes for them', () => {
  const empty = encodeState({
    root: { type: 'start' },
    frames: new Uint8Array(),
    globals: new Uint8Array(),
    references: new Int32Array(),
    exceptions: [],
    tables: [],
    hostReference: false,
  });
  for (const at of [5, 9, 13, 17, 21]) {
    const claims = Uint8Array.from(empty);
    new DataView(claims.buffer).setUint32(at, 0xffff_ffff, true);
    assert.throws(() => decodeState(claims), { code: 'corrupt' }, `count at ${at}`);
  }
  // Tables take more memory than bytes here, even if each is empty.
  const many = new Uint8Array(empty.length + 8 * 70_000);
  many.set(empty);
  new DataView(many.buffer).setUint32(21, 70_000, true);
  assert.throws(() => decodeState(many), { code: 'corrupt', message: /70000 tables/ });
  // So do exceptions.
  new DataView(many.buffer).setUint32(17, 70_000, true);
  assert.throws(() => decodeState(many), { code: 'corrupt', message: /70000 exceptions/ });
});
