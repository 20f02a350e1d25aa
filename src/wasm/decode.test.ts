import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GodwitError } from '../base/errors.ts';
import { generateModule } from '../capture/testing/generator.ts';
import { rewrite } from '../capture/rewriting/rewrite.ts';
import { decodeModule } from './decode.ts';
import { signatureOf } from './instructions.ts';
import { OP, PREFIX_FE } from './opcodes.ts';
import { I32, I64 } from './types.ts';
import { ModuleBuilder } from './testing/builder.ts';
import { FunctionWalker } from './walker.ts';
import { fuzzed } from '../base/testing/fuzzed.ts';

const HEAD = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

function validate(bytes: Uint8Array): void {
  const module = decodeModule(bytes);
  const walker = new FunctionWalker(module);
  for (let index = module.importedFunctions; index < module.functionTypes.length; index++) {
    walker.enter(index);
    while (walker.step());
  }
}

/** True if the module is taken, false if it is refused in the proper way. */
function isTaken(bytes: Uint8Array): boolean {
  try {
    validate(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof GodwitError, String(error));
    return false;
  }
}

const refusals: readonly (readonly [string, readonly number[], string, RegExp])[] = [
  ['text', [...Buffer.from('(module)')], 'not_a_module', /text form .* wat2wasm/],
  ['nothing', [], 'not_a_module', /empty: build or copy it again/],
  ['half a header', HEAD.slice(0, 5), 'not_a_module', /ends after 5 bytes, within its header: build or copy it again/],
  [
    'a native program',
    [...Buffer.from('\x7fELF\x02\x01')],
    'not_a_module',
    /native program: build it for wasm32-wasip1/,
  ],
  ['a script', [...Buffer.from('#!/bin/sh')], 'not_a_module', /script: give the \.wasm file/],
  ['a compressed module', [0x1f, 0x8b, 8, 0, 0, 0, 0, 0], 'not_a_module', /compressed: unpack it/],
  ['anything', [...Buffer.from('nonsense')], 'not_a_module', /magic number .*: build the program for wasm32-wasip1/],
  ['a component', [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], 'not_a_module', /component.*core module/],
  ['another version', [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], 'invalid_module', /version 2/],
  [
    'a section of 4 GB',
    [...HEAD, 1, 0xff, 0xff, 0xff, 0xff, 0x0f],
    'invalid_module',
    /4294967295 bytes where 0 are left: length out of bounds/,
  ],
  ['4 G types', [...HEAD, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f], 'invalid_module', /length out of bounds/],
  ['a shared memory of any size', [...HEAD, 5, 3, 1, 2, 1], 'invalid_module', /shared memory must have maximum/],
  ['a shared table', [...HEAD, 4, 5, 1, 0x70, 3, 1, 1], 'unsupported_feature', /shared-everything threads/],
  ['256 memories', [...HEAD, 5, 0x82, 4, 0x80, 2, ...Buffer.alloc(512)], 'limit', /255 memories/],
  ['a tag of no type', [...HEAD, 13, 3, 1, 0, 0], 'invalid_module', /unknown type 0/],
  ['a table of references without null', [...HEAD, 4, 5, 1, 0x64, 0x70, 0, 1], 'invalid_module', /without first/],
  [
    'a reference to a type that is not there',
    [...HEAD, 1, 6, 1, 0x60, 1, 0x63, 1, 0],
    'invalid_module',
    /unknown type 1/,
  ],
  ['anyref', [...HEAD, 1, 5, 1, 0x60, 1, 0x6e, 0], 'unsupported_feature', /garbage collection/],
  ['(ref any)', [...HEAD, 1, 6, 1, 0x60, 1, 0x64, 0x6e, 0], 'unsupported_feature', /garbage collection/],
  ['a struct type', [...HEAD, 1, 3, 1, 0x5f, 0], 'unsupported_feature', /garbage collection/],
];

for (const [name, bytes, code, message] of refusals) {
  test(`refused: ${name}`, () => {
    assert.throws(() => decodeModule(Uint8Array.from(bytes)), { code, message });
  });
}

const features: readonly (readonly [string, readonly number[], RegExp])[] = [
  ['garbage collection', [0xfb, 0x00, 0x00], /garbage collection/],
];

for (const [name, code, message] of features) {
  test(`refused in code: ${name}`, () => {
    const b = new ModuleBuilder();
    b.define([], [], [], Uint8Array.from(code));
    assert.throws(() => validate(b.build()), { code: 'unsupported_feature', message });
  });
}

const malformed: readonly (readonly [string, readonly number[], RegExp])[] = [
  ['both forms of exception handling', [0x06, 0x40, 0x0b, 0x1f, 0x40, 0, 0x0b], /mix of legacy and new/],
  ['catch without try', [0x02, 0x40, 0x19, 0x0b], /catch without try/],
  ['catch behind catch_all', [0x06, 0x40, 0x19, 0x19, 0x0b], /catch without try/],
  ['delegate behind a clause', [0x06, 0x40, 0x19, 0x18, 0], /delegate without try/],
  ['delegate beyond the function', [0x06, 0x40, 0x18, 1], /unknown label 1/],
  ['rethrow outside of a clause', [0x06, 0x40, 0x09, 0, 0x0b], /invalid rethrow label/],
  ['throw of an unknown tag', [0x08, 0], /unknown tag 0/],
  ['a clause of an unknown kind', [0x1f, 0x40, 1, 4, 0, 0x0b], /malformed catch clause 4/],
  ['call_ref without a reference', [0x14, 0], /\(ref null 0\) is wanted, the stack is empty/],
  ['call_ref of no type', [0xd0, 0x70, 0x14, 7], /unknown type 7/],
  ['ref.as_non_null of a number', [0x41, 0, 0xd4, 0x1a], /a reference is wanted/],
  ['a clause that passes too much', [0x1f, 0x40, 1, 3, 0, 0x0b], /a catch clause and its label/],
  ['an atomic access without a memory', [0x41, 0, 0xfe, 0x10, 2, 0, 0x1a], /unknown memory 0/],
  ['a fence of an unknown order', [0xfe, 3, 1], /zero byte expected/],
  ['an unknown atomic instruction', [0xfe, 0x4f], /illegal opcode 0xfe 0x4f/],
];

for (const [name, code, message] of malformed) {
  test(`invalid: ${name}`, () => {
    const b = new ModuleBuilder();
    b.define([], [], [], Uint8Array.from(code));
    assert.throws(() => validate(b.build()), { code: 'invalid_module', message });
    assert.ok(!WebAssembly.validate(b.build()));
  });
}

test('every atomic instruction is taken with its own alignment only', () => {
  let taken = 0;
  for (let sub = 0; sub < 0x60; sub++) {
    for (const address of [I32, I64]) {
      for (let alignment = 0; alignment < 4; alignment++) {
        const signature = signatureOf[PREFIX_FE + sub] ?? 0;
        const b = new ModuleBuilder();
        b.memories.push({ minimum: 1, maximum: 1, shared: true, wide: address === I64 });
        const operands = [signature & 0xff, (signature >> 8) & 0xff, (signature >> 16) & 0xff].filter(
          (type) => type > 0,
        );
        operands.splice(-1, 1, address);
        const result = signature >>> 24;
        const get = operands.flatMap((_, i) => [OP.localGet, i]);
        const code = [...get, 0xfe, sub, alignment, 0];
        b.define(operands.toReversed(), result === 0 ? [] : [result], [], Uint8Array.from(code));
        const valid = WebAssembly.validate(b.build());
        assert.equal(isTaken(b.build()), valid, `0xfe ${sub}, alignment ${alignment}`);
        taken += Number(valid);
      }
    }
  }
  assert.equal(taken, 2 * 67, 'waits, notify and fence, loads, stores, and seven of each of the seven others');
});

test('an invalid function is named with its offset', () => {
  const b = new ModuleBuilder();
  b.define([], [], [], Uint8Array.of(OP.nop));
  b.define([], [I32], [], Uint8Array.of(OP.nop));
  assert.throws(() => validate(b.build()), {
    code: 'invalid_module',
    message: /^function 1, offset 0x[0-9a-f]+: type mismatch/,
  });
});

test('a function that claims a billion locals is refused', () => {
  const bytes = [...HEAD, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 10, 1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x03, 0x7f, 0x0b];
  assert.throws(() => validate(Uint8Array.from(bytes)), { code: 'invalid_module', message: /too many locals/ });
});

const modules = fc.array(fc.nat(255), { maxLength: 300 }).map((choices) => generateModule(choices));

test('what V8 takes is taken, and mutated modules are taken or refused like V8 does', () => {
  // V8 also takes features that are refused here; the other way round nothing may be taken that V8 refuses.
  fc.assert(
    fc.property(modules, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (bytes, changes) => {
      for (const [at, value] of changes) bytes[8 + (at % (bytes.length - 8))] = value;
      const taken = isTaken(bytes);
      const valid = WebAssembly.validate(bytes);
      if (changes.length === 0) assert.ok(taken);
      if (taken) assert.ok(valid, 'V8 refuses the module');
    }),
    fuzzed(300),
  );
});

test('mutated modules are rewritten into valid ones, or refused', () => {
  fc.assert(
    fc.property(modules, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }), (bytes, changes) => {
      for (const [at, value] of changes) bytes[8 + (at % (bytes.length - 8))] = value;
      if (!isTaken(bytes)) return;
      assert.ok(WebAssembly.validate(rewrite(bytes).module));
    }),
    fuzzed(60),
  );
});

test('any bytes are a module or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      isTaken(bytes);
      isTaken(Uint8Array.from([...HEAD, ...bytes]));
    }),
    fuzzed(1000),
  );
});
