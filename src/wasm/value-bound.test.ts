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
      assert.throws(() => rewrite(make(TOO_MANY)), REFUSED);
      assert.throws(() => prepare(make(TOO_MANY)), REFUSED);
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

test('functions that do not end within their section are refused', () => {
  const code = [10, 4, 1, 9, 0, 0x0b];
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code);
  assert.throws(() => requireFewValues(readOutline(bytes)), { code: 'invalid_module' });
});
