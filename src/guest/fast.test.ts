import assert from 'node:assert/strict';
import { constants, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { CALL_NAMES } from '../abi/preview1.ts';
import { signatureOf } from '../abi/signature.ts';
import { PAGE_BYTES, Side } from './testing/side.ts';

const NAMES = CALL_NAMES.filter((name) =>
  /^(args_sizes|environ_sizes|clock_time|random|fd_p?(read|write)$|fd_seek|fd_tell)/.test(name),
);

function sides(t: TestContext): readonly [Side, Side] {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'godwit-fast-'));
  const both = [new Side(true, directory, 'fast'), new Side(false, directory, 'generic')] as const;
  t.after(() => {
    for (const side of both) side.close();
    rmSync(directory, { recursive: true });
  });
  return both;
}

/** Numbers for an i32: descriptors, places of iovecs and of data, and what lies at and beyond the edges. */
const i32 = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }) },
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 100 }).map((n) => n * 8) },
  { weight: 1, arbitrary: fc.integer({ min: PAGE_BYTES - 9, max: PAGE_BYTES + 1 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -8, 0x7fff_ffff, -0x8000_0000) },
);
const i64 = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: -3n, max: 300n }) },
  { weight: 1, arbitrary: fc.constantFrom(1n << 31n, (1n << 31n) - 1n, 1n << 53n, (1n << 63n) - 1n, -(1n << 63n)) },
);
const call = fc.constantFrom(...NAMES).chain((name) =>
  fc.record({
    name: fc.constant(name),
    raw: fc.tuple(
      ...signatureOf(name).params.map((type): fc.Arbitrary<number | bigint> => (type === 'i64' ? i64 : i32)),
    ),
  }),
);
/** Pairs of a pointer and a length, which is what iovecs are made of. */
const words = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: fc.integer({ min: 0, max: 600 }) },
    { weight: 1, arbitrary: fc.constantFrom(PAGE_BYTES - 4, PAGE_BYTES, 0xffff_ffff, 0) },
  ),
  { minLength: 100, maxLength: 100 },
);
/** A transfer as programs make them: where it is read from or written to is good. */
const transfer = fc.record({
  name: fc.constantFrom('fd_read' as const, 'fd_write' as const),
  raw: fc.tuple(
    fc.constantFrom(3, 4),
    fc.integer({ min: 0, max: 48 }).map((n) => n * 8),
    fc.integer({ min: 0, max: 3 }),
    fc.constant(2000),
  ),
});

test('the fast path of a call does what its generic path does', (t) => {
  const both = sides(t);
  for (const side of both) {
    side.open(3, constants.O_RDWR | constants.O_CREAT);
    side.open(4, constants.O_RDWR | constants.O_APPEND, {}, true);
    side.open(5, constants.O_RDONLY, { seek: false });
    side.open(6, constants.O_WRONLY, { tell: false });
  }
  fc.assert(
    fc.property(words, fc.array(fc.oneof(call, transfer), { maxLength: 20 }), fc.nat(20), (content, calls, resumed) => {
      for (const side of both) {
        side.reset();
        new Uint32Array(side.memory.buffer, 0, content.length).set(content);
      }
      const [fast, generic] = both.map((side) => {
        const before = side.calls.progress.localCalls;
        const errnos = calls.map(({ name, raw }, i) => {
          if (i === resumed) side.calls.progress.resumed();
          return side.call(name, ...raw);
        });
        const local = side.calls.progress.localCalls - before;
        return {
          errnos,
          local,
          asked: [...side.control.calls],
          memory: Buffer.from(new Uint8Array(side.memory.buffer)),
        };
      });
      assert.deepEqual(fast?.errnos, generic?.errnos);
      assert.deepEqual(fast?.asked, generic?.asked);
      assert.equal(fast?.local, generic?.local);
      assert.ok(fast?.memory.equals(generic?.memory ?? Buffer.alloc(0)));
      assert.deepEqual(both[0].content.length, both[1].content.length);
      assert.ok(both[0].content.equals(both[1].content));
    }),
    { numRuns: 300 },
  );
});

test('import functions have the parameters that the table says', (t) => {
  const [side] = sides(t);
  for (const name of CALL_NAMES) {
    assert.equal(side.calls.imports[name].length, signatureOf(name).params.length, name);
    assert.equal(side.calls.imports[name].name, name);
  }
});

test('memory that has grown is seen by the next call, shared or not', (t) => {
  const [side] = sides(t);
  assert.notEqual(side.call('random_get', PAGE_BYTES, 8), 0);
  side.memory.grow(1);
  assert.equal(side.call('random_get', PAGE_BYTES, 8), 0);
  assert.ok(new Uint8Array(side.memory.buffer, PAGE_BYTES, 8).some((byte) => byte !== 0));
  assert.equal(side.call('args_sizes_get', 2 * PAGE_BYTES - 4, 0), 0);
  assert.notEqual(side.call('args_sizes_get', 2 * PAGE_BYTES - 3, 0), 0);
});
