/** Few bytes with far more values: refused before V8 sees them, whether Godwit validates the module itself or not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moduleBytes } from '../../test/spec/text.ts';
import { LIMITS } from '../base/limits.ts';
import { Assembler } from '../capture/code/assembler.ts';
import { prepare } from '../capture/running/prepare.ts';
import { rewrite } from '../capture/rewriting/rewrite.ts';
import { OP } from './opcodes.ts';
import { readOutline } from './outline.ts';
import { ModuleBuilder } from './testing/builder.ts';
import { I32 } from './types.ts';
import type { ValueType } from './types.ts';
import { requireFewValues } from './value-bound.ts';

const MANY: readonly ValueType[] = Array.from({ length: LIMITS.typeValues }, () => I32);
const REFUSED = { code: 'limit', message: /calls and blocks with several values have more than 4194304 in all/ };

/** A function that does something `n` times, in code that is never reached: there types need no values. */
function repeated(n: number, write: (code: Assembler, b: ModuleBuilder) => (i: number) => void): Uint8Array {
  const b = new ModuleBuilder();
  const code = new Assembler();
  const once = write(code, b);
  code.op(OP.unreachable);
  for (let i = 0; i < n; i++) once(i);
  b.define([], [], [], code.op(OP.unreachable).done());
  return b.build();
}

/** Blocks within each other, each with something in it; the outermost takes many values. */
function nested(n: number, begin: (code: Assembler, b: ModuleBuilder) => (i: number) => void): Uint8Array {
  const b = new ModuleBuilder();
  const code = new Assembler();
  const once = begin(code, b);
  code.op(OP.block, b.type([], MANY));
  for (let i = 0; i < n; i++) once(i);
  for (let i = 0; i <= n; i++) code.op(OP.unreachable).op(OP.end);
  b.define([], [], [], code.op(OP.unreachable).done());
  return b.build();
}

const SHAPES: Readonly<Record<string, (n: number) => Uint8Array>> = {
  'calls that give many values': (n) =>
    repeated(n, (code, b) => {
      const many = b.importFunction('env', 'many', [], MANY);
      return () => code.op(OP.call, many);
    }),
  'calls through a table': (n) =>
    repeated(n, (code, b) => {
      const type = b.type([], MANY);
      b.table(1);
      return () => code.op(OP.callIndirect, type, 0);
    }),
  'calls of references': (n) =>
    repeated(n, (code, b) => {
      const type = b.type([], MANY);
      return () => code.op(OP.refNull, type).op(OP.callRef, type);
    }),
  'blocks that give many values': (n) =>
    repeated(n, (code, b) => {
      const type = b.type([], MANY);
      return () => code.op(OP.block, type).op(OP.unreachable).raw(OP.end, OP.unreachable);
    }),
  'loops that take many values': (n) =>
    repeated(n, (code, b) => {
      const type = b.type(MANY, []);
      return () => code.op(OP.loop, type).op(OP.unreachable).raw(OP.end, OP.unreachable);
    }),
  'tries that catch many values': (n) =>
    nested(n, (code, b) => {
      const tag = b.tag(MANY);
      return () => code.raw(OP.try, 0x40).op(OP.catch, tag);
    }),
  'branches out of code that is never reached': (n) =>
    nested(n, (code) => (i) => code.raw(OP.block, 0x40, OP.unreachable).op(OP.brIf, i + 1)),
  'branches there by a reference that may be null': (n) =>
    nested(n, (code) => (i) => code.raw(OP.block, 0x40, OP.unreachable).op(OP.brOnNull, i + 1)),
};
/** Such as only V8 knows: here the scan alone can tell. */
const UNKNOWN_SHAPES: Readonly<Record<string, (n: number) => Uint8Array>> = {
  'branches there by a cast': (n) =>
    nested(n, (code) => (i) => {
      code.raw(OP.block, 0x40, OP.unreachable, 0xfb, 24, 0).u32(i + 1);
      code.raw(0x6e, 0x6c);
    }),
  'blocks whose type is written in more bytes than it needs': (n) =>
    repeated(n, (code, b) => {
      const type = b.type([], MANY);
      return () => code.raw(OP.block, 0x80 | type, 0x80, 0, OP.unreachable, OP.end, OP.unreachable);
    }),
};

const TOO_MANY = LIMITS.functionValues / LIMITS.typeValues + 1;

describe('more values than any program has', () => {
  for (const [name, make] of Object.entries({ ...SHAPES, ...UNKNOWN_SHAPES })) {
    test(`${name}, in a module that only V8 validates`, () => {
      assert.throws(() => requireFewValues(readOutline(make(TOO_MANY))), REFUSED);
      requireFewValues(readOutline(make(TOO_MANY / 2 - 1)));
    });
  }

  for (const [name, make] of Object.entries(SHAPES)) {
    test(`${name}, in a module that is rewritten`, () => {
      // Of those within each other, the operands in all of them are even more.
      const refused = { code: 'limit', message: /^function [01]: .* more than (4194304|134217728) in all/ };
      assert.throws(() => rewrite(make(TOO_MANY)), refused);
      assert.throws(() => prepare(make(TOO_MANY)), refused);
    });
  }

  test('in a program with garbage collection', async () => {
    const text = (calls: number): string => `(module
      (type (struct))
      (import "env" "many" (func $many (result ${'i32 '.repeat(LIMITS.typeValues)})))
      (func (export "_start") ${'(call $many)'.repeat(calls)} (unreachable)))`;
    const refused = await moduleBytes(text(TOO_MANY));
    assert.throws(() => prepare(refused), REFUSED);
    assert.ok(WebAssembly.validate(prepare(await moduleBytes(text(100)))));
  });
});

describe('more locals than so many blocks may have', () => {
  const LOCALS = 40_000;
  const MOST = Math.floor(LIMITS.functionStates / LOCALS);
  const refused = { code: 'limit', message: /function 0: it has too many locals and operands for so many blocks/ };
  const module = (n: number, code: (a: Assembler) => Assembler, locals = LOCALS, before = 0): Uint8Array => {
    const b = new ModuleBuilder();
    const a = new Assembler();
    for (let i = 0; i < before; i++) a.constant(0);
    for (let i = 0; i < n; i++) code(a);
    b.define(
      [],
      [],
      Array.from({ length: locals }, () => I32),
      before > 0 ? a.op(OP.unreachable).done() : a.done(),
    );
    return b.build();
  };
  const shapes: Readonly<Record<string, readonly [number, (a: Assembler) => Assembler]>> = {
    blocks: [1, (a) => a.raw(OP.block, 0x40).get(0).op(OP.brIf, 0).raw(OP.end)],
    loops: [1, (a) => a.raw(OP.loop, 0x40, OP.end)],
    ifs: [2, (a) => a.get(0).raw(OP.if, 0x40, OP.end)],
    'blocks with a result': [1, (a) => a.raw(OP.block, I32).get(0).raw(OP.end).op(OP.drop)],
  };
  for (const [name, [states, code]] of Object.entries(shapes)) {
    test(name, () => {
      const many = module(MOST / states + 1, code);
      assert.throws(() => prepare(many), refused);
      assert.throws(() => requireFewValues(readOutline(many)), refused);
      const few = module(MOST / 2 / states, code);
      rewrite(few);
      requireFewValues(readOutline(few));
    });
  }

  test('what is written twice counts once', () => {
    // A loop that counts towards a bound, around others.
    const a = new Assembler().raw(OP.loop, 0x40);
    for (let i = 0; i < 0.8 * MOST; i++) a.raw(OP.loop, 0x40, OP.end);
    a.get(0).constant(1).op(OP.i32Add).op(OP.localTee, 0).constant(100).op(OP.i32LtU).op(OP.brIf, 0).raw(OP.end);
    const b = new ModuleBuilder();
    b.define(
      [],
      [],
      Array.from({ length: LOCALS }, () => I32),
      a.done(),
    );
    rewrite(b.build());
  });

  test('operands count as locals do', () => {
    const [, code] = shapes['loops']!;
    assert.throws(() => prepare(module(MOST + 1, code, 0, LOCALS)), refused);
  });

  test('locals of references to types, and too many locals', async () => {
    const locals = (n: number): Promise<Uint8Array> =>
      moduleBytes(`(module (type (struct)) (func (local ${'(ref null 0) '.repeat(n)}) ${'(loop)'.repeat(100)}))`);
    requireFewValues(readOutline(await locals(1000)));
    assert.throws(() => requireFewValues(readOutline(module(1, shapes['loops']![1], 50_001))), {
      code: 'invalid_module',
    });
  });
});

test('functions that do not end within their section are refused', () => {
  const code = [10, 4, 1, 9, 0, 0x0b];
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code);
  assert.throws(() => requireFewValues(readOutline(bytes)), { code: 'invalid_module' });
});
